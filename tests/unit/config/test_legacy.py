"""Stage-based files: what they mean in the present format, and what is wrong with them."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from cyto.config import PipelineConfig, load_pipeline, placements, resources_for
from cyto.config.legacy.kinds import KINDS
from cyto.errors import ConfigError, Problem

PIPELINES = Path(__file__).parents[3] / "pipelines" / "legacy"
HEAD = "channels:\n  A: a.tif\n  B: b.tif\noutput_dir: out\n"
STEPS = {
    "PercentileNormalization": ("preprocessing", "[A]", {}),
    "GammaCorrection": ("preprocessing", "[A]", {}),
    "ChannelMerge": ("preprocessing", "[[A, B]]", {}),
    "CrossChannelCorrelation": ("preprocessing", "[[A, B]]", {}),
    "ImageToLabel": ("segmentation", "[A]", {}),
    "StarDist": ("segmentation", "[A]", {}),
    "CellPose": ("segmentation", "[A]", {}),
    "TrackMate": ("tracking", "[A]", {}),
    "CrossTableOperation": (
        "postprocessing", "[[A, B]]", {"column": "mean", "operation": "divide"},
    ),
    "FeatureFilter": (
        "postprocessing", "[A]", {"column": "size", "operation": "<", "value": 3},
    ),
    "KernelDensityEstimation": ("postprocessing", "[A]", {}),
    "CellTriangulation": ("postprocessing", "[A]", {}),
    "CrossCellContactMeasures": ("postprocessing", "[[A, B]]", {}),
}  # fmt: skip
TABLES = """\
  segmentation:
    - {name: ImageToLabel, channels: [A, B], input_type: image, args: null, output_type: label}
  label_to_sparse: {image_label_pair: [[A, A], [B, B]], output: True}
"""


@pytest.fixture
def legacy(tmp_path, monkeypatch):
    """Load a stage-based file in a folder with its images, called from there."""
    monkeypatch.chdir(tmp_path)
    for name in ("a.tif", "b.tif"):
        (tmp_path / name).touch()

    def load(text: str) -> PipelineConfig:
        path = tmp_path / "sub" / "old.yaml"
        path.parent.mkdir(exist_ok=True)
        path.write_text(text, encoding="utf-8")
        return load_pipeline(path)

    return load


def wrong(legacy, text: str) -> list[Problem]:
    with pytest.raises(ConfigError) as caught:
        legacy(text)
    return list(caught.value.problems)


def test_every_kind_of_the_format_is_tested_here() -> None:
    assert set(STEPS) == set(KINDS)


@pytest.mark.parametrize("name", STEPS)
def test_each_class_becomes_a_node_whose_task_takes_its_parameters(legacy, name) -> None:
    from cyto.core.placement import Placement
    from cyto.engine.tasks import load_node

    stage, channels, args = STEPS[name]
    step = f"{{name: {name}, channels: {channels}, args: {args or 'null'}"
    if stage == "postprocessing":
        step += ", output_channel_name: [R]"
    elif channels == "[[A, B]]":
        step += ", output_channel_name: R"
    tables = TABLES if stage in {"tracking", "postprocessing"} else ""
    config = legacy(f"{HEAD}pipeline:\n{tables}  {stage}:\n    - {step}}}\n")
    node = list(config.tasks)[-1]
    assert config.tasks[node].module == KINDS[name].task
    assert config.tasks[node].tags == (stage, name)
    assert config.tasks[node].output is False
    loaded, problems, _ = load_node(config, node, Placement())
    assert problems == []
    assert set(config.tasks[node].inputs) <= {*loaded.inputs, "A", "B"}
    for key in KINDS[name].makes.values():
        assert key in loaded.outputs


def test_old_defaults_are_written_out(legacy) -> None:
    step = "{name: CellPose, channels: [A], input_type: image, args: null, output_type: label}"
    config = legacy(f"{HEAD}pipeline:\n  segmentation:\n    - {step}\n")
    assert config.tasks["A_CellPose"].params == {
        "model_type": "cyto", "cellprob_thresh": -3, "gpu": True, "channels": [0, 0],
        "batch_size": 16, "diameter": 16.18, "flow_threshold": 0, "download": True,
    }  # fmt: skip


def test_relative_paths_are_relative_to_the_current_folder(legacy, tmp_path) -> None:
    config = legacy(
        f"{HEAD}pipeline:\n  preprocessing:\n    - {{name: GammaCorrection, channels: all}}\n"
    )
    assert config.file == tmp_path / "sub" / "old.yaml"
    assert config.channel_path("A") == tmp_path / "a.tif"
    assert config.output_dir == tmp_path / "out"


def test_steps_read_what_earlier_ones_made(legacy) -> None:
    config = legacy(f"""{HEAD}pipeline:
  preprocessing:
    - {{name: ChannelMerge, channels: [[B, A]], output_channel_name: M}}
    - {{name: GammaCorrection, channels: all}}
    - {{name: GammaCorrection, channels: [M]}}
  segmentation:
    - {{name: ImageToLabel, channels: [M]}}
    - {{name: ImageToLabel, channels: [M], input_type: label}}
  label_to_sparse: {{image_label_pair: [[A, M], [B, M]]}}
  tracking:
    - {{name: TrackMate, channels: all}}
  postprocessing:
    - {{name: CrossTableOperation, channels: [[A, B]], args: {{column: mean, operation: divide}},
        output_channel_name: [A]}}
    - {{name: FeatureFilter, channels: [A], args: {{column: size, operation: "<", value: 9}},
        output_channel_name: [C]}}
