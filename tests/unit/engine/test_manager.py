"""Small pipelines run to their end: results, failures, what is not done again."""

from __future__ import annotations

import json
import threading
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import tifffile

from cyto.core.request import Ref
from cyto.engine.checks import check_plan
from cyto.engine.manager import TaskManager
from cyto.engine.outcomes import Outcome
from cyto.engine.planning import make_plan
from cyto.engine.record import read_events
from cyto.errors import RunLockedError
from cyto.runners import exchange

CHAIN = """
pixel_size_um: 0.65
channels: {tcell: movie.tif}
tasks:
  scale: {module: MODULE.Scale, params: {factor: 2}}
  mark: {module: MODULE.Mark, inputs: {image: scale}, output: true}
  table: {module: MODULE.Table, inputs: {label: mark, image: tcell}, output: true}
  graph: {module: MODULE.Graph, inputs: {dataframe: table}, output: true}
"""

SHORT = """
channels: {tcell: movie.tif}
tasks:
  scale: {module: MODULE.Scale, params: {factor: 2}}
  mark: {module: MODULE.Mark, inputs: {image: scale}, output: true}
  last: {module: MODULE.Scale, inputs: {image: mark.label}, params: {factor: 3}}
"""


@pytest.fixture
def run(lab, nothing_left):
    """Run a pipeline in this process; every process of it must be gone afterwards."""

    def run(text=None, *, jobs=None, fail_fast=False, listeners=(), **kwargs):
        plan = make_plan(lab.write(text) if text else lab.pipeline, **kwargs)
        check_plan(plan)
        manager = TaskManager(plan, jobs=jobs, fail_fast=fail_fast, listeners=listeners)
        report = manager.run()
        nothing_left()
        return report

    return run


def outcomes(report):
    return {name: node.outcome.value for name, node in report.nodes.items()}


def loaded(lab, node):
    folders = [p.parent for p in lab.store() if json.loads(p.read_text())["facts"]["node"] == node]
    folder = folders[0] if folders else None
    refs = {k: Ref.from_json(v) for k, v in lab.outputs(node).items()}
    return {k: exchange.load(r.moved(lambda p: str(folder / p))) for k, r in refs.items()}


def test_results(lab, run):
    report = run(CHAIN)
    assert outcomes(report) == dict.fromkeys(["scale", "mark", "table", "graph"], "succeeded")
    assert report.exit_code == 0
    expected = lab.pixels * 2 > 10
    np.testing.assert_array_equal(loaded(lab, "scale")["image"], lab.pixels * 2)
    np.testing.assert_array_equal(loaded(lab, "mark")["label"], expected)
    assert loaded(lab, "mark")["count"] == expected.sum()
    table = loaded(lab, "table")["dataframe"]
    assert list(table["n"]) == [frame.sum() for frame in expected]
    assert set(table["keys"]) == {"image,label"}
    assert set(table["pixel_size_um"]) == {0.65}, "calibration travels with the data"
    assert set(table["channel"]) == {"tcell"}
    assert loaded(lab, "graph")["network"].number_of_nodes() == 3


def test_exports_for_people(lab, run):
    report = run(CHAIN)
    found = {(name, f.key): f for name, node in report.nodes.items() for f in node.findings}
    assert {name for name, _ in found} == {"mark", "table", "graph"}
    label = found["mark", "label"]
    assert Path(label.path).parent == lab / "output" / "mark"
    np.testing.assert_array_equal(tifffile.imread(label.path), lab.pixels * 2 > 10)
    assert label.text == "3 frames, 8 × 9, 1.0 cells per frame"
    assert len(pd.read_csv(found["table", "dataframe"].path)) == 3
    assert found["graph", "network"].text == "3 nodes, 2 edges"
    assert not (lab / "output" / "scale").exists()


def test_logs(lab, run):
    report = run(SHORT, jobs=1)
    assert (lab / "output/logs/scale.log").read_text() == "scaling by 2\n"
    assert report.nodes["scale"].log == str(lab / "output/logs/scale.log")
    assert len(lab.pids()) == 1, "one process serves all nodes with the same placement"


