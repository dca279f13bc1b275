"""What a power loss can leave of each file: the next run finds it, and ends with equal results."""

from __future__ import annotations

import hashlib
import json
import os
import shutil
from pathlib import Path

import pytest

from cyto.engine import stamps
from cyto.engine.lock import RunLock
from cyto.engine.manager import TaskManager
from cyto.engine.planning import make_plan
from cyto.engine.record import read_events
from cyto.errors import RunLockedError
from cyto.io import digests

TEXT = """
channels: {tcell: movie.tif}
tasks:
  scale: {module: MODULE.Scale, output: true}
  mark: {module: MODULE.Mark, inputs: {image: scale}, output: true}
  table: {module: MODULE.Table, inputs: {label: mark.label}, output: {parquet: true}}
  graph: {module: MODULE.Graph, inputs: {dataframe: table}, output: true}
"""
NODES = ["scale", "mark", "table", "graph"]


def zero(path: Path) -> None:
    """Leave a file its size, and none of its bytes."""
    _replace(path, bytes(path.stat().st_size))


def empty(path: Path) -> None:
    _replace(path, b"")


def half(path: Path) -> None:
    _replace(path, path.read_bytes()[: path.stat().st_size // 2])


def _replace(path: Path, text: bytes) -> None:
    """Change what is in a file, which keeps its times: nobody wrote into it."""
    stat = path.stat()
    path.write_bytes(text)
    os.utime(path, ns=(stat.st_atime_ns, stat.st_mtime_ns))


LOSSES = [zero, empty, half]


@pytest.fixture
def run(lab, nothing_left):
    """Run the pipeline in this process; give the outcomes."""
    lab.image("movie.tif", compression="zlib")  # so that the store holds a decoded copy
    os.utime(lab / "movie.tif", ns=(0, 10**18))  # long ago, so that its digest is remembered
    lab.write(TEXT)

    def run():
        report = TaskManager(make_plan(lab.pipeline)).run()
        nothing_left()
        assert report.exit_code == 0, report
        return {name: node.outcome.value for name, node in report.nodes.items()}

    return run


@pytest.fixture
def done(lab, run):
    """Run it once; give what it left."""
    assert set(run().values()) == {"succeeded"}
    return left(lab)


def left(lab) -> dict[str, str]:
    """Give the contents of the store's results and of all that lies there for people."""
    output = lab / "output"
    found = {}
    for path in output.rglob("*"):
        name = str(path.relative_to(output))
        ours = name.startswith(".cyto") and "/store/" not in name
        if path.is_file() and not ours and path.name not in {"manifest.json", ".exported.json"}:
            found[name] = hashlib.sha256(path.read_bytes()).hexdigest()
    return found


def start_anew(monkeypatch) -> None:
    monkeypatch.setattr(stamps, "boot", lambda: "after the power loss")


def entry(lab, node) -> Path:
    return next(p.parent for p in lab.store() if json.loads(p.read_text())["facts"]["node"] == node)


@pytest.mark.parametrize("lose", LOSSES)
@pytest.mark.parametrize(
    "names",
    [
        {"mark": "manifest.json", "graph": "manifest.json"},
        {"mark": "label.npy", "graph": "network.json"},
        {"scale": "image.npy", "table": "dataframe.arrow"},
    ],
    ids=["manifests", "values", "more values"],
)
def test_files_of_entries(names, lose, lab, run, done):
    for path in [entry(lab, node) / name for node, name in names.items()]:
        lose(path)
    again = dict.fromkeys(names, "succeeded")
    assert run() == {**dict.fromkeys(NODES, "cached"), **again}, "what was lost, and nothing else"
    assert left(lab) == done


def test_an_entry_of_which_only_the_folder_is_there(lab, run, done):
    folder = entry(lab, "table")
    shutil.rmtree(folder)
    folder.mkdir()
    assert run() == {**dict.fromkeys(NODES, "cached"), "table": "succeeded"}
    assert left(lab) == done


@pytest.mark.parametrize("lose", LOSSES)
def test_everything_at_once(lose, lab, run, done):
    for path in (lab / "output").rglob("*"):
        if path.is_file() and path.parent.name != "logs":
            lose(path)
    lose(lab.folder.parent / "cache" / "digests")
    assert set(run().values()) == {"succeeded"}
    # without its stamp nobody knows whose a file is, so it is kept as well
    assert {name: sha for name, sha in left(lab).items() if "/kept/" not in name} == done


@pytest.mark.parametrize("lose", LOSSES)
def test_the_stamp_of_an_export(lose, lab, run, done):
    for node in NODES:
        lose(lab / "output" / node / ".exported.json")
    assert set(run().values()) == {"cached"}
    assert left(lab) == done


EXPORTED = ["scale/image.ome.tif", "table/dataframe.csv", "table/dataframe.parquet",
            "graph/network.graphml", "mark/count.json"]  # fmt: skip


@pytest.mark.parametrize("lose", LOSSES)
def test_exports(lose, lab, run, done, monkeypatch):
    start_anew(monkeypatch)
    for name in EXPORTED:
        lose(lab / "output" / name)
    assert set(run().values()) == {"cached"}
    assert left(lab) == done


def test_exports_are_compared_once_after_a_start_of_the_machine(lab, run, done, monkeypatch):
    compared, digest = [], stamps.file_digest
    monkeypatch.setattr(stamps, "file_digest", lambda p: compared.append(p.name) or digest(p))
    times = {n: (lab / "output" / n).stat().st_mtime_ns for n in EXPORTED}
    run()
    assert compared == [], "the same machine, not started anew: size and time tell"
    start_anew(monkeypatch)
    run()
    assert set(compared) >= {Path(name).name for name in EXPORTED}
    compared.clear()
    run()
    assert compared == []
    assert times == {n: (lab / "output" / n).stat().st_mtime_ns for n in EXPORTED}


def test_the_record_and_the_lock(lab, run, done):
    (path,) = (lab / "output").glob(".cyto/runs/*/events.jsonl")
    whole, data = list(read_events(path)), path.read_bytes()
    lines = data.splitlines(keepends=True)
    for torn, read in [
        (data + bytes(4096), whole),
        (data[:-20], whole[:-1]),
        (data + b"\xff\xfe{}[\n", whole),
        (b"".join([*lines[:2], bytes(100), lines[2][:15] + b"\n", *lines[3:]]),
         whole[:2] + whole[3:]),
    ]:  # fmt: skip
        path.write_bytes(torn)
        assert list(read_events(path)) == read
    lock = lab / "output/.cyto/lock"
    for text in [b"", b"\0" * 70, b'{"pid": 12, "ho', b"\xff\xfe", b"[]"]:
        lock.write_bytes(text)
        with RunLock(lock):
            assert json.loads(lock.read_bytes())["pid"] == os.getpid()
    lock.write_bytes(b"\xff\xfe")
    assert set(run().values()) == {"cached"}
    assert left(lab) == done


@pytest.mark.parametrize("text", [b"", b"\0" * 70, b'{"pid": 12, "ho', b"\xff\xfe", b"[]"])
def test_a_lock_that_is_held_and_does_not_say_by_whom(text, tmp_path):
    with RunLock(tmp_path / "lock"):
        (tmp_path / "lock").write_bytes(text)
        with pytest.raises(RunLockedError, match="has not said which"), RunLock(tmp_path / "lock"):
            pytest.fail("two at once")


@pytest.mark.parametrize("lose", LOSSES)
def test_the_memory_of_digests(lose, lab, run, done):
    memory = lab.folder.parent / "cache" / "digests"
    assert str(lab / "movie.tif") in memory.read_text()
    lose(memory)
    digests._memory.cache_clear()  # as a new process
    assert set(run().values()) == {"cached"}
    assert left(lab) == done
    assert str(lab / "movie.tif") in memory.read_text(errors="replace").splitlines()[-1]


def test_what_killed_writers_left_is_removed(lab, run, done):
    (channel,) = (lab / "output").glob(".cyto/store/channels/*")
    for folder in (lab / "output" / "scale", channel):
        (folder / ".0123456789abcdef.tmp").write_bytes(b"half a file")
        (folder / ".0123456789abcdef.old").mkdir()
        (folder / ".0123456789abcdef.old" / "zarr.json").touch()
        (folder / ".mine.tmp").touch()
    (lab / "output/.cyto/store/01/.discard-0123" / "deep").mkdir(parents=True)
    run()
    for folder in (lab / "output" / "scale", channel):
        hidden = {path.name for path in folder.glob(".*")}
        assert hidden - {".exported.json"} == {".mine.tmp"}, "ours alone"
        (folder / ".mine.tmp").unlink()
    assert list((lab / "output/.cyto/store").glob("*/.discard*")) == []
    assert left(lab) == done
