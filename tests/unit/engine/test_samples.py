"""Pipelines that run once per sample: planned, run, and what one bad sample does."""

from __future__ import annotations

import json

import numpy as np
import pandas as pd
import pytest

from cyto.core.layout import RunLayout
from cyto.engine.checks import check_plan
from cyto.engine.manager import TaskManager
from cyto.engine.planning import make_plan
from cyto.engine.record import read_events
from cyto.errors import ConfigError

TASKS = '''
import numpy as np, pandas as pd
from pathlib import Path
from cyto.task import Param, PipelineTask, Port

def note(name):
    with open(Path(__file__).with_suffix(".ran"), "a") as file:
        file.write(f"{name}\\n")

class Rows(PipelineTask):
    """One row per pixel above 0."""
    inputs = {"image": Port("image", "a movie")}
    outputs = {"dataframe": Port("dataframe", "rows", columns=("track_id", "value")),
               "image": Port("image", "the movie")}
    def run_baremetal(self, data):
        note("rows")
        values = np.asarray(data["image"])[0].ravel()
        if (values == 99).any():
            raise RuntimeError("this movie is cursed")
        values = values[values > 0].astype("int64")
        table = pd.DataFrame({"track_id": np.arange(len(values)), "value": values})
        return {"dataframe": table, "image": data["image"]}

class Sum(PipelineTask):
    """Sum a table by a column."""
    by: str = Param("treatment")
    inputs = {"dataframe": Port("dataframe", "rows")}
    more_inputs = Port("dataframe", "more rows")
    outputs = {"dataframe": Port("dataframe", "sums"), "rows": Port("dataframe", "as given")}
    def run_baremetal(self, data):
        note("sum")
        table = data["dataframe"]
        sums = table.groupby(self.by, as_index=False)["value"].sum()
        return {"dataframe": sums, "rows": table}

class Share(PipelineTask):
    """Divide a sample's values by a sum over all samples."""
    inputs = {"dataframe": Port("dataframe", "rows"), "sums": Port("dataframe", "sums")}
    outputs = {"value": Port("value", "the share")}
    def run_baremetal(self, data):
        note("share")
        return {"value": float(data["dataframe"]["value"].sum() / data["sums"]["value"].sum())}

class Plain:
    """An older class: declares nothing."""
    def __call__(self, data):
        return {"dataframe": pd.DataFrame({"treatment": [1]}), "n": 1}
'''
PIPELINE = """
samples: samples.csv
frame_interval_s: 60
channels: {movie: "data/{sample}.npy.tif", dark: dark.tif}
tasks:
  rows: {module: MODULE.Rows, inputs: {image: movie}, output: true}
  dark_rows: {module: MODULE.Rows, inputs: {image: dark}}
  total: {module: MODULE.Sum, inputs: {dataframe: rows}, collect: true, output: true}
  share: {module: MODULE.Share, inputs: {dataframe: rows, sums: total.dataframe}, output: true}
"""
NAMES = ["a", "b", "c", "d"]


@pytest.fixture
def lab(project):
    """Give a project with four samples; the values of sample *i* are 1 to *i*."""
    import tifffile

    project.tasks(TASKS)
    (project / "data").mkdir()

    def movie(name, values):
        frame = np.zeros((1, 4, 4), np.uint16)
        frame[0].ravel()[: len(values)] = values
        tifffile.imwrite(project / name, frame, metadata={"axes": "TYX"})

    for number, name in enumerate(NAMES, 1):
        movie(f"data/{name}.npy.tif", range(1, number + 1))
    movie("dark.tif", [1])
    project.write("sample,treatment,dose\na,x,1\nb,x,2\nc,y,1\nd,y,2\n", "samples.csv")
    project.write(PIPELINE)

    def ran():
        path = (project / project.module).with_suffix(".ran")
        return path.read_text().split() if path.exists() else []

    project.movie, project.ran = movie, ran
    return project


@pytest.fixture
def run(lab, nothing_left):
    def run(text=None, *, fail_fast=False, listeners=(), **kwargs):
        plan = make_plan(lab.write(text) if text else lab.pipeline, **kwargs)
        check_plan(plan)
        report = TaskManager(plan, fail_fast=fail_fast, listeners=listeners).run()
        nothing_left()
        return report

    return run


def outcomes(report):
    return {name: node.outcome.value for name, node in report.nodes.items()}


def exported(lab, name):
    return pd.read_csv(lab / "output" / name)


def refused(lab, text=None, **kwargs):
    with pytest.raises(ConfigError) as caught:
        make_plan(lab.write(text) if text else lab.pipeline, **kwargs)
    return caught.value.problems