def test_a_second_run_does_nothing(lab, run):
    run(CHAIN)
    ran = lab.ran()
    exported = {p: p.stat().st_mtime_ns for p in (lab / "output").glob("*/*.*")}
    report = run()
    assert set(outcomes(report).values()) == {"cached"}
    assert lab.ran() == ran
    assert exported == {p: p.stat().st_mtime_ns for p in (lab / "output").glob("*/*.*")}
    assert report.nodes["mark"].findings, "what was found is still said"
    path = Path(report.nodes["mark"].findings[0].path)
    path.unlink()
    run()
    assert lab.ran() == ran
    np.testing.assert_array_equal(tifffile.imread(path), lab.pixels * 2 > 10)


def test_a_changed_parameter_recomputes_what_depends_on_it(lab, run):
    run(SHORT)
    report = run(overrides=["tasks.mark.params.level=20"])
    assert outcomes(report) == {"scale": "cached", "mark": "succeeded", "last": "succeeded"}
    path = Path(report.nodes["mark"].findings[0].path)
    np.testing.assert_array_equal(tifffile.imread(path), lab.pixels * 2 > 20)
    assert set(outcomes(run()).values()) == {"cached"}, "and the old results are still there"
    np.testing.assert_array_equal(tifffile.imread(path), lab.pixels * 2 > 10)


def test_changed_pixels_recompute(lab, run):
    run(SHORT)
    lab.image("movie.tif", (4, 8, 9))
    report = run()
    assert set(outcomes(report).values()) == {"succeeded"}
    assert tifffile.imread(report.nodes["mark"].findings[0].path).shape == (4, 8, 9)


def test_a_changed_calibration_recomputes(lab, run):
    run(SHORT)
    assert outcomes(run(overrides=["pixel_size_um=0.5"]))["mark"] == "succeeded"


def test_changed_code_recomputes(lab, run, forget):
    run(SHORT)
    path = lab / f"{lab.module}.py"
    path.write_text(path.read_text().replace('data["image"] > self.level', 'data["image"] > 0'))
    forget()
    assert outcomes(run())["mark"] == "succeeded"


def test_a_renamed_node_keeps_its_result(lab, run):
    run(SHORT)
    assert set(outcomes(run(SHORT.replace("scale", "brighten"))).values()) == {"cached"}


def test_a_damaged_result_is_computed_again(lab, run):
    run(SHORT)
    for path in (lab / "output/.cyto/store").rglob("label.npy"):
        path.write_bytes(path.read_bytes()[:-1])
    assert outcomes(run()) == {"scale": "cached", "mark": "succeeded", "last": "cached"}


def test_two_nodes_that_do_the_same_share_a_result(lab, run):
    text = "channels: {t: movie.tif}\ntasks:\n" + "".join(
        f"  n{i}: {{module: MODULE.Scale}}\n" for i in range(4)
    )
    report = run(text)
    assert report.exit_code == 0
    assert len(lab.store()) == 1


BROKEN = """
channels: {t: movie.tif}
tasks:
  boom: {module: MODULE.Boom}
  after: {module: MODULE.Scale, inputs: {image: boom}}
  later: {module: MODULE.Mark, inputs: {image: after}}
  other: {module: MODULE.Scale, params: {factor: 3}, inputs: t}
  more: {module: MODULE.Mark, inputs: {image: other}}
"""


def test_a_failure_stops_only_what_depends_on_it(lab, run):
    report = run(BROKEN)
    assert outcomes(report) == {
        "boom": "failed", "after": "skipped", "later": "skipped", "other": "succeeded",
        "more": "succeeded",
    }  # fmt: skip
    assert report.exit_code == 1
    boom = report.nodes["boom"]
    assert boom.reason == "exception"
    assert "RuntimeError: no luck today" in boom.message
    assert "before the end" in Path(boom.log).read_text()
    assert report.nodes["after"].message == "needs boom, which failed"
    assert not any("boom" in p.read_text() for p in lab.store())
    assert "boom" not in str(lab.lines())


def test_what_failed_is_tried_again_by_the_next_run(lab, run):
    run(BROKEN)
    report = run()
    assert outcomes(report)["boom"] == "failed"
    assert outcomes(report)["more"] == "cached"
    assert lab.ran().count("boom") == 2


def test_fail_fast(lab, run):
    report = run(BROKEN, jobs=1, fail_fast=True)
    assert outcomes(report)["boom"] == "failed"
    assert outcomes(report)["other"] == "cancelled"
    assert report.exit_code == 1
    assert not report.stopped


def test_fail_fast_ends_what_runs(lab, run):
    text = (
        "tasks:\n  wait: {module: MODULE.Wait, params: {name: never}}\n"
        "  exits: {module: MODULE.Undeclared}"
    )
    report = run(text, fail_fast=True)
    assert outcomes(report) == {"wait": "cancelled", "exits": "failed"}


