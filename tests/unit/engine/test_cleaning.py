"""What takes room is known to the last file, and only what nobody needs goes."""

from __future__ import annotations

import json
import os
import shutil
import time

import pytest

from cyto.engine import cleaning
from cyto.engine.inventory import check_output_dir, take_inventory
from cyto.engine.manager import TaskManager
from cyto.engine.planning import make_plan
from cyto.errors import ConfigError

TEXT = """
channels: {t: movie.tif}
tasks:
  scale: {module: MODULE.Scale, params: {factor: 2}, output: true}
  mark: {module: MODULE.Mark, inputs: {image: scale}, output: true}
  table: {module: MODULE.Table, inputs: {label: mark}, output: {parquet: true}}
"""
CHANGED = TEXT.replace("factor: 2", "factor: 3")
NAMES = ("scale", "mark", "table")


@pytest.fixture
def run(lab, nothing_left):
    """Run a pipeline whose channel must be decoded."""
    lab.image("movie.tif", compression="zlib")

    def run(text=TEXT, **kwargs):
        report = TaskManager(make_plan(lab.write(text), **kwargs)).run()
        nothing_left()
        return {name: node.outcome.value for name, node in report.nodes.items()}

    return run


@pytest.fixture
def out(lab):
    return lab / "output"


@pytest.fixture
def clean(out):
    def clean(**kwargs):
        items = cleaning.choose(take_inventory(out), **kwargs)
        assert cleaning.remove(items) == []
        return sorted((item.kind, item.name) for item in items if item.kind != "jobs")

    return clean


def listed(folder):
    return {path for path in folder.rglob("*") if not path.is_dir()}


def test_every_file_is_in_the_inventory_once(run, out):
    run()
    run(CHANGED)
    (out / "mine.txt").write_text("not pyCyto's")
    items = [item for item in take_inventory(out) if item.kind != "cache"]
    found = set()
    for item in items:
        for path in item.paths:
            found |= listed(path) if path.is_dir() else {path}
    assert listed(out) - found == {out / "mine.txt", out / ".cyto/lock"}
    every = {p.stat().st_ino: p.stat().st_blocks * 512 for p in found}
    folders = {p for item in items for path in item.paths for p in [path, *path.rglob("*")]}
    every.update({p.stat().st_ino: p.stat().st_blocks * 512 for p in folders if p.is_dir()})
    assert sum(item.size for item in items) == sum(every.values())


def test_an_inventory_changes_nothing(run, out):
    run()
    before = {path: path.stat().st_mtime_ns for path in out.rglob("*")}
    take_inventory(out)
    assert {path: path.stat().st_mtime_ns for path in out.rglob("*")} == before
    shutil.rmtree(out / ".cyto/store")
    take_inventory(out)
    assert not (out / ".cyto/store").exists()


def test_what_the_last_run_uses_stays(run, clean, out):
    run()
    run(CHANGED)
    exports = {path: path.read_bytes() for path in listed(out) if ".cyto" not in path.parts}
    gone = clean()
    assert gone == [("result", name) for name in sorted(NAMES)]
    assert not list((out / ".cyto/runs").glob("*/jobs"))
    assert {path: path.read_bytes() for path in exports} == exports
    assert run(CHANGED) == dict.fromkeys(NAMES, "cached")
    assert clean() == []


def test_nothing_to_do_without_a_change(run, clean):
    run()
    assert clean() == []
    assert run() == dict.fromkeys(NAMES, "cached")


def test_a_run_of_a_part_does_not_make_the_rest_stale(run, clean):
    run()
    run(CHANGED, only=["scale"])
    assert clean() == [("result", "scale")]
    assert run(CHANGED) == {"scale": "cached", "mark": "succeeded", "table": "succeeded"}


def test_a_run_that_failed_keeps_what_was_before(run, clean):
    run()
    broken = TEXT.replace("Mark,", "Boom,")
    assert run(broken) == {"scale": "cached", "mark": "failed", "table": "skipped"}
    assert clean() == []
    assert run() == dict.fromkeys(NAMES, "cached")