""")
    inputs = {name: task.inputs for name, task in config.tasks.items()}
    assert list(inputs["M_ChannelMerge"].items()) == [("B", "B"), ("A", "A")]
    assert inputs == {
        "M_ChannelMerge": {"B": "B", "A": "A"},
        "A_GammaCorrection": {"image": "A"},
        "B_GammaCorrection": {"image": "B"},
        "M_GammaCorrection": {"image": "M_ChannelMerge.image"},
        "M_GammaCorrection_2": {"image": "M_GammaCorrection.image"},
        "M_ImageToLabel": {"image": "M_GammaCorrection_2.image"},
        "M_ImageToLabel_2": {"image": "M_ImageToLabel.label"},
        "A_table": {"label": "M_ImageToLabel_2.label", "image": "A_GammaCorrection.image"},
        "B_table": {"label": "M_ImageToLabel_2.label", "image": "B_GammaCorrection.image"},
        "A_TrackMate": {"dataframe": "A_table.dataframe", "image": "A_GammaCorrection.image"},
        "B_TrackMate": {"dataframe": "B_table.dataframe", "image": "B_GammaCorrection.image"},
        "A_CrossTableOperation": {
            "dataframe": "A_TrackMate.dataframe", "other": "B_TrackMate.dataframe",
        },
        "C_FeatureFilter": {"dataframe": "A_CrossTableOperation.dataframe"},
    }  # fmt: skip


def test_files_are_where_the_old_program_put_them(legacy) -> None:
    config = legacy(f"""{HEAD}pipeline:
  preprocessing:
    - {{name: GammaCorrection, channels: [A], output: True}}
    - {{name: GammaCorrection, channels: [A], output: True}}
    - {{name: ChannelMerge, channels: [[A, B]], output_channel_name: M, output: yes}}
{TABLES}
  tracking:
    - {{name: TrackMate, channels: [A], args: {{FIJI_DIR: x}}, output: True}}
    - {{name: TrackMate, channels: [B], output: True}}
  postprocessing:
    - {{name: CellTriangulation, channels: [A], output_type: [network], output_channel_name: [N],
        output: True}}
    - {{name: KernelDensityEstimation, channels: [A], args: {{gradient: True}},
        output_channel_name: [D], output: True}}