@pytest.mark.parametrize(
    ("retries", "outcome", "runs"), [(0, "failed", 1), (1, "failed", 2), (2, "succeeded", 3)]
)
def test_retries(retries, outcome, runs, lab, run):
    seen = []
    text = f"tasks: {{flaky: {{module: MODULE.Flaky, params: {{times: 2}}, retries: {retries}}}}}"
    report = run(text, listeners=(seen.append,))
    assert outcomes(report) == {"flaky": outcome}
    assert lab.ran() == ["flaky"] * runs
    failed = [e for e in seen if e["event"] == "attempt_failed"]
    assert [e["attempt"] for e in failed] == list(range(min(retries, 2)))


@pytest.mark.parametrize(
    ("task", "words"),
    [
        ("Undeclared", ["output 'masks': is not declared", "shape (7, 8)", "declared: label"]),
        ("WrongRank", ["output 'label': must have the axes (T, Y, X)", "shape (1, 2, 3, 4)"]),
    ],
)
def test_a_task_that_returns_something_else(task, words, lab, run):
    report = run(f"tasks: {{odd: {{module: MODULE.{task}}}}}")
    assert report.exit_code == 1
    assert report.nodes["odd"].outcome is Outcome.FAILED
    for part in words:
        assert part in report.nodes["odd"].message
    assert lab.store() == lab.lines() == []


def test_plain_classes(lab, run):
    report = run(
        "channels: {t: movie.tif}\ntasks:\n"
        "  plain: {module: MODULE.Plain, params: {factor: 3}}\n"
        "  mark: {module: MODULE.Mark, inputs: {image: plain}}\n"
        "  odd: {module: MODULE.Mark, inputs: {image: plain.nothing}}"
    )
    assert outcomes(report) == {"plain": "succeeded", "mark": "succeeded", "odd": "failed"}
    np.testing.assert_array_equal(loaded(lab, "plain")["image"], lab.pixels * 3)
    assert "node 'plain' made no 'nothing'; it made: image, seen" in report.nodes["odd"].message


def test_a_plain_class_sees_calibration_beside_its_data(lab, run):
    run("channels: {t: movie.tif}\npixel_size_um: 2\ntasks: {p: {module: MODULE.Plain}}")
    assert loaded(lab, "p")["seen"] == ["channel", "image", "pixel_size_um"]


def test_inputs_whose_calibrations_differ(lab, run):
    report = run(
        "channels:\n  a: {path: movie.tif, pixel_size_um: 1}\n"
        "  b: {path: movie.tif, pixel_size_um: 2}\ntasks:\n"
        "  m: {module: MODULE.Mark, inputs: a}\n"
        "  t: {module: MODULE.Table, inputs: {label: m, image: b}}"
    )
    assert outcomes(report) == {"m": "succeeded", "t": "failed"}
    assert "its inputs differ in pixel_size_um" in report.nodes["t"].message


def test_a_file_that_a_parameter_names(lab, run):
    (lab / "model.bin").write_text("one")
    text = "tasks: {m: {module: MODULE.Model, params: {model: model.bin}}}"
    run(text)
    assert loaded(lab, "m")["value"] == [str(lab / "model.bin"), "one"]
    assert outcomes(run()) == {"m": "cached"}
    (lab / "model.bin").write_text("two")
    assert outcomes(run()) == {"m": "succeeded"}


def test_only(lab, run):
    report = run(SHORT, only=["mark"])
    assert list(report.nodes) == ["scale", "mark"]
    assert lab.ran() == ["scale2", "mark"]


def test_nodes_run_at_once(lab, run, monkeypatch):
    """Each of two waits for what the other's start makes: one alone would wait forever."""
    lab.tasks(
        (lab / f"{lab.module}.py").read_text()
        + """
class Meet(PipelineTask):
    mine: str = Param("a")
    other: str = Param("b")
    outputs = {"value": Port("value")}
    def run_baremetal(self, data):
        here = Path(__file__).parent
        (here / self.mine).touch()
        while not (here / self.other).exists():
            time.sleep(0.02)
        return {"value": 1}
"""
    )
    report = run(
        "tasks:\n  one: {module: MODULE.Meet}\n"
        "  two: {module: MODULE.Meet, params: {mine: b, other: a}}"
    )
    assert report.exit_code == 0


