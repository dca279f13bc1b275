"""``--set`` on the command line."""

from __future__ import annotations

from pathlib import Path

import pytest

from cyto.config import load_pipeline
from cyto.errors import ConfigError

TEXT = """\
channels:
  nuclei: data/nuclei.tif
  death: {path: data/death.tif, channel: 1}
tasks:
  seg:
    module: a.Seg
    params: {diameter: 25, channels: [0, 0], model: {name: x}}
    inputs: {image: nuclei}
"""


@pytest.fixture
def file(tmp_path: Path) -> Path:
    path = tmp_path / "pipeline.x.yaml"
    path.write_text(TEXT)
    return path


def test_values_are_yaml(file: Path) -> None:
    config = load_pipeline(
        file,
        [
            "tasks.seg.params.diameter=30.5",
            "tasks.seg.params.new=1e-3",
            "tasks.seg.params.flag=true",
            "tasks.seg.params.time=01:30:00",
            "tasks.seg.params.channels.1=3",
            "tasks.seg.params.model.name=[a, b]",
            "tasks.seg.params.deep.er=x=y",
            "tasks.seg.retries=2",
            "seed=5",
            "execution_profile=local",
        ],
    )
    assert config.tasks["seg"].params == {
        "diameter": 30.5,
        "new": 1e-3,
        "flag": True,
        "time": "01:30:00",
        "channels": [0, 3],
        "model": {"name": ["a", "b"]},
        "deep": {"er": "x=y"},
    }
    assert config.tasks["seg"].retries == 2
    assert (config.model.seed, config.model.execution_profile) == (5, "local")


def test_the_last_one_wins(file: Path) -> None:
    assert load_pipeline(file, ["seed=1", "seed=2"]).model.seed == 2


@pytest.mark.parametrize("key", ["channels.nuclei", "channels.nuclei.path", "channels.death.path"])
def test_paths_typed_here_are_relative_to_here(
    file: Path, key: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    here = tmp_path / "elsewhere"
    here.mkdir()
    monkeypatch.chdir(here)
    config = load_pipeline(file, [f"{key}=a: b #1.tif", "output_dir=out"])
    assert config.channel_path(key.split(".")[1]) == here / "a: b #1.tif"
    assert config.output_dir == here / "out"
    assert config.channels["death"].channel == 1


def test_a_channel_given_as_a_path_takes_keys(file: Path) -> None:
    config = load_pipeline(file, ["channels.nuclei.channel=3", "channels.nuclei.frames=[0, 5]"])
    assert config.channels["nuclei"].path == "data/nuclei.tif"
    assert config.channels["nuclei"].channel == 3
    assert config.channel_path("nuclei") == file.parent / "data/nuclei.tif"


def test_a_channel_given_whole(file: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(file.parent)
    config = load_pipeline(file, ["channels.nuclei={path: x.tif, channel: 2}"])
    assert config.channel_path("nuclei") == file.parent / "x.tif"
    assert config.channels["nuclei"].channel == 2


def test_a_bad_value_is_said_to_come_from_the_command_line(file: Path) -> None:
    with pytest.raises(ConfigError) as caught:
        load_pipeline(file, ["seed=x", "tasks.seg.inputs.image=nucle"])
    assert str(caught.value) == (
        "--set seed=x: seed: expected a whole number, received 'x'\n"
        "--set tasks.seg.inputs.image=nucle: tasks.seg.inputs.image: "
        "there is no channel or node 'nucle'\n    did you mean 'nuclei'?"
    )


def test_problems_found_later_name_the_override(file: Path) -> None:
    config = load_pipeline(file, ["tasks.seg.params.diameter=-1"])
    problem = config.problem(("tasks", "seg", "params", "diameter"), "must be > 0")
    assert problem.file == "--set tasks.seg.params.diameter=-1"
    assert problem.line is None
    other = config.problem(("tasks", "seg", "params", "model"), "no such model")
    assert (other.file, other.line) == (str(file), 7)


@pytest.mark.parametrize(
    ("text", "message", "hint"),
    [
        ("seed", "no KEY=VALUE", "write KEY=VALUE"),
        ("=3", "no KEY=VALUE", "write KEY=VALUE"),
        ("sed=1", "has no key 'sed'", "did you mean 'seed'?"),
        ("task.seg.params.a=1", "has no key 'task'", "did you mean 'tasks'?"),
        ("tasks.sg.params.a=1", "there is no task 'sg'", "did you mean 'seg'?"),
        ("tasks.seg.param.a=1", "tasks.seg has no key 'param'", "did you mean 'params'?"),
        ("channels.nucle.path=x", "there is no channel 'nucle'", "did you mean 'nuclei'?"),
        ("channels.nuclei.pth=x", "channels.nuclei has no key 'pth'", "did you mean 'path'?"),
        ("tasks.seg.params.channels.2=1", "has items 0 to 1, no '2'", ""),
        ("tasks.seg.params.channels.x=1", "has items 0 to 1, no 'x'", ""),
        ("tasks.seg.params.diameter.x=1", "is 25 and has no keys", ""),
        ("tasks.seg.params.a=[1", "a bracket is not closed", ""),
        ("channels.nuclei.path=", "expected text that is not empty", ""),
        ("channels.nuclei.channel=-1", "expected 0 or more", ""),
    ],
)
def test_an_override_that_cannot_be(file: Path, text: str, message: str, hint: str) -> None:
    with pytest.raises(ConfigError) as caught:
        load_pipeline(file, [text])
    assert len(caught.value.problems) == 1
    problem = caught.value.problems[0]
    assert message in problem.message
    assert hint in problem.hint
    assert problem.file == f"--set {text}"
    assert problem.line is None