""")
    files = {n: t.output.files for n, t in config.tasks.items() if not isinstance(t.output, bool)}
    assert files == {
        "A_GammaCorrection_2": {"image": "preprocessing/GammaCorrection/A.tif"},
        "M_ChannelMerge": {"image": "preprocessing/ChannelMerge/M.tif"},
        "B_table": {"dataframe": "tracking/B.csv"},
        "A_TrackMate": {"dataframe": "tracking/A.csv", "xml": "tracking/A.xml"},
        "N_CellTriangulation": {"network": "postprocessing/CellTriangulation/N_{frame}.adjlist"},
        "D_KernelDensityEstimation": {"gradient": "postprocessing/KernelDensityEstimation/D.tif"},
    }
    said = [note.message for note in config.warnings]
    assert sum("that file holds the result of this step alone" in text for text in said) == 1
    assert sum("does not run" in text for text in said) == 1


def test_what_a_second_tracking_step_would_make_is_not_used(legacy) -> None:
    config = legacy(f"""{HEAD}pipeline:
{TABLES}
  tracking:
    - {{name: TrackMate, channels: [A]}}
    - {{name: TrackMate, channels: [B]}}
  postprocessing:
    - {{name: CellTriangulation, channels: [A, B], output_channel_name: [M, N]}}
""")
    inputs = {name: task.inputs for name, task in config.tasks.items()}
    assert inputs["M_CellTriangulation"]["dataframe"] == "A_TrackMate.dataframe"
    assert inputs["N_CellTriangulation"]["dataframe"] == "B_table.dataframe"
    assert "B_TrackMate" not in inputs


@pytest.mark.parametrize(
    ("ranges", "channel"),
    [
        ("{x: [0, null, 1], y: [0, -1, 1], t: [0, null, 1]}", {"path": "a.tif"}),
        ("null", {"path": "a.tif"}),
        ("{t: [2, -1]}", {"path": "a.tif", "frames": (2, None, 1)}),
        ("{t: [null, 50, 3]}", {"path": "a.tif", "frames": (0, 50, 3), "clip": True}),
        ("{x: [4, 9]}", {"path": "a.tif", "crop": {"y": None, "x": (4, 9)}, "clip": True}),
        ("{y: [4, null]}", {"path": "a.tif", "crop": {"y": (4, None), "x": None}}),
    ],
)
def test_image_range(legacy, tmp_path, ranges, channel) -> None:
    config = legacy(
        f"{HEAD}image_range: {ranges}\npipeline:\n  preprocessing:\n"
        "    - {name: GammaCorrection, channels: [A]}\n"
    )
    given = config.channels["A"].model_dump(exclude_defaults=True)
    if "crop" in channel:
        given["crop"] = config.channels["A"].crop.model_dump()
    assert given == {**channel, "path": str(tmp_path / "a.tif")}
    cuts = [note for note in config.warnings if "cut what their names say" in note.message]
    assert len(cuts) == (len(channel) > 1)


def test_every_nth_pixel(legacy) -> None:
    config = legacy(
        f"{HEAD}spacing: [0.5, 0.5]\nimage_range: {{x: [0, null, 2], y: [0, null, 3]}}\n"
        f"pipeline:\n{TABLES}"
    )
    assert config.tasks["A_subsampled"].params == {"step_y": 3, "step_x": 2}
    assert config.tasks["A_ImageToLabel"].inputs == {"image": "A_subsampled.image"}
    assert config.tasks["A_table"].params["spacing"] == [1.0, 1.5]


def test_spacing_is_the_calibration(legacy) -> None:
    text = f"pipeline:\n{TABLES}"
    config = legacy(f"{HEAD}spacing: [0.5, 0.5]\n{text}")
    assert config.model.pixel_size_um == 0.5
    assert config.tasks["A_table"].params == {"channel": "A", "spacing": [0.5, 0.5]}
    config = legacy(f"{HEAD}spacing: [0.5, 0.25]\n{text}")
    assert config.model.pixel_size_um is None
    assert config.tasks["A_table"].params["spacing"] == [0.5, 0.25]
    assert "spacing" not in legacy(HEAD + text).tasks["A_table"].params
    tracking = f"{text}  tracking: [{{name: TrackMate, channels: all}}]\n"
    for head, spacing in ((HEAD, None), (f"{HEAD}spacing: [0.5, 0.25]\n", [0.5, 0.25])):
        assert legacy(head + tracking).tasks["A_TrackMate"].params.get("spacing") == spacing


def test_wavelengths_are_names(legacy) -> None:
    config = legacy(
        "channels: {488: a.tif, 561: b.tif}\npipeline:\n  preprocessing:\n"
        "    - {name: ChannelMerge, channels: [[488, 561]], output_channel_name: 1}\n"
        "    - {name: GammaCorrection, channels: [488]}\n"
        "  segmentation:\n    - {name: CellPose, channels: [1], args: {channels: [0, 0]}}\n"
        "  label_to_sparse: {image_label_pair: [[488, 1]]}\n"
    )
    merge = next(task for name, task in config.tasks.items() if "ChannelMerge" in name)
    assert list(merge.inputs) == ["488", "561"]
    cellpose = next(task for name, task in config.tasks.items() if "CellPose" in name)
    assert cellpose.params["channels"] == [0, 0]


def test_names_that_the_present_format_does_not_take(legacy) -> None:
    config = legacy(
        "channels: {T cell: a.tif, T_cell: b.tif, default: a.tif, 'grün+rot': b.tif}\npipeline:\n"
        "  preprocessing:\n    - {name: GammaCorrection, channels: all, output: True}\n"
    )
    assert list(config.channels) == ["T_cell", "T_cell_2", "default_2", "gr_n_rot"]
    files = [task.output.files["image"] for task in config.tasks.values()]
    assert files[0] == "preprocessing/GammaCorrection/T cell.tif"
    assert files[3] == "preprocessing/GammaCorrection/grün+rot.tif"


def test_a_model_beside_the_caller_is_found(legacy, tmp_path) -> None:
    (tmp_path / "mine").mkdir()
    step = "{name: StarDist, channels: [A], args: {model_name: mine}}"
    config = legacy(f"{HEAD}pipeline:\n  segmentation:\n    - {step}\n")
    assert config.tasks["A_StarDist"].params["model_name"] == str(tmp_path / "mine")


def test_each_thing_is_said_once(legacy) -> None:
    config = legacy(f"""{HEAD}fiji_dir: /x