def test_the_record_tells_everything(lab, run):
    heard = []
    report = run(SHORT, listeners=(heard.append,))
    path = lab / "output/.cyto/runs" / report.run_id / "events.jsonl"
    events = list(read_events(path))
    assert events == json.loads(json.dumps(heard))
    assert events[0]["event"] == "run_started"
    assert list(events[0]["nodes"]) == ["scale", "mark", "last"]
    assert (events[-1]["event"], events[-1]["exit_code"]) == ("run_finished", 0)
    finished = [e for e in events if e["event"] == "node_finished"]
    assert all(e["versions"]["python"] and e["peak_bytes"] and e["key"] for e in finished)
    started = [e for e in events if e["event"] == "node_started"]
    assert all((Path(e["job"]) / "command.txt").exists() for e in started)


def test_no_pixels_are_kept_twice(lab, run):
    report = run(SHORT)
    jobs = lab / "output/.cyto/runs" / report.run_id / "jobs"
    assert list(jobs.rglob("*.npy")) == []
    assert [path for path in jobs.glob("*/.scratch/**/*") if path.is_file()] == []
    assert not (lab / "output/.cyto/store/channels").exists() or not list(
        (lab / "output/.cyto/store/channels").rglob("*.npy")
    ), "an uncompressed file is used where it lies"


def test_a_second_run_at_once_is_refused(lab, run):
    plan = make_plan(lab.write(SHORT))
    said = []

    def listen(event):
        if event["event"] == "run_started":
            with pytest.raises(RunLockedError) as caught:
                TaskManager(plan).run()
            said.append(str(caught.value))

    run(SHORT, listeners=(listen,))
    assert "another run works in" in said[0]


def test_an_isolated_node_has_a_worker_of_its_own(lab, run):
    lab.write(
        "execution_configs: {p: {mark: {isolate: true}, last: {isolate: true}}}\n"
        "default_profile: p",
        "pipeline-resources.x.yaml",
    )
    run(SHORT, jobs=1)
    assert len(lab.pids()) == 3


def test_a_worker_takes_so_many_tasks(lab, run):
    lab.write(
        "execution_configs: {p: {default: {max_tasks: 2}}}\ndefault_profile: p",
        "pipeline-resources.x.yaml",
    )
    run(SHORT, jobs=1)
    assert len(lab.pids()) == 2


def test_a_worker_does_not_wait_for_ever(lab, run):
    lab.write(
        "execution_configs: {p: {first: {max_idle: 0.3s}, later: {max_idle: 0.3s}, "
        "between: {isolate: true}}}\ndefault_profile: p",
        "pipeline-resources.x.yaml",
    )
    text = """
tasks:
  first: {module: MODULE.Source}
  between: {module: MODULE.Wait, inputs: {value: first}}
  later: {module: MODULE.Source, params: {value: 4}, dependencies: [between]}
"""
    threading.Timer(1.5, (lab / "go").touch).start()
    assert run(text).exit_code == 0
    assert len(lab.pids()) == 3, "the first had ended before the last could use it"


def test_limits_of_memory_and_time(lab, run):
    lab.tasks(
        (lab / f"{lab.module}.py").read_text()
        + """
class Eat(PipelineTask):
    outputs = {"value": Port("value")}
    def run_baremetal(self, data):
        hold = []
        while True:
            hold.append(bytearray(os.urandom(1 << 20)) * 32)
            time.sleep(0.02)
"""
    )
    lab.write(
        "execution_configs: {small: {eat: {resources: {memory: 200Mi}}, "
        "wait: {resources: {walltime: 0.5s}}}}\ndefault_profile: small",
        "pipeline-resources.x.yaml",
    )
    report = run(
        "tasks:\n  eat: {module: MODULE.Eat}\n  wait: {module: MODULE.Wait}\n"
        "  fine: {module: MODULE.Source}"
    )
    assert outcomes(report) == {"eat": "failed", "wait": "failed", "fine": "succeeded"}
    assert report.nodes["eat"].reason == "memory"
    assert "memory limit of 200 MiB" in report.nodes["eat"].message
    assert "pipeline-resources.x.yaml:1" in report.nodes["eat"].message
    assert report.nodes["wait"].reason == "timeout"
    assert "time limit of 0.5 s" in report.nodes["wait"].message