def test_another_pipeline_in_the_same_folder_keeps_its_results(run, lab, clean):
    run()
    other = lab.write("tasks: {one: {module: MODULE.Source}}", "pipeline.other.yaml")
    TaskManager(make_plan(other)).run()
    assert clean() == []


def test_a_node_that_is_gone(run, clean, out):
    run()
    own = out / "table/notes.txt"
    own.write_text("mine")
    shorter = TEXT.partition("  table:")[0]
    run(shorter)
    assert ("export", "table") not in clean(keep_outputs=True)
    assert (out / "table/dataframe.csv").exists()
    assert clean() == [("export", "table")]
    assert listed(out / "table") == {own}, "with its CSV, its Parquet and its stamp"
    assert (out / "mark/label.ome.tif").exists()


def test_an_export_that_somebody_changed_stays(run, clean, out):
    run()
    table = out / "table/dataframe.csv"
    table.write_text("my own numbers")
    run(TEXT.partition("  table:")[0])
    assert ("export", "table") in clean()
    assert table.read_text() == "my own numbers"


def test_an_export_folder_elsewhere_is_not_followed(run, clean, out, tmp_path):
    run()
    shutil.move(out / "table", tmp_path / "elsewhere")
    (out / "table").symlink_to(tmp_path / "elsewhere")
    before = listed(tmp_path / "elsewhere")
    assert ("export", "table") not in clean(everything=True)
    assert listed(tmp_path / "elsewhere") == before


def test_a_stamp_that_names_other_places(run, clean, out, tmp_path):
    run()
    victim = tmp_path / "victim"
    victim.write_text("x")
    stamp = out / "table/.exported.json"
    known = json.loads(stamp.read_text())
    status = victim.stat()
    for path in (str(victim), "..", "", "/"):
        finding = {"path": path, "size": status.st_size, "mtime_ns": status.st_mtime_ns}
        known["findings"].append(finding)
    stamp.write_text(json.dumps(known))
    clean(everything=True)
    assert victim.exists()
    for text in ("[]", "3", '{"key": 1}', '{"findings": 3, "key": "x"}', "{"):
        (out / "table").mkdir(exist_ok=True)
        stamp.write_text(text)
        assert run() == dict.fromkeys(NAMES, "succeeded")
        clean(everything=True)


def test_decoded_channels_count_as_results(run, lab, clean, out):
    run()
    assert clean() == []
    decoded = out / ".cyto/store/channels"
    first = set(decoded.iterdir())
    lab.image("movie.tif", (2, 8, 9), compression="zlib")
    run()
    assert ("channel", "t") in clean()
    assert len(set(decoded.iterdir()) - first) == len(set(decoded.iterdir())) == 1
    assert run() == dict.fromkeys(NAMES, "cached")


def test_a_channel_of_a_node_that_failed_stays(run, clean, out):
    run("channels: {t: movie.tif}\ntasks: {boom: {module: MODULE.Boom}}")
    assert clean() == []
    assert list((out / ".cyto/store/channels").glob("*/t.npy"))


def test_what_a_killed_run_published_stays(run, clean, out):
    """The driver was killed between publishing and recording."""
    run()
    run(CHANGED)
    records = sorted((out / ".cyto/runs").glob("*/events.jsonl"), key=lambda p: p.stat().st_mtime)
    lines = records[-1].read_text().splitlines(keepends=True)
    kept = [
        line for line in lines if '"run_finished"' not in line and '"node_finished"' not in line
    ]
    records[-1].write_text("".join(kept))
    assert clean() == []
    assert run(CHANGED) == dict.fromkeys(NAMES, "cached")
    assert clean() == [("result", name) for name in sorted(NAMES)], "now those of the first run"


