"""The site is built strictly, whole, and needs no network to be read."""

from __future__ import annotations

import json
import re
import subprocess
import sys
from html import unescape
from pathlib import Path

import pytest

from cyto import errors
from cyto.cli.main import cli
from cyto.config.schemas import schema
from cyto.engine.tasks import shipped_tasks

ROOT = Path(__file__).resolve().parents[2]
for _needed in ("sphinx", "myst_parser", "furo", "sphinx_click", "sphinx_copybutton"):
    pytest.importorskip(_needed, reason="the group is not installed: pip install --group docs")


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Build as ``make docs`` does; a warning, such as of a broken link, is an error."""
    out = tmp_path_factory.mktemp("site")
    words = ["-b", "html", "-W", "--keep-going", "-q", "-d", out / "doctrees"]
    done = subprocess.run(
        [sys.executable, "-m", "sphinx", *words, ROOT / "docs", out / "html"],
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    return out / "html"


def words(page: Path) -> str:
    return unescape(re.sub(r"<[^>]+>", "", page.read_text(encoding="utf-8")))


def test_every_task_has_its_section(site: Path) -> None:
    for cls in shipped_tasks():
        package = cls.__module__.split(".")[1]
        page = site / "reference" / f"tasks-{package}.html"
        assert f'id="{cls.__name__.lower()}"' in page.read_text(encoding="utf-8")
        text = words(page)
        assert f"{cls.__module__}.{cls.__name__}" in text
        for name, parameter in cls.parameters.items():
            assert name in text
            assert " ".join(parameter.help.split()) in " ".join(text.split()), (cls, name)


def test_every_command_and_option_is_there(site: Path) -> None:
    text = words(site / "reference" / "cli.html")
    for name in cli.list_commands(None):  # type: ignore[arg-type]
        command = cli.get_command(None, name)  # type: ignore[arg-type]
        assert command is not None
        for parameter in command.params:
            if option := next((word for word in parameter.opts if word.startswith("--")), ""):
                assert option in text, f"{name} {option}"


def test_every_error_is_there(site: Path) -> None:
    page = (site / "reference" / "errors.html").read_text(encoding="utf-8")
    found = [name for name, thing in vars(errors).items() if isinstance(thing, type)]
    for name in found:
        if issubclass(getattr(errors, name), errors.CytoError):
            assert f'id="{name.lower()}"' in page


@pytest.mark.parametrize("kind", ["pipeline", "resources"])
def test_every_key_is_there(site: Path, kind: str) -> None:
    page = (site / "reference" / f"{kind}.html").read_text(encoding="utf-8")
    whole = json.loads(json.dumps(schema("pipeline" if kind == "pipeline" else "resources")))
    for model in (whole, *whole["$defs"].values()):
        for key in model.get("properties", {}):
            assert f'<span class="pre">{key}</span>' in page, key


def test_a_reader_needs_no_network(site: Path) -> None:
    for page in site.rglob("*.html"):
        text = page.read_text(encoding="utf-8")
        loaded = re.findall(
            r"<(?:script|img|iframe|link)\b[^>]*?(?:src|href)=\"(https?:[^\"]+)", text
        )
        assert loaded == [], page
