"""A third party's environment, found through its package's entry point."""

from __future__ import annotations

import importlib
import sys
from collections.abc import Iterator

import pytest
from environment_contract import EnvironmentContract
from nice_runner import NiceRunner

from cyto.errors import UnavailableError
from cyto.runners import environment


@pytest.fixture(scope="module", autouse=True)
def plugins(tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    """Install two packages that register a runner each, one of them broken."""
    site = tmp_path_factory.mktemp("site")
    for name, value in {"nice": "nice_runner:NiceRunner", "broken": "no_such:Runner"}.items():
        info = site / f"{name}_runner-1.0.dist-info"
        info.mkdir()
        metadata = f"Metadata-Version: 2.1\nName: {name}-runner\nVersion: 1.0\n"
        (info / "METADATA").write_text(metadata)
        (info / "entry_points.txt").write_text(f"[cyto.runners]\n{name} = {value}\n")
    sys.path.append(str(site))
    _look_again()
    yield
    sys.path.remove(str(site))
    _look_again()


def _look_again() -> None:
    importlib.invalidate_caches()
    environment._entry_points.cache_clear()
    environment.get_environment.cache_clear()


class TestPlugin(EnvironmentContract):
    runner = "nice"
    parted = False
    why_not_parted = "a process of the host sees the host"


def test_it_is_found_by_its_entry_point() -> None:
    assert "nice" in environment.environment_names()
    assert isinstance(environment.get_environment("nice"), NiceRunner)


def test_one_that_cannot_be_loaded() -> None:
    with pytest.raises(UnavailableError, match=r"'broken'.*no_such") as caught:
        environment.get_environment("broken")
    assert "reinstall" in caught.value.hint


def test_one_that_is_not_there() -> None:
    with pytest.raises(UnavailableError, match="'nicce'") as caught:
        environment.get_environment("nicce")
    assert "'nice'" in caught.value.hint