def test_damaged_and_half_written_things_go(run, clean, out, lab):
    run()
    store = out / ".cyto/store"
    pixels = next(store.glob("??/*/label.npy"))
    pixels.write_bytes(b"")
    key = pixels.parent.name
    channel = next(store.glob("channels/*"))
    made = [
        store / ".discard-1/x", store / "aa/.discard-2/x", out / ".cyto/runs/.discard-3/x",
        channel / ".0123456789abcdef.tmp", out / "mark/.0123456789abcdef.tmp",
        out / "mark/.0123456789abcdef.old/x", out / "mark/.exported.part",
    ]  # fmt: skip
    mine = [out / "mark/.hidden", out / "mark/.tmp", channel / "t.npy"]
    for path in made:
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text("half")
    for path in mine[:2]:
        path.touch()
    gone = clean()
    assert {kind for kind, _ in gone} == {"half-written"}
    assert len(gone) == len(made) + 1
    assert ("half-written", key) in gone
    assert not any(path.exists() for path in made)
    assert all(path.exists() for path in mine)
    assert run() == {**dict.fromkeys(NAMES, "cached"), "mark": "succeeded"}


def test_only_what_is_older(run, clean, out):
    run()
    run(CHANGED)
    assert clean(older_s=3600) == []
    assert list((out / ".cyto/runs").glob("*/jobs"))
    for path in (out / ".cyto").rglob("*"):
        os.utime(path, (1e9, 1e9))
    assert clean(older_s=3600) == [], "a record says when it was used"
    for record in (out / ".cyto/runs").glob("*/events.jsonl"):
        past = [
            {**json.loads(line), "time": time.time() - 7200}
            for line in record.read_text().splitlines()
        ]
        record.write_text("".join(json.dumps(event) + "\n" for event in past))
        os.utime(record, (record.stat().st_mtime - 7200,) * 2)
    assert clean(older_s=10800) == []
    assert clean(older_s=3600) == [("result", name) for name in sorted(NAMES)]


def test_all_but_what_is_for_people(run, clean, out):
    run()
    exports = {path for path in listed(out) if ".cyto" not in path.parts}
    clean(everything=True, keep_outputs=True)
    assert listed(out) == {*exports, out / ".cyto/lock"}
    assert clean() == [], "what was kept is kept on"
    assert run() == dict.fromkeys(NAMES, "succeeded")


def test_all(run, clean, out, lab):
    run()
    (out / "mine.txt").touch()
    clean(everything=True)
    logs = {out / "logs" / f"{name}.log" for name in NAMES}
    assert listed(out) == {*logs, out / "mine.txt", out / ".cyto/lock"}
    assert not (out / "mark").exists()
    assert (lab / "movie.tif").exists()
    assert run() == dict.fromkeys(NAMES, "succeeded")


def test_a_kill_in_the_middle_is_no_harm(run, clean, out, monkeypatch):
    """Each call dies after its first rename: what was taken is out of sight, the rest whole."""
    run()
    run(CHANGED)

    def killed(*_, **__):
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr(shutil, "rmtree", killed)
        for step in range(5):  # three results, the jobs of two runs
            with pytest.raises(KeyboardInterrupt):
                cleaning.remove(cleaning.choose(take_inventory(out)))
            assert len(list(out.rglob(".discard*"))) == step + 1
            half = [item.name for item in take_inventory(out) if item.kind == "half-written"]
            assert len(half) == step + 1
            assert all(name.startswith(".discard") for name in half)
    assert {kind for kind, _ in clean()} == {"half-written"}
    assert not list(out.rglob(".discard*"))
    assert run(CHANGED) == dict.fromkeys(NAMES, "cached")
    assert run() == dict.fromkeys(NAMES, "succeeded")


def test_what_cannot_be_removed_is_said(run, out, monkeypatch):
    run()
    run(CHANGED)
    monkeypatch.setattr(shutil, "rmtree", lambda *_, **__: None)
    left = cleaning.remove(cleaning.choose(take_inventory(out)))
    assert len(left) == 5


def test_a_folder_that_is_none_of_ours(run, out, lab, tmp_path):
    (tmp_path / "empty").mkdir()
    for folder in (tmp_path / "empty", tmp_path / "none"):
        with pytest.raises(ConfigError, match="has no \\.cyto\n    name the output_dir"):
            check_output_dir(folder)
    run()
    with pytest.raises(ConfigError, match=f"did you mean {out}"):
        check_output_dir(lab.folder)
