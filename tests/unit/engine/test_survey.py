"""What would be computed and why, told without running; and what is computed again when asked."""

from __future__ import annotations

import json
import os
import shutil
from pathlib import Path

import pytest

from cyto.engine import store as store_module
from cyto.engine.manager import TaskManager
from cyto.engine.planning import fresh_nodes, make_plan
from cyto.engine.survey import survey
from cyto.errors import ConfigError, UnavailableError
from cyto.io import digests
from cyto.runners import environment

TEXT = """
pixel_size_um: 0.65
channels: {tcell: movie.tif}
tasks:
  scale: {module: MODULE.Scale, params: {factor: 2}}
  mark: {module: MODULE.Mark, inputs: {image: scale}}
  table: {module: MODULE.Table, inputs: {label: mark, image: tcell}}
  alone: {module: MODULE.Source}
"""
CACHED = {"scale": "cached", "mark": "cached", "table": "cached", "alone": "cached"}


@pytest.fixture
def run(lab, nothing_left):
    def run(text=TEXT, *, force=(), since=(), **kwargs):
        plan = make_plan(lab.write(text), **kwargs)
        report = TaskManager(plan, fresh=fresh_nodes(plan, force, since)).run()
        nothing_left()
        return {name: node.outcome.value for name, node in report.nodes.items()}

    return run


@pytest.fixture
def told(lab):
    """Tell what a run would do, in words, and make sure that nothing was written."""

    def told(text=TEXT, *, force=(), since=(), **kwargs):
        plan = make_plan(lab.write(text), **kwargs)
        before = files(lab)
        standings = survey(plan, fresh_nodes(plan, force, since))
        assert files(lab) == before
        return {name: str(standing) for name, standing in standings.items()}

    return told


def files(lab):
    return {
        (str(path), path.stat().st_mtime_ns)
        for path in lab.folder.rglob("*")
        if "__pycache__" not in path.parts
    }


def test_before_the_first_run_all_is_new_and_nothing_is_hashed(told, monkeypatch):
    monkeypatch.setattr(digests, "_hash", lambda path, _: pytest.fail(f"read {path}"))
    assert told() == dict.fromkeys(CACHED, "new")


def test_after_a_run_all_is_cached_and_no_result_is_read(run, told, monkeypatch):
    run()
    monkeypatch.setattr(store_module, "_checksum", lambda path, _: pytest.fail(f"read {path}"))
    assert told() == CACHED


def test_one_changed_parameter_and_what_it_touches(run, told):
    run()
    changed = TEXT.replace("factor: 2", "factor: 3")
    assert told(changed) == {
        **CACHED,
        "scale": "parameter factor 2 → 3",
        "mark": "needs scale",
        "table": "needs mark",
    }
    assert run(changed)["table"] == "succeeded"
    assert told(changed) == CACHED
    assert told() == CACHED, "the store still has what was before"


def test_a_second_change_below_the_first_is_said_too(run, told):
    run()
    changed = TEXT.replace("factor: 2", "factor: 3").replace(
        "inputs: {image: scale}", "inputs: {image: scale}, params: {level: 3}"
    )
    assert told(changed)["mark"] == "parameter level 10 → 3; needs scale"


def test_it_says_what_the_run_does(run, told, lab, forget):
    """Whatever is changed: what is called cached is cached, and nothing else."""
    run()
    source = (lab / f"{lab.module}.py").read_text()
    for step in range(6):
        text = TEXT
        if step == 1:
            lab.image("movie.tif", (2, 8, 9))
        elif step == 2:
            text = text.replace("0.65", "0.5")
        elif step == 3:
            text = text.replace("tasks:", "seed: 5\ntasks:")
        elif step == 4:
            lab.tasks(source + "\n# another comment\n")
            forget()
        elif step == 5:
            text = text.replace("tcell: movie", "t: movie").replace("image: tcell", "image: t")
        before = told(text)
        outcomes = run(text)
        assert {n: w == "cached" for n, w in before.items()} == {
            n: o == "cached" for n, o in outcomes.items()
        }
        assert told(text) == CACHED


def test_an_input_a_calibration_a_seed_and_the_code(run, told, lab, forget):
    run()
    lab.image("other.tif", (2, 8, 9))
    # the calibration is part of a channel's digest too
    assert told(TEXT.replace("movie.tif", "other.tif"))["scale"] == "input tcell"
    assert told(TEXT.replace("0.65", "0.5"))["scale"] == "input tcell; pixel_size_um 0.65 → 0.5"
    assert told("seed: 7\n" + TEXT)["alone"] == "seed 0 → 7"
    lab.tasks((lab / f"{lab.module}.py").read_text() + "\nX = 1\n")
    forget()
    assert told()["alone"] == "code of Source"
    assert told()["mark"] == "code of Mark; needs scale"


def test_a_file_that_a_parameter_names_is_hashed_once(run, told, lab, monkeypatch):
    read = []
    real = digests._hash
    monkeypatch.setattr(digests, "_hash", lambda path, new: (read.append(path), real(path, new))[1])
    model = lab / "model.bin"
    model.write_text("one")
    os.utime(model, (1e9, 1e9))
    text = "tasks: {m: {module: MODULE.Model, params: {model: model.bin}}}"
    assert run(text) == {"m": "succeeded"}
    assert told(text) == {"m": "cached"}
    assert run(text) == {"m": "cached"}
    assert read == [str(model)]
    model.write_text("two")
    assert told(text) == {"m": "file of model"}


