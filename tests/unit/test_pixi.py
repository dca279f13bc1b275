"""pixi.toml says the same as pyproject.toml and the Makefile."""

from __future__ import annotations

import shlex
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from packaging.requirements import Requirement
from packaging.specifiers import SpecifierSet
from packaging.utils import canonicalize_name

if sys.version_info >= (3, 11):
    import tomllib
else:
    import tomli as tomllib

ROOT = Path(__file__).resolve().parents[2]
PIXI = tomllib.loads((ROOT / "pixi.toml").read_text(encoding="utf-8"))
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))
MAKEFILE = (ROOT / "Makefile").read_text(encoding="utf-8")
# the tables that a feature may have: https://pixi.prefix.dev/latest/reference/pixi_manifest
FEATURE = {
    "activation", "channels", "channel-priority", "dependencies", "platforms", "pypi-dependencies",
    "pypi-options", "system-requirements", "target", "tasks",
}  # fmt: skip
TASK = {"cmd", "depends-on", "description", "cwd", "env", "inputs", "outputs", "clean-env", "args"}
PYTHONS = [f"3.{minor}" for minor in range(8, 20)]


def spec(value: str | dict[str, Any]) -> SpecifierSet:
    text = value if isinstance(value, str) else value["version"]
    return SpecifierSet("" if text == "*" else text)


def pythons(text: str) -> set[str]:
    return {version for version in PYTHONS if SpecifierSet(text).contains(f"{version}.9")}


def packages(lines: list[str]) -> dict[str, SpecifierSet]:
    """Give the packages that are wanted with a Python that pixi may take."""
    wanted = {}
    for requirement in map(Requirement, lines):
        for version in pythons(PIXI["dependencies"]["python"]):
            marker = requirement.marker
            if marker is None or marker.evaluate({"python_version": version}):
                wanted[canonicalize_name(requirement.name)] = requirement.specifier
    return wanted


def listed(feature: str) -> dict[str, SpecifierSet]:
    given = PIXI["feature"][feature]["pypi-dependencies"]
    return {canonicalize_name(name): spec(value) for name, value in given.items()}


def tasks() -> dict[str, dict[str, Any]]:
    found = dict(PIXI["tasks"])
    for feature in PIXI["feature"].values():
        found |= feature.get("tasks", {})
    return found


def test_python_is_one_that_pycyto_runs_with() -> None:
    wanted = pythons(PIXI["dependencies"]["python"])
    assert wanted
    assert wanted <= pythons(PROJECT["project"]["requires-python"])


def test_pycyto_comes_from_here_with_the_extras_of_the_makefile() -> None:
    (name,) = PIXI["pypi-dependencies"]
    assert name == PROJECT["project"]["name"]
    source = PIXI["pypi-dependencies"][name]
    assert (source["path"], source["editable"]) == (".", True)
    assert set(source["extras"]) <= set(PROJECT["project"]["optional-dependencies"])
    assert f"'.[{','.join(source['extras'])}]'" in MAKEFILE


def test_features_add_what_the_project_says() -> None:
    groups = PROJECT["dependency-groups"]
    assert listed("test") == packages([*groups["test"], *groups["lint"], *groups["docs"]])
    assert listed("gpu") == packages(PROJECT["project"]["optional-dependencies"]["cellpose"])


def test_only_tables_that_pixi_knows() -> None:
    assert set(PIXI["workspace"]) >= {"name", "channels", "platforms"}
    assert set(PIXI) <= {"workspace", "feature", "environments", *FEATURE}
    for feature in PIXI["feature"].values():
        assert set(feature) <= FEATURE
    for task in tasks().values():
        assert set(task) <= TASK
        assert set(task.get("depends-on", ())) <= set(tasks())


def test_the_environments() -> None:
    environments = PIXI["environments"]
    assert set(environments) == {"default", "gpu"}
    for environment in environments.values():
        assert set(environment["features"]) <= set(PIXI["feature"])
        assert "test" in environment["features"], "the task test runs in both"
    assert "cuda" in PIXI["feature"]["gpu"]["system-requirements"]


@pytest.mark.skipif(shutil.which("make") is None, reason="make is not installed")
def test_the_demo_is_that_of_the_makefile() -> None:
    argv = ["make", "--dry-run", "--always-make", "demo", "VENV=v"]
    said = subprocess.run(argv, cwd=ROOT, capture_output=True, text=True, check=True).stdout
    lines = said.replace("\\\n", " ").splitlines()
    made = [shlex.split(line) for line in lines if line.startswith("v/bin/cyto ")]
    mine = [shlex.split(tasks()[name]["cmd"]) for name in ("sample", "demo")]
    assert [["cyto", *words[1:]] for words in made] == mine
    assert tasks()["demo"]["depends-on"] == ["sample"]