pipeline:
{TABLES}
  tracking:
    - {{name: TrackMate, channels: [A, B]}}
  postprocessing:
    - {{name: KernelDensityEstimation, channels: [A, B], args: {{base_image: True}},
        output_channel_name: [C, D]}}
    - {{name: KernelDensityEstimation, channels: [A], args: {{base_image: True}},
        output_channel_name: [E]}}
""")
    said = [note.message for note in config.warnings]
    assert len(said) == len(set(said)) == 4
    assert "Fiji is not needed" in said[1]
    assert config.warnings[1].path == "step 1 of tracking (TrackMate)"
    place = config.warnings[3]
    assert (place.path, place.line) == (
        "step 1 of postprocessing (KernelDensityEstimation): args.base_image", 14,
    )  # fmt: skip


def test_set_changes_the_nodes(legacy, tmp_path) -> None:
    legacy(f"{HEAD}pipeline:\n{TABLES}")
    path = tmp_path / "sub" / "old.yaml"
    config = load_pipeline(path, ["tasks.A_table.params.channel=Z", "channels.A=b.tif"])
    assert config.tasks["A_table"].params["channel"] == "Z"
    assert config.channel_path("A") == tmp_path / "b.tif"
    with pytest.raises(ConfigError, match="there is no task 'A_tabel'"):
        load_pipeline(path, ["tasks.A_tabel.params.channel=Z"])


PRE = HEAD + "pipeline:\n  preprocessing:\n    - "
POST = HEAD + "pipeline:\n" + TABLES + "  postprocessing:\n    - "
BAD: dict[str, tuple[str, str, str, str]] = {
    "an unknown step": (
        PRE + "{name: ¦GamaCorrection, channels: [A]}",
        "step 1 of preprocessing (GamaCorrection): name", "there is no step 'GamaCorrection'",
        "did you mean 'GammaCorrection'?",
    ),
    "a step of another stage": (
        PRE + "{name: ¦CellPose, channels: [A]}",
        "step 1 of preprocessing (CellPose): name", "no step of preprocessing", "segmentation",
    ),
    "an unknown parameter": (
        PRE + "{name: GammaCorrection, channels: [A], args: {¦gama: 1}}",
        "step 1 of preprocessing (GammaCorrection): args.gama", "has no parameter 'gama'",
        "did you mean 'gamma'?",
    ),
    "an unknown key": (
        PRE + "{name: GammaCorrection, channels: [A], ¦argz: {}}",
        "step 1 of preprocessing (GammaCorrection): argz", "unknown key 'argz'", "'args'",
    ),
    "an unknown stage": (
        HEAD + "pipeline:\n  preprocessing: [{name: GammaCorrection, channels: [A]}]\n"
        "  ¦segmentatoin: null",
        "pipeline.segmentatoin", "unknown key", "did you mean 'segmentation'?",
    ),
    "an unknown key at the top": (
        HEAD + "¦chanels: 1\npipeline:\n  preprocessing: [{name: GammaCorrection, channels: [A]}]",
        "chanels", "unknown key", "did you mean 'channels'?",
    ),
    "an unknown channel": (
        PRE + "{name: GammaCorrection, channels: [A, ¦Bb]}",
        "step 1 of preprocessing (GammaCorrection): channels.1", "there is no channel 'Bb'",
        "did you mean 'B'?",
    ),
    "an unknown channel in a list": (
        PRE + "{name: ChannelMerge, channels: [[A, ¦Bb]], output_channel_name: M}",
        "step 1 of preprocessing (ChannelMerge): channels.0.1", "there is no channel 'Bb'", "",
    ),
    "no label of a channel": (
        HEAD + "pipeline:\n  label_to_sparse: {image_label_pair: [[A, ¦A]]}",
        "pair 1 of label_to_sparse", "there is no label of 'A'", "there is none yet",
    ),
    "no table of a channel": (
        HEAD + "pipeline:\n  tracking:\n    - {name: TrackMate, channels: [¦A]}",
        "step 1 of tracking (TrackMate): channels.0", "there is no table of 'A'",
        "label_to_sparse makes tables",
    ),
    "all of nothing": (
        HEAD + "pipeline:\n  tracking:\n    - {name: TrackMate, channels: ¦all}",
        "step 1 of tracking (TrackMate): channels", "there is no table yet to take all of", "",
    ),
    "a name for channels": (
        PRE + "{name: GammaCorrection, channels: ¦A}",
        "step 1 of preprocessing (GammaCorrection): channels",
        "'A' is neither all nor a list of channels", "write [A]",
    ),
    "a list where one is taken": (
        PRE + "{name: GammaCorrection, channels: [¦[A, B]], output_channel_name: M}",
        "step 1 of preprocessing (GammaCorrection): channels.0", "takes one channel at a time",
        "write channels: [A, B]",
    ),
    "one where a list is taken": (
        PRE + "{name: ChannelMerge, channels: [¦A]}",
        "step 1 of preprocessing (ChannelMerge): channels.0", "takes several channels together",
        "[[A, B]]",
    ),
    "three of two": (
        PRE + "{name: CrossChannelCorrelation, channels: [¦[A, B, A]], output_channel_name: M}",
        "step 1 of preprocessing (CrossChannelCorrelation): channels.0",
        "takes two channels together, not [A, B, A]", "",
    ),
    "no name for a merged image": (
        PRE + "{name: ChannelMerge, channels: [¦[A, B]]}",
        "step 1 of preprocessing (ChannelMerge): channels.0", "output_channel_name is missing", "",
    ),
    "too few names": (
        POST + "{name: CellTriangulation, channels: [A, B], output_channel_name: ¦[N]}",
        "step 1 of postprocessing (CellTriangulation): output_channel_name",
        "has 1 names, and there are 2 entries", "",
    ),
    "an output that it does not make": (
        POST + "{name: FeatureFilter, channels: [A], output_type: ¦[image], "
        "args: {column: size, operation: '<', value: 1}, output_channel_name: [N]}",
        "step 1 of postprocessing (FeatureFilter): output_type", "makes feature, not 'image'", "",
    ),
    "an input that is not asked for": (
        POST + "{name: KernelDensityEstimation, channels: [A], input_type: ¦[feature], "
        "output_channel_name: [N]}",
        "step 1 of postprocessing (KernelDensityEstimation): input_type",
        "needs feature and image", "",
    ),
    "a parameter that is missing": (
        POST + "{name: FeatureFilter, channels: [A], ¦args: {column: size, operation: '<'}, "
        "output_channel_name: [N]}",
        "step 1 of postprocessing (FeatureFilter): args", "needs the parameter 'value'", "",
    ),
    "a range that is empty": (
        HEAD + "image_range: {t: ¦[5, 5]}\npipeline:\n"
        "  preprocessing: [{name: GammaCorrection, channels: [A]}]",
        "image_range.t", "nothing lies between 5 and 5", "",
    ),
    "a range that counts from the end": (
        HEAD + "image_range: {t: ¦[0, -3]}\npipeline:\n"
        "  preprocessing: [{name: GammaCorrection, channels: [A]}]",
        "image_range.t", "expected numbers from 0", "-1 as stop mean",
    ),
    "a channel without a path": (
        "channels: {A: ¦null}\npipeline: {preprocessing: [{name: GammaCorrection, channels: [A]}]}",
        "channels.A", "expected the path of images", "",
    ),
    "a name that leaves the folder": (
        PRE + "{name: ChannelMerge, channels: [[A, B]], output_channel_name: ¦../M}",
        "step 1 of preprocessing (ChannelMerge): output_channel_name", "cannot name a file", "",
    ),
    "a channel that is not there and no step": (
        "channels: {A: ¦nothing.tif}\npipeline:\n  preprocessing: []",
        "channels.A", "nothing is at", "",
    ),
    "a list of stages": (
        HEAD + "pipeline: ¦[a]", "pipeline", "expected a mapping", "",
    ),
}  # fmt: skip


@pytest.mark.parametrize("name", BAD)
def test_each_mistake_has_its_place_step_and_words(legacy, tmp_path, name) -> None:
    text, path, message, hint = BAD[name]
    before = text.partition("¦")[0]
    line = before.count("\n") + 1
    column = len(before) - before.rfind("\n")
    found = wrong(legacy, text.replace("¦", ""))
    mine = [p for p in found if message in p.message]
    assert len(mine) == 1, [str(p) for p in found]
    assert (mine[0].line, mine[0].column, mine[0].path) == (line, column, path)
    assert mine[0].file == str(tmp_path / "sub" / "old.yaml")
    assert hint in mine[0].hint
    allowed = 2 if name in {"a channel that is not there and no step", "a list of stages"} else 1
    assert len(found) <= allowed, [str(p) for p in found]


def test_all_mistakes_are_said_at_once_and_none_that_only_follows(legacy) -> None:
    problems = wrong(legacy, f"""{HEAD}image_range: {{t: [0, -7]}}