def test_hostile_names_of_folders(lab, run, tmp_path):
    odd = tmp_path / "odd 'q' \"é\"\n;$(x),:"
    odd.mkdir()
    report = run(SHORT, output_dir=odd / "out")
    assert report.exit_code == 0, [n.message for n in report.nodes.values()]
    assert (odd / "out/mark/label.ome.tif").exists()


def test_results_in_the_formats_that_were_asked_for(lab, run):
    pytest.importorskip("zarr")
    lab.write(
        "channels: {cells: movie.tif}\n"
        "tasks:\n"
        "  mark:\n"
        "    module: MODULE.Mark\n"
        "    inputs: {image: cells}\n"
        "    output: {images: ome-zarr, compression: zlib, parquet: true}\n"
    )
    report = run(lab.pipeline.read_text())
    found = next(f for f in report.nodes["mark"].findings if f.key == "label")
    assert found.path.endswith("label.ome.zarr")
    assert (Path(found.path) / "zarr.json").is_file()


EVIL = """
import signal
class Leave(PipelineTask):
    \"\"\"Leave something behind that ends the process later.\"\"\"
    how: str = Param("alarm")
    inputs = {"value": Port("value", optional=True)}
    outputs = {"value": Port("value")}
    def run_baremetal(self, data):
        import threading
        if self.how == "alarm":
            signal.alarm(1)
        elif self.how == "thread":
            threading.Timer(1, lambda: os._exit(7)).start()
        elif self.how == "fork":
            if os.fork() == 0:
                return {"value": "child"}
            os.wait()
        elif self.how == "exit":
            if os.fork() == 0:
                sys.exit(0)
            os.wait()
        elif self.how == "wait":
            note("wait")
            time.sleep(2)
        return {"value": "parent"}
"""


@pytest.mark.parametrize("how", ["alarm", "thread"])
def test_what_one_task_leaves_never_reaches_another(lab, run, how):
    lab.tasks((lab / f"{lab.module}.py").read_text() + EVIL)
    report = run(
        f"""
tasks:
  first: {{module: MODULE.Leave, params: {{how: {how}}}}}
  then: {{module: MODULE.Leave, params: {{how: wait}}, inputs: {{value: first}}}}
"""
    )
    assert outcomes(report) == {"first": "succeeded", "then": "succeeded"}
    assert lab.ran() == ["wait", "wait"], "asked again of a new process"


@pytest.mark.parametrize("how", ["fork", "exit"])
def test_only_the_worker_itself_answers(lab, run, how):
    lab.tasks((lab / f"{lab.module}.py").read_text() + EVIL.replace("import signal", "import sys"))
    report = run(
        f"""
tasks:
  first: {{module: MODULE.Leave, params: {{how: {how}}}, output: true}}
  then: {{module: MODULE.Leave, params: {{how: plain}}, inputs: {{value: first}}}}
"""
    )
    assert outcomes(report) == {"first": "succeeded", "then": "succeeded"}
    assert json.loads((lab / "output/first/value.json").read_text()) == "parent"


def test_what_a_module_imports_from_beside_it_counts_as_its_code(lab, run, forget):
    helper = f"{lab.module}_helper"
    (lab / f"{helper}.py").write_text("FACTOR = 2")
    lab.tasks(
        (lab / f"{lab.module}.py").read_text().replace("import json", f"import {helper}, json", 1)
    )
    text = "tasks: {a: {module: MODULE.Source}}"
    assert outcomes(run(text)) == {"a": "succeeded"}
    assert outcomes(run(text)) == {"a": "cached"}
    (lab / f"{helper}.py").write_text("FACTOR = 30")
    assert outcomes(run(text)) == {"a": "succeeded"}
    assert not (lab / "__pycache__").exists()


@pytest.mark.parametrize(("step_y", "expected"), [(2, 1.3), (3, None)])
def test_a_task_may_take_back_what_is_known_of_the_pixels(lab, run, step_y, expected):
    report = run(
        f"""
pixel_size_um: 0.65
channels: {{tcell: movie.tif}}
tasks:
  fewer:
    module: cyto.preprocessing.subsampling.Subsampling
    params: {{step_y: {step_y}, step_x: 2}}
  mark: {{module: MODULE.Mark, inputs: {{image: fewer}}}}
  table: {{module: MODULE.Table, inputs: {{label: mark}}}}
"""
    )
    assert report.exit_code == 0, report.nodes
    table = loaded(lab, "table")["dataframe"]
    assert (
        table["pixel_size_um"].isna().all()
        if expected is None
        else (table["pixel_size_um"] == expected).all()
    )