def test_a_node_runs_once_per_sample_where_it_reads_what_differs(lab):
    plan = make_plan(lab.pipeline)
    each = [f"{s}/{n}" for n in ("rows", "share") for s in NAMES]
    assert set(plan.nodes) == {*each, "dark_rows", "total"}
    assert list(plan.samples) == NAMES
    assert plan.samples["c"] == {"treatment": "y", "dose": 1}
    assert set(plan.channels) == {*(f"{s}/movie" for s in NAMES), "dark"}
    assert {k: str(s) for k, s in plan.nodes["b/share"].inputs.items()} == {
        "dataframe": "b/rows.dataframe",
        "sums": "total.dataframe",
    }
    total = plan.nodes["total"]
    assert total.dependencies == total.soft == tuple(f"{s}/rows" for s in NAMES)
    assert str(total.inputs["dataframe"]) == "rows.dataframe of 4 samples"
    assert plan.nodes["b/share"].dependencies == ("b/rows", "total")
    assert plan.nodes["b/share"].soft == ()
    order = list(plan.nodes)
    assert all(order.index(b) < order.index(n) for n in order for b in plan.nodes[n].dependencies)


@pytest.mark.parametrize(
    ("choice", "nodes"),
    [
        ({"only": ["rows"]}, {f"{s}/rows" for s in NAMES}),
        ({"only": ["b/rows"]}, {"b/rows"}),
        ({"only": ["b/rows", "dark_rows"]}, {"b/rows", "dark_rows"}),
        ({"only": ["b/share"]}, {*(f"{s}/rows" for s in NAMES), "total", "b/share"}),
        ({"sample": ["c", "a"], "only": ["total"]}, {"a/rows", "c/rows", "total"}),
        ({"sample": ["c"]}, {"c/rows", "c/share", "total", "dark_rows"}),
    ],
)
def test_what_is_chosen(lab, choice, nodes):
    assert set(make_plan(lab.pipeline, **choice).nodes) == nodes


@pytest.mark.parametrize(
    ("choice", "message", "hint"),
    [
        ({"only": ["rosw"]}, "there is no node 'rosw'", "did you mean 'rows'?"),
        ({"only": ["e/rows"]}, "there is no sample 'e'", "known samples: a, b, c, d"),
        ({"only": ["a/total"]}, "'total' runs once, not for each sample", "--only total"),
        ({"sample": ["e"]}, "there is no sample 'e'", "known samples"),
    ],
)
def test_a_choice_of_nothing(lab, choice, message, hint):
    (problem,) = refused(lab, **choice)
    assert problem.file == f"--{next(iter(choice))}"
    assert message in problem.message
    assert hint in problem.hint


def test_a_sample_where_there_are_none(lab):
    text = "channels: {m: dark.tif}\ntasks: {rows: {module: MODULE.Rows}}"
    (problem,) = refused(lab, text, sample=["a"])
    assert "the pipeline has no samples" in problem.message
    (problem,) = refused(lab, text, only=["a/rows"])
    assert "there is no sample 'a'" in problem.message


COLLECTED = [
    # the node that collects, key path, words of the message
    ("{module: MODULE.Rows, inputs: {image: rows.image}, collect: true}", "inputs.image",
     "rows.image is of kind image, and only tables"),
    ("{module: MODULE.Rows, inputs: {image: movie}, collect: true}", "inputs.image",
     "the channel 'movie' differs between samples, and only tables"),
]  # fmt: skip


@pytest.mark.parametrize(("node", "path", "message"), COLLECTED)
def test_what_cannot_be_collected(lab, node, path, message):
    (problem,) = refused(lab, PIPELINE + f"  all: {node}\n")
    assert problem.path == f"tasks.all.{path}"
    assert message in problem.message


def test_a_condition_with_the_name_of_a_declared_column(lab):
    lab.write("sample,value\na,1\n", "samples.csv")
    (problem,) = refused(lab)
    assert problem.path == "tasks.total.inputs.dataframe"
    assert "has a column 'value' already" in problem.message


def test_profiles_and_set_address_plain_names(lab):
    lab.write(
        "execution_configs: {local: {rows: {type: baremetal, resources: {cpus: 2}}}}",
        "pipeline-resources.x.yaml",
    )
    plan = make_plan(lab.pipeline, profile="local", overrides=["tasks.total.params.by=dose"])
    assert {plan.nodes[f"{s}/rows"].placement.resources.cpus for s in NAMES} == {2}
    assert plan.nodes["total"].placement.resources.cpus is None
    assert plan.nodes["total"].params["by"] == "dose"


