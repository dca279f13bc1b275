"""Which profile is in force, and where each node runs under it."""

from __future__ import annotations

from pathlib import Path

import pytest

from cyto.config import choose_profile, load_pipeline, placements, resources_for
from cyto.core.placement import Placement
from cyto.errors import ConfigError

TASKS = """\
tasks:
  seg: {module: a.B, tags: [segmentation, tcells]}
  seg2: {module: a.B, tags: [segmentation]}
  features: {module: a.B}
"""
RESOURCES = """\
execution_configs:
  hybrid:
    seg: {image: one}
    tag:segmentation: {image: two}
  container:
    default: {image: three}
    tag:segmentation: {image: two}
    tag:tcells: {image: four}
  typo:
    sge: {image: x}
    tag:segmentatoin: {image: x}
    default: {image: y}
"""


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    Path("pipeline.x.yaml").write_text(TASKS)
    Path("pipeline-resources.x.yaml").write_text(RESOURCES)
    return tmp_path


def choose(cli: str | None = None) -> tuple[str, str]:
    return choose_profile(cli, load_pipeline("pipeline.x.yaml"), resources_for("pipeline.x.yaml"))


def wish(pipeline: str = "", resources: str = "") -> None:
    if pipeline:
        Path("pipeline.x.yaml").write_text(f"{TASKS}execution_profile: {pipeline}\n")
    if resources:
        Path("pipeline-resources.x.yaml").write_text(f"{RESOURCES}default_profile: {resources}\n")


@pytest.mark.usefixtures("folder")
def test_the_order_of_wishes() -> None:
    assert choose() == ("hybrid", "the default where nobody names one")
    wish(resources="typo")
    assert choose() == ("typo", "default_profile in pipeline-resources.x.yaml:13")
    wish(pipeline="container")
    assert choose() == ("container", "execution_profile in pipeline.x.yaml:5")
    assert choose("hybrid") == ("hybrid", "--profile")


@pytest.mark.usefixtures("folder")
def test_local_is_always_there() -> None:
    assert choose("local") == ("local", "--profile")
    wish(pipeline="local")
    assert choose()[0] == "local"
    found, warnings = placements(
        load_pipeline("pipeline.x.yaml"), resources_for("pipeline.x.yaml"), "local"
    )
    assert found == dict.fromkeys(["seg", "seg2", "features"], Placement())
    assert warnings == []


@pytest.mark.usefixtures("folder")
def test_without_a_resources_file_all_is_bare_metal() -> None:
    Path("pipeline-resources.x.yaml").unlink()
    assert choose() == ("local", "there is no pipeline-resources.x.yaml")
    assert choose("local") == ("local", "--profile")
    wish(pipeline="local")
    assert choose()[0] == "local"


def test_a_profile_without_a_resources_file_says_what_was_looked_for(folder: Path) -> None:
    Path("pipeline-resources.x.yaml").unlink()
    with pytest.raises(ConfigError) as caught:
        choose("hybrid")
    assert str(folder / "pipeline-resources.x.yaml") in str(caught.value)
    assert "--profile local" in str(caught.value)
    wish(pipeline="cluster")
    with pytest.raises(ConfigError) as caught:
        choose()
    problem = caught.value.problems[0]
    assert (problem.file, problem.line, problem.column) == ("pipeline.x.yaml", 5, 20)
    assert problem.path == "execution_profile"


@pytest.mark.usefixtures("folder")
def test_an_unknown_profile_lists_those_there_are() -> None:
    with pytest.raises(ConfigError) as caught:
        choose("hybird")
    assert str(caught.value) == (
        "--profile: there is no profile 'hybird' in pipeline-resources.x.yaml\n"
        "    did you mean 'hybrid'? known profiles: container, hybrid, local, typo"
    )
    wish(pipeline="zzz")
    with pytest.raises(ConfigError) as caught:
        choose()
    assert "known profiles: container, hybrid, local, typo" in str(caught.value)
    assert caught.value.problems[0].line == 5


@pytest.mark.usefixtures("folder")
def test_hybrid_is_missed_when_nobody_names_another() -> None:
    Path("pipeline-resources.x.yaml").write_text("execution_configs: {mine: {}}")
    with pytest.raises(ConfigError, match="there is no profile 'hybrid'"):
        choose()


@pytest.mark.usefixtures("folder")
def test_the_most_exact_entry_wins() -> None:
    config, resources = load_pipeline("pipeline.x.yaml"), resources_for("pipeline.x.yaml")
    found, warnings = placements(config, resources, "hybrid")
    assert {name: p.image for name, p in found.items()} == {
        "seg": "one",
        "seg2": "two",
        "features": None,
    }
    assert found["seg"].source == "pipeline-resources.x.yaml:3"
    assert [found[name].entry for name in found] == ["seg", "tag:segmentation", ""]
    assert warnings == []


@pytest.mark.usefixtures("folder")
def test_two_tags_that_compete_are_an_error() -> None:
    config, resources = load_pipeline("pipeline.x.yaml"), resources_for("pipeline.x.yaml")
    with pytest.raises(ConfigError) as caught:
        placements(config, resources, "container")
    assert len(caught.value.problems) == 1
    problem = caught.value.problems[0]
    assert "'tag:segmentation' (pipeline-resources.x.yaml:7)" in problem.message
    assert "'tag:tcells' (pipeline-resources.x.yaml:8)" in problem.message
    assert (problem.line, problem.path) == (2, "tasks.seg.tags")


@pytest.mark.usefixtures("folder")
def test_entries_that_address_nothing_are_warnings() -> None:
    config, resources = load_pipeline("pipeline.x.yaml"), resources_for("pipeline.x.yaml")
    found, warnings = placements(config, resources, "typo")
    assert {p.image for p in found.values()} == {"y"}
    assert [(w.line, w.column, w.message) for w in warnings] == [
        (10, 5, "addresses no node of pipeline.x.yaml"),
        (11, 5, "addresses no node of pipeline.x.yaml"),
    ]
    assert "did you mean 'seg'" in warnings[0].hint
    assert warnings[1].hint == "did you mean 'tag:segmentation'?"


def test_images_are_relative_to_the_resources_file(folder: Path) -> None:
    other = folder / "other"
    other.mkdir()
    given = other / "r.yaml"
    given.write_text("execution_configs: {c: {default: {runner: apptainer, image: x.sif}}}")
    resources = resources_for("pipeline.x.yaml", "other/r.yaml")
    found, _ = placements(load_pipeline("pipeline.x.yaml"), resources, "c")
    assert found["seg"].image == str(other / "x.sif")
