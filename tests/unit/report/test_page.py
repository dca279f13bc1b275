"""The report of runs that really ran."""

from __future__ import annotations

import pytest

from cyto.core.layout import RunLayout
from cyto.engine.manager import TaskManager
from cyto.engine.planning import make_plan
from cyto.engine.runs import find_run
from cyto.engine.view import read_view
from cyto.report.data import asked_command
from cyto.report.page import Page, write_report

TASKS = '''
import numpy as np
from cyto.task import Param, PipelineTask, Port

class Cut(PipelineTask):
    """Find what is bright."""
    level: int = Param(20)
    inputs = {"image": Port("image")}
    outputs = {"label": Port("label")}
    framewise = True
    def run_baremetal(self, data):
        print("<b>cutting</b>\\r 50 %\\r100 %", flush=True)
        return {"label": (data["image"] > self.level).astype("uint8")}

class Fail(PipelineTask):
    """Fail."""
    inputs = {"label": Port("label")}
    outputs = {"value": Port("value")}
    def run_baremetal(self, data):
        print("before the end", flush=True)
        raise RuntimeError("</script><b>no luck</b>")
'''
PIPELINE = {
    "channels": {"tcell": {"path": "t.tif", "pixel_size_um": 0.5, "frame_interval_s": 30}},
    "output_dir": "out put",
    "tasks": {
        "seg": {"module": "MODULE.Cut", "inputs": {"image": "tcell"}, "output": True},
        "bad": {"module": "MODULE.Fail", "inputs": {"label": "seg.label"}},
        "after": {"module": "MODULE.Fail", "inputs": {"label": "seg.label"},
                  "dependencies": ["bad"]},
    },
}  # fmt: skip


@pytest.fixture
def lab(project):
    project.tasks(TASKS)
    project.image("t.tif", (4, 8, 9))
    project.plan_of(PIPELINE)
    return project


def run(lab, **options):
    report = TaskManager(make_plan(lab.pipeline), **options).run()
    return RunLayout(report.output_dir, report.run_id)


def node_of(parts, name):
    index = next(
        key.partition(":")[2]
        for key, part in parts.items()
        if key.startswith("node:") and part["name"] == name
    )
    return parts[f"node:{index}"], parts[f"detail:{index}"]


def test_the_report_says_what_ran_and_how(lab, data_of):
    layout = run(lab)
    path = write_report(layout)
    assert path == lab / "out put" / "report.html"
    parts = data_of(path.read_text(encoding="utf-8"))
    assert (parts["run"]["state"], parts["run"]["title"]) == ("failed", "x")
    assert parts["run"]["machine"]["cpus"] >= 1
    seg, told = node_of(parts, "seg")
    assert (seg["state"], seg["task"], seg["begun"] is not None) == ("succeeded", "Cut", True)
    assert told["params"] == {"level": 20}
    assert told["inputs"][0]["path"] == str(lab / "t.tif")
    assert told["outputs"][0]["link"] == "./seg/label.ome.tif"
    assert "container_worker" in told["command"]
    assert told["log"]["text"] == "100 %\n"  # of a progress bar, the last state
    assert told["identity"].startswith("baremetal python")
    assert "numpy" in told["versions"]
    bad, why = node_of(parts, "bad")
    assert bad["message"].startswith("RuntimeError: </script><b>no luck</b>")
    assert "before the end" in why["log"]["text"]
    assert "RuntimeError" in why["traceback"]
    assert node_of(parts, "after")[0]["state"] == "skipped"
    (movie,) = parts["pictures"]["movies"]
    assert [layer["name"] for layer in movie["layers"]] == ["tcell", "seg.label"]
    assert (movie["um"], movie["interval_s"]) == (0.5, 30)
    assert parts["about"][0]["nodes"] == ["seg"]