def test_results(lab, run):
    report = run()
    assert set(outcomes(report).values()) == {"succeeded"}
    assert report.exit_code == 0
    rows = exported(lab, "total/rows.csv")
    assert list(rows.columns) == ["sample", "treatment", "dose", "track_id", "value"]
    assert rows["sample"].tolist() == list("abbcccdddd"), "in the order of the samples"
    assert rows["track_id"].tolist() == [0, 0, 1, 0, 1, 2, 0, 1, 2, 3], "as each sample has them"
    assert rows["dose"].tolist() == [1, 2, 2, 1, 1, 1, 2, 2, 2, 2]
    sums = exported(lab, "total/dataframe.csv").set_index("treatment")["value"]
    assert sums.to_dict() == {"x": 1 + 3, "y": 6 + 10}
    for number, name in enumerate(NAMES, 1):
        assert len(exported(lab, f"{name}/rows/dataframe.csv")) == number
        share = json.loads((lab / f"output/{name}/share/value.json").read_text())
        assert share == pytest.approx(number * (number + 1) / 2 / 20)
        assert (lab / f"output/logs/{name}/rows.log").exists()
    assert lab.ran().count("sum") == 1


def test_a_second_run_does_nothing_and_a_new_condition_joins_again(lab, run):
    run()
    ran = lab.ran()
    assert set(outcomes(run()).values()) == {"cached"}
    assert lab.ran() == ran
    lab.write("sample,treatment,dose\na,x,1\nb,z,2\nc,y,1\nd,y,2\n", "samples.csv")
    found = outcomes(run(only=["total"]))
    assert found.pop("total") == "succeeded"
    assert set(found.values()) == {"cached"}
    assert exported(lab, "total/dataframe.csv")["treatment"].tolist() == ["x", "y", "z"]


def test_a_renamed_sample_is_not_computed_again(lab, run):
    run(only=["rows"])
    (lab / "data/a.npy.tif").rename(lab / "data/q.npy.tif")
    lab.write("sample,treatment,dose\nq,x,1\n", "samples.csv")
    assert outcomes(run(only=["rows"])) == {"q/rows": "cached"}


def test_a_missing_image_fails_alone(lab, run):
    (lab / "data/b.npy.tif").unlink()
    plan = make_plan(lab.pipeline)
    fault = plan.faults["b/movie"]
    assert fault.line == 4
    assert fault.path == "channels.movie"
    assert "sample 'b': no such file" in fault.message
    assert "the sample is in samples.csv:3" in fault.hint
    report = run()
    assert report.exit_code == 1
    found = outcomes(report)
    assert found.pop("b/rows") == "failed"
    assert found.pop("b/share") == "skipped"
    assert set(found.values()) == {"succeeded"}
    assert "sample 'b': no such file" in report.nodes["b/rows"].message
    assert report.nodes["total"].message == "without 1 of 4 samples: b"
    assert exported(lab, "total/rows.csv")["sample"].unique().tolist() == ["a", "c", "d"]


@pytest.mark.parametrize("kind", ["text", "cut"])
def test_an_unreadable_image_fails_alone(lab, run, kind):
    path = lab / "data/b.npy.tif"
    path.write_bytes(b"no image" if kind == "text" else path.read_bytes()[:-20])
    report = run()
    assert report.exit_code == 1
    assert report.nodes["b/rows"].outcome.value == "failed"
    assert report.nodes["d/share"].outcome.value == "succeeded"


def test_a_node_that_fails_fails_its_sample_alone(lab, run):
    lab.movie("data/c.npy.tif", [99])
    events = []
    report = run(listeners=(events.append,))
    found = outcomes(report)
    assert (found.pop("c/rows"), found.pop("c/share")) == ("failed", "skipped")
    assert set(found.values()) == {"succeeded"}
    assert report.exit_code == 1
    ended = {e["node"]: e for e in events if e["event"] == "node_finished"}
    assert ended["total"]["lacking"] == ["c"]
    assert ended["total"]["message"] == "without 1 of 4 samples: c"
    layout = RunLayout(lab / "output", report.run_id)
    started = next(iter(read_events(layout.record)))
    assert started["samples"]["a"] == {"treatment": "x", "dose": 1}
    # mended, the sample is added
    lab.movie("data/c.npy.tif", [5])
    report = run()
    assert report.exit_code == 0
    assert outcomes(report)["total"] == "succeeded"
    assert outcomes(report)["a/rows"] == "cached"
    assert report.nodes["total"].message == ""
    assert len(exported(lab, "total/rows.csv")) == 8


def test_all_samples_with_faults_are_an_error_before_anything_runs(lab):
    for name in NAMES:
        (lab / f"data/{name}.npy.tif").unlink()
    problems = refused(lab)
    assert len(problems) == 4
    assert all(p.path == "channels.movie" for p in problems)
    assert refused(lab, sample=["a"])[0].message.startswith("sample 'a': ")