pipeline:
  preprocessing:
    - {{name: Merge, channels: [[A, B]], output_channel_name: M}}
    - {{name: GammaCorrection, channels: [M, C]}}
  segmentation:
    - {{name: Cellpose, channels: [M], args: {{anything: 1}}}}
  label_to_sparse: {{image_label_pair: [[M, M], [A, M]]}}
  tracking:
    - {{name: TrackMate, channels: [A, M], args: {{max_gap: 3}}}}
""")  # fmt: skip
    assert [(p.line, p.path) for p in problems] == [
        (5, "image_range.t"),
        (8, "step 1 of preprocessing (Merge): name"),
        (9, "step 2 of preprocessing (GammaCorrection): channels.1"),
        (11, "step 1 of segmentation (Cellpose): name"),
        (14, "step 1 of tracking (TrackMate): args.max_gap"),
    ]
    assert "'CellPose'" in problems[3].hint


@pytest.mark.parametrize("file", sorted(PIPELINES.glob("*.yaml")), ids=lambda file: file.stem)
def test_the_shipped_ones_say_what_they_mean(file: Path, tmp_path, monkeypatch) -> None:
    """Every step kind has its pipeline; profiles by stage address its nodes."""
    config = load_pipeline(file)
    stages = {task.tags[0] for task in config.tasks.values()}
    resources = tmp_path / "resources.yaml"
    entries = "".join(f"    tag:{stage}: {{resources: {{cpus: 2}}}}\n" for stage in stages)
    resources.write_text(f"execution_configs:\n  mine:\n{entries}", encoding="utf-8")
    found, warnings = placements(config, resources_for(file, resources), "mine")
    assert {placement.resources.cpus for placement in found.values()} == {2}
    assert warnings == []


def test_there_is_a_pipeline_for_every_kind() -> None:
    modules: set[Any] = set()
    for file in PIPELINES.glob("*.yaml"):
        modules |= {task.module for task in load_pipeline(file).tasks.values()}
    assert {kind.task for kind in KINDS.values()} <= modules