def test_times_and_chunks_are_told(lab, data_of):
    lab.write(
        "execution_configs: {local: {seg: {resources: {batch_size: 2, memory: 512Mi}}}}\n"
        "default_profile: local\n",
        "pipeline-resources.x.yaml",
    )
    parts = data_of(write_report(run(lab)).read_text(encoding="utf-8"))
    seg, _ = node_of(parts, "seg")
    assert (seg["done"], seg["total"], seg["memory"]) == (2, 2, 512 << 20)
    assert sorted(span[3] for span in seg["spans"]) == ["frames 0–1", "frames 2–3"]
    for begin, end, ok, _, _ in seg["spans"]:
        assert 0 <= begin <= end <= parts["run"]["elapsed"]
        assert ok
    assert seg["peak"] > 0


def test_what_was_done_before_is_shown_with_its_results(lab, data_of):
    first = run(lab)
    write_report(first)
    second = run(lab)
    parts = data_of(write_report(second).read_text(encoding="utf-8"))
    seg, told = node_of(parts, "seg")
    assert (seg["state"], seg["spans"], told["run"]) == ("cached", [], first.run_id)
    assert parts["pictures"]["movies"]


def test_each_run_keeps_its_own_page_and_the_latest_is_above(lab, data_of):
    first, second = run(lab, run_id="20260101-000000-aaaa"), run(lab, run_id="20260102-000000-aaaa")
    assert write_report(second) == second.report
    assert write_report(first) == first.own_report
    shown = data_of(second.report.read_text(encoding="utf-8"))
    assert shown["run"]["id"] == second.run_id
    assert data_of(first.own_report.read_text(encoding="utf-8"))["run"]["id"] == first.run_id
    assert not list((lab / "out put").rglob(".report*"))  # nothing half-written


def test_files_that_are_gone_leave_gaps_and_no_error(lab, data_of):
    """As after ``cyto clean``."""
    import shutil

    layout = run(lab)
    for gone in (layout.jobs, layout.store, layout.logs):
        shutil.rmtree(gone)
    (lab / "t.tif").unlink()
    parts = data_of(write_report(layout).read_text(encoding="utf-8"))
    seg, told = node_of(parts, "seg")
    assert (seg["state"], told["command"], told["log"]) == ("succeeded", "", {})
    assert parts["pictures"]["movies"] == []


def test_a_moved_folder_is_read_where_it_is(lab, data_of):
    run(lab)
    (lab / "out put").rename(lab / "elsewhere")
    parts = data_of(write_report(find_run(str(lab / "elsewhere"))).read_text(encoding="utf-8"))
    _, told = node_of(parts, "seg")
    assert told["outputs"][0]["path"] == str(lab / "elsewhere/seg/label.ome.tif")
    assert "container_worker" in told["command"]
    assert told["log"]["text"]


def test_a_full_page_leaves_out_logs_and_says_so(lab, data_of, monkeypatch):
    monkeypatch.setattr("cyto.report.details._BUDGET_BYTES", 3000)
    parts = data_of(write_report(run(lab)).read_text(encoding="utf-8"))
    assert node_of(parts, "bad")[1]["log"]["text"]  # of what failed it is never left out
    log = node_of(parts, "seg")[1]["log"]
    assert (log["text"], log["cut"]) == ("", True)
    assert any("logs of seg" in note for note in parts["run"]["notes"])


def test_a_run_that_goes_on_has_a_page(recorded):
    recorded.start({"a": recorded.node(), "b": recorded.node()})
    recorded.write("node_started", node="a", attempt=0, job="", log="", worker="w", gpus=[])
    view = read_view(recorded.layout)
    view.driven = True
    parts = Page(view).parts()
    assert parts["run"]["state"] == "running"
    assert parts["node:1"]["state"] == "waiting"


def test_the_command_that_was_asked_can_be_asked_again():
    asked = {
        "pipeline": "/a b/pipeline.x.yaml", "profile": "local", "resources": None,
        "overrides": ["tasks.a.params.x='1'"], "output_dir": None, "only": ["a"], "sample": [],
        "force": [], "since": ["b"], "jobs": 2, "fail_fast": True,
    }  # fmt: skip
    assert asked_command(asked) == (
        "cyto run '/a b/pipeline.x.yaml' --profile local --set 'tasks.a.params.x='\"'\"'1'\"'\"'' "
        "--only a --from b --jobs 2 --fail-fast"
    )
    assert asked_command({}) == ""