def test_a_shared_image_that_is_missing_is_an_error(lab):
    (lab / "dark.tif").unlink()
    (problem,) = refused(lab)
    assert problem.path == "channels.dark"


def test_a_very_long_list_of_faults_is_cut(lab):
    lab.write("sample\n" + "".join(f"s{i}\n" for i in range(500)), "samples.csv")
    problems = refused(lab)
    assert len(problems) == 21
    assert "480 more channels" in problems[-1].message


def test_without_any_sample_left_nothing_is_collected(lab, run):
    for name in NAMES:
        lab.movie(f"data/{name}.npy.tif", [99])
    report = run()
    assert report.nodes["total"].outcome.value == "skipped"
    assert "no sample has all that it collects, such as rows" in report.nodes["total"].message
    assert report.nodes["a/share"].outcome.value == "skipped"


def test_a_sample_is_in_all_collected_inputs_or_in_none(lab, run):
    text = PIPELINE[: PIPELINE.index("  dark_rows")]
    text = text.replace("movie:", "other: 'more/{sample}.tif', movie:", 1)
    text += """
  extra: {module: MODULE.Rows, inputs: {image: other}}
  total: {module: MODULE.Sum, inputs: {dataframe: rows, more: extra}, collect: true, output: true}
"""
    (lab / "more").mkdir()
    for name in "abc":
        lab.movie(f"more/{name}.tif", [1])
    report = run(text)
    assert report.nodes["d/rows"].outcome.value == "succeeded"
    assert report.nodes["total"].message == "without 1 of 4 samples: d"
    assert exported(lab, "total/rows.csv")["sample"].unique().tolist() == ["a", "b", "c"]


def test_fail_fast_stops_all(lab, run):
    lab.movie("data/a.npy.tif", [99])
    report = run(fail_fast=True)
    assert report.exit_code == 1
    assert report.nodes["total"].outcome.value == "cancelled"


def test_samples_whose_frames_take_different_times_are_not_joined(lab, run):
    import tifffile

    for name, interval in (("a", 60.0), ("b", 30.0)):
        meta = {"axes": "TYX", "TimeIncrement": interval, "TimeIncrementUnit": "s"}
        path = lab / f"data/{name}.ome.tif"
        tifffile.imwrite(
            path, np.ones((2, 4, 4), np.uint16), photometric="minisblack", ome=True, metadata=meta
        )
    lab.write("sample,treatment\na,x\nb,x\n", "samples.csv")
    text = PIPELINE.replace("npy.tif", "ome.tif").replace("frame_interval_s: 60\n", "")
    report = run(text, only=["total"])
    assert report.nodes["total"].outcome.value == "failed"
    message = report.nodes["total"].message
    assert "the samples differ in frame_interval_s: 60 s: a; 30 s: b" in message


def test_a_column_of_a_plain_class_with_the_name_of_a_condition(lab, run):
    text = PIPELINE + "  old: {module: MODULE.Plain, inputs: {image: movie}}\n"
    text += "  all: {module: MODULE.Sum, inputs: {dataframe: old}, collect: true}\n"
    report = run(text, only=["all"])
    assert report.nodes["all"].outcome.value == "failed"
    assert "has a column 'treatment' already" in report.nodes["all"].message
    text = text.replace("{dataframe: old}", "{dataframe: old.n}")
    report = run(text, only=["all"])
    assert "a/old.n is of kind value, and only tables" in report.nodes["all"].message


def test_scenes_of_one_file_as_samples(lab):
    """A placeholder's digits are the scene's number; what is refused here is the TIFF."""
    text = PIPELINE.replace(
        '"data/{sample}.npy.tif"', "{path: dark.tif, scene: '{dose}', channel: 'x{sample}'}"
    )
    problems = refused(lab, text, only=["rows"])
    assert "sample 'b': scene: 2 cannot be picked" in problems[1].message
    assert problems[1].path == "channels.movie.scene"


def test_names_like_globs_in_paths(lab):
    folder = lab / "odd [1]"
    folder.mkdir()
    lab.movie("odd [1]/movie1.tif", [1])
    text = PIPELINE.replace("samples.csv", "'odd*'").replace("data/{sample}.npy.tif", "{path}/m*")
    (problem,) = refused(lab, text)
    assert "'odd [1]' cannot name a sample" in problem.message
    lab.write(f"sample,path\nok,{folder}\n", "samples.csv")
    plan = make_plan(lab.write(PIPELINE.replace("data/{sample}.npy.tif", "{path}/m*")))
    assert plan.channels["ok/movie"].files == (str(folder / "movie1.tif"),)