def test_damage_is_seen_where_sizes_tell_and_found_by_the_run_in_any_case(run, told, lab):
    run()
    pixels = Path(next((lab / "output/.cyto/store").glob("*/*/label.npy")))
    data = bytearray(pixels.read_bytes())
    data[-1] ^= 1
    pixels.write_bytes(data)
    assert told() == CACHED, "sizes do not tell"
    assert run()["mark"] == "succeeded"
    pixels.write_bytes(data[:-3])
    assert told() == {**CACHED, "mark": "damaged", "table": "needs mark"}
    assert run() == {**CACHED, "mark": "succeeded"}


def test_results_that_are_gone(run, told, lab):
    run()
    changed = TEXT.replace("factor: 2", "factor: 3")
    for path in lab.store():
        if json.loads(path.read_text())["facts"]["node"] == "scale":
            shutil.rmtree(path.parent)
    assert told()["scale"] == "its former result is gone"
    assert told(changed)["scale"] == "changed; its former result is gone"


def test_what_failed_and_what_is_new(run, told):
    text = TEXT.replace("alone: {module: MODULE.Source}", "boom: {module: MODULE.Boom}")
    run(text)
    more = text + "  after: {module: MODULE.Scale, inputs: {image: boom}}\n"
    assert told(more) == {
        **dict.fromkeys(("scale", "mark", "table"), "cached"),
        "boom": "failed before",
        "after": "new",
    }


def test_the_newest_of_former_results_counts(run, told):
    for factor in (2, 3, 4):
        run(TEXT.replace("factor: 2", f"factor: {factor}"))
    assert told(TEXT.replace("factor: 2", "factor: 5"))["scale"] == "parameter factor 4 → 5"


def test_records_that_were_cut(run, told, lab):
    run()
    record = next((lab / "output/.cyto/runs").glob("*/events.jsonl"))
    lines = record.read_text().splitlines(keepends=True)
    record.write_text('{"event": "node_finished"\n\n[1]\n' + "".join(lines)[:-20])
    assert told(TEXT.replace("factor: 2", "factor: 3"))["scale"] == "parameter factor 2 → 3"


def test_an_environment_that_cannot_be_asked(run, told, monkeypatch):
    run()

    def identity(self, placement):
        raise UnavailableError("docker does not answer", hint="start it")

    monkeypatch.setattr(type(environment.get_environment("baremetal")), "identity", identity)
    words = dict.fromkeys(CACHED, "unknown: docker does not answer")
    assert told() == words


def test_inputs_that_will_not_fit(run, told, lab):
    text = TEXT + "  plain: {module: MODULE.Plain, inputs: {image: tcell}}\n"
    run(text)
    odd = text + "  odd: {module: MODULE.Table, inputs: {label: plain.no}}\n"
    assert told(odd)["odd"] == "unknown: node 'plain' made no 'no'; it made: image, seen"


def test_force_computes_a_node_alone_and_takes_its_entrys_place(run, lab):
    run()
    before = {path: path.stat().st_ino for path in lab.store()}
    assert run(force=["mark"]) == {**CACHED, "mark": "succeeded"}
    after = {path: path.stat().st_ino for path in lab.store()}
    assert before.keys() == after.keys()
    assert sum(before[path] != after[path] for path in before) == 1
    assert run() == CACHED


def test_from_computes_all_that_depends_on_it(run, told):
    run()
    asked = {**CACHED, "mark": "asked for", "table": "asked for"}
    assert told(since=["mark"]) == asked
    assert told(force=["mark", "alone"]) == {**CACHED, "mark": "asked for", "alone": "asked for"}
    assert run(since=["mark"]) == {**CACHED, "mark": "succeeded", "table": "succeeded"}


def test_a_forced_node_that_fails_keeps_its_old_result(run, lab):
    (lab / "go").touch()
    text = TEXT + "  wait: {module: MODULE.Gate}\n"
    lab.tasks(
        (lab / f"{lab.module}.py").read_text()
        + """
class Gate(PipelineTask):
    outputs = {"value": Port("value")}
    def run_baremetal(self, data):
        if not Path(__file__).with_name("go").exists():
            raise RuntimeError("closed")
        return {"value": 1}
"""
    )
    assert run(text)["wait"] == "succeeded"
    (lab / "go").unlink()
    assert run(text, force=["wait"])["wait"] == "failed"
    assert run(text)["wait"] == "cached"


def test_what_was_forced_is_exported_again(run, lab):
    text = "tasks: {f: {module: MODULE.Flaky, params: {times: 0}, output: true}}"
    export = lab / "output/f/value.json"
    for force, value in (((), 1), (("f",), 2), ((), 2)):
        run(text, force=force)
        assert json.loads(export.read_text()) == value


def test_unknown_nodes(run, lab):
    for option in ("force", "since"):
        with pytest.raises(ConfigError, match="there is no node 'marc'\n    did you mean 'mark'"):
            run(**{option: ["marc"]})
    with pytest.raises(ConfigError, match="--force: there is no node 'table'"):
        run(force=["table"], only=["mark"])
