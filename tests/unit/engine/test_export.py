"""Exports: what is not ours is kept, and nothing of an earlier result stays."""

from __future__ import annotations

import os
import shutil
from contextlib import nullcontext
from pathlib import Path

import networkx as nx
import numpy as np
import pandas as pd
import pytest

from cyto.core.request import Ref
from cyto.engine.export import export_entry
from cyto.engine.plan import Export
from cyto.engine.stamps import Stamp
from cyto.engine.store import Entry
from cyto.errors import TaskOutputError
from cyto.runners import exchange


def value(number, key="0"):
    return Entry(key=key * 32, outputs={"x": Ref("value", "inline", value=number)})


@pytest.fixture
def folder(tmp_path):
    return tmp_path / "output" / "node"


def names(folder):
    """Name all files below a folder but hidden ones."""
    found = (path for path in folder.rglob("*") if path.is_file())
    return sorted(str(p.relative_to(folder)) for p in found if not p.name.startswith("."))


@pytest.mark.parametrize("key", "01")
def test_what_a_user_edited_is_kept_beside(folder, key):
    """Whether the result is the same as before or another."""
    (found,) = export_entry(value(1), folder, Export())
    (folder / "x.json").write_text("mine")
    found, kept = export_entry(value(int(key) + 1, key), folder, Export())
    assert (folder / "x.json").read_text() == f"{int(key) + 1}\n"
    assert (kept.path, kept.text) == (str(folder / "kept/x.json"), "was there, or was edited: kept")
    assert (folder / "kept/x.json").read_text() == "mine"
    assert export_entry(value(int(key) + 1, key), folder, Export()) == (found,), "said once"
    (folder / "x.json").write_text("mine too")
    assert export_entry(value(3, "2"), folder, Export())[1].path.endswith("/kept-2/x.json")
    assert names(folder) == ["kept-2/x.json", "kept/x.json", "x.json"]


@pytest.mark.parametrize("named", [False, True])
def test_what_was_there_before_us_is_kept(folder, named, tmp_path):
    how = Export(files={"x": "node/x.json"}) if named else Export()
    folder.mkdir(parents=True)
    (folder / "x.json").write_text("of another program")
    _, kept = export_entry(value(1), folder, how, tmp_path / "stamp.json" if named else None)
    assert Path(kept.path).read_text() == "of another program"
    assert names(folder) == ["kept/x.json", "x.json"]


def test_a_moved_copy_is_not_an_edited_file(folder, tmp_path):
    export_entry(value(1), folder, Export())
    moved = tmp_path / "moved" / "node"
    shutil.copytree(folder, moved, copy_function=shutil.copyfile)
    assert len(export_entry(value(2, "1"), moved, Export())) == 1
    assert names(moved) == ["x.json"]
    assert (folder / "x.json").read_text() == "1\n"


def test_what_a_kill_left_without_its_stamp_is_ours(folder, monkeypatch):
    with monkeypatch.context() as killed:
        killed.setattr(Stamp, "write", lambda *_: (_ for _ in ()).throw(KeyboardInterrupt))
        with pytest.raises(KeyboardInterrupt):
            export_entry(value(1), folder, Export())
    assert names(folder) == ["x.json"]
    assert len(export_entry(value(2, "1"), folder, Export())) == 1
    assert names(folder) == ["x.json"]
    assert not (folder / ".exported.begun").exists()


def test_two_nodes_that_take_turns_in_one_file_keep_nothing(folder, tmp_path):
    """A step that is left out and put in again: both write the same name."""
    how = Export(files={"x": "t/x.json"})
    for turn in range(2):
        for node in "ab":
            key = str(turn) + node
            entry = Entry(key=key * 16, outputs={"x": Ref("value", "inline", value=key)})
            assert len(export_entry(entry, folder, how, tmp_path / f"exports/{node}.json")) == 1
    assert names(folder.parent / "t") == ["x.json"]


def test_results_of_another_pipeline_stay(folder, tmp_path):
    """Its node has the same name, and its files may be inputs now."""
    stamp = tmp_path / "stamp.json"
    for number, name in enumerate(["one/x.json", "two/x.json", "two/y.json"]):
        export_entry(value(number, str(number)), folder, Export(files={"x": name}), stamp)
    assert names(folder.parent) == ["one/x.json", "two/x.json", "two/y.json"]


def test_names_that_differ_in_a_number_are_of_other_things(folder, tmp_path):
    """Such as those of wells, one after the other, by the same node."""
    stamp = tmp_path / "stamp.json"
    for turn in range(2):
        for number in range(3):
            how = Export(files={"x": f"node/x_{number}.json"})
            entry = value(10 * turn + number, f"{turn}{number}")
            assert len(export_entry(entry, folder, how, stamp)) == 1, "nothing is kept"
    assert names(folder) == ["x_0.json", "x_1.json", "x_2.json"]


def test_edits_inside_a_folder_are_edits(folder, tmp_path):
    """A folder's own size and time do not tell."""
    ref = exchange.save(np.zeros((1, 8, 8), np.uint8), "label", tmp_path, "x")
    how = Export(images="ome-zarr")
    export_entry(Entry(key="0" * 32, outputs={"x": ref}), folder, how)
    chunk = next(p for p in (folder / "x.ome.zarr/0").rglob("*") if p.is_file() and "c" in p.parts)
    chunk.write_bytes(b"mine")
    _, kept = export_entry(Entry(key="0" * 32, outputs={"x": ref}), folder, how)
    assert (Path(kept.path) / chunk.relative_to(folder / "x.ome.zarr")).read_bytes() == b"mine"
    assert chunk.read_bytes() != b"mine"


def test_old_times_hide_no_edits(folder, tmp_path):
    """As of a file that was copied over it with its times."""
    ref = exchange.save(np.zeros((1, 8, 8), np.uint8), "label", tmp_path, "x")
    how = Export(images="ome-zarr")
    entry = Entry(key="0" * 32, outputs={"x": ref, "y": Ref("value", "inline", value=1)})
    export_entry(entry, folder, how)
    chunk = next(p for p in (folder / "x.ome.zarr/0").rglob("*") if p.is_file() and "c" in p.parts)
    for path in (chunk, folder / "y.json"):
        times = path.stat().st_mtime_ns
        path.write_bytes(b"longer than it was before, by hand")
        os.utime(path, ns=(times - 1, times - 1))
    assert export_entry(entry, folder, how)[-1].text.endswith("kept, and 1 more")
    other = Entry(key="1" * 32, outputs={"y": Ref("value", "inline", value=2)})
    times = (folder / "y.json").stat().st_mtime_ns
    (folder / "y.json").write_text("by hand, with the time that it had")
    os.utime(folder / "y.json", ns=(times, times))
    assert export_entry(other, folder, how)[-1].path.endswith("kept-2/y.json")


def test_what_was_kept_is_told_though_the_export_failed(folder, tmp_path):
    network = nx.Graph()
    network.add_nodes_from([1, "1"])
    bad = Ref("value", "inline", value=5)
    export_entry(value(1), folder, Export())
    (folder / "x.json").write_text("mine")
    net = exchange.save(network, "network", tmp_path, "n")
    both = Entry(key="3" * 32, outputs={"x": bad, "n": net})
    with pytest.raises(TaskOutputError):
        export_entry(both, folder, Export())
    _, kept = export_entry(value(6, "4"), folder, Export())
    assert (kept.path, names(folder)) == (str(folder / "kept/x.json"), ["kept/x.json", "x.json"])


def test_in_a_copy_names_change_to_and_fro(folder, tmp_path):
    stamp = folder.parent / "exports/node.json"
    export_entry(value(0), folder, Export(files={"x": "a.json"}), stamp)
    copied = tmp_path / "copied" / "node"
    shutil.copytree(folder.parent, copied.parent, copy_function=shutil.copyfile)
    stamp = copied.parent / "exports/node.json"
    for number, name in enumerate("ba", start=1):
        how = Export(files={"x": f"{name}.json"})
        assert len(export_entry(value(number, str(number)), copied, how, stamp)) == 1
    assert not (copied.parent / "kept").exists()


def test_a_plain_name_and_the_same_one_given_take_turns(folder, tmp_path):
    stamp = tmp_path / "exports/node.json"
    for turn in range(4):
        how = Export(files={"x": "node/x.json"}) if turn % 2 else Export()
        assert len(export_entry(value(turn, str(turn)), folder, how, stamp)) == 1
    assert names(folder) == ["x.json"]


def test_frames_of_an_export_that_failed_go(folder, tmp_path):
    stamp = tmp_path / "exports/node.json"
    how = Export(files={"n": "nets/n_{frame}.adjlist", "g": "nets/g.graphml"})
    bad = nx.Graph()
    bad.add_nodes_from([1, "1"])
    for frames, other in ((4, bad), (2, nx.Graph())):
        network = nx.Graph(frames=frames)
        network.add_nodes_from((f"{frame}:1", {"frame": frame}) for frame in range(frames))
        refs = {
            key: exchange.save(each, "network", tmp_path / f"{key}{frames}", key)
            for key, each in (("n", network), ("g", other))
        }
        entry = Entry(key=str(frames) * 32, outputs=refs)
        with pytest.raises(TaskOutputError) if other is bad else nullcontext():
            assert len(export_entry(entry, folder, how, stamp)) == 2
    assert names(folder.parent / "nets") == ["g.graphml", "n_0000.adjlist", "n_0001.adjlist"]


def test_a_copied_folder_is_judged_by_its_own_files(folder, tmp_path):
    export_entry(value(1), folder, Export())
    copied = tmp_path / "copied" / "node"
    shutil.copytree(folder, copied)
    (copied / "x.json").unlink()
    (found,) = export_entry(value(1), copied, Export())
    assert found.path == str(copied / "x.json")
    assert names(copied) == ["x.json"]


def test_what_is_edited_after_a_kill_is_kept(folder, monkeypatch):
    with monkeypatch.context() as killed:
        killed.setattr(Stamp, "write", lambda *_: (_ for _ in ()).throw(KeyboardInterrupt))
        with pytest.raises(KeyboardInterrupt):
            export_entry(value(1), folder, Export())
    (folder / "x.json").write_text("mine, by hand")
    assert len(export_entry(value(2, "1"), folder, Export())) == 2
    assert names(folder) == ["kept/x.json", "x.json"]


def test_a_file_named_as_the_folder_for_kept_ones_is_in_nobodys_way(folder):
    folder.mkdir(parents=True)
    (folder / "kept").write_text("mine")
    (folder / "x.json").write_text("mine too")
    assert export_entry(value(1), folder, Export())[1].path.endswith("/kept-2/x.json")


def test_other_forms_of_a_result_are_removed(folder, tmp_path):
    table = exchange.save(pd.DataFrame({"a": [1]}), "dataframe", tmp_path, "t")
    export_entry(Entry(key="0" * 32, outputs={"t": table}), folder, Export(parquet=True))
    (folder / "t.txt").write_text("mine")
    assert names(folder) == ["t.csv", "t.parquet", "t.txt"]
    export_entry(Entry(key="0" * 32, outputs={"t": table}), folder, Export())
    assert names(folder) == ["t.csv", "t.txt"]


def test_a_shorter_movie_leaves_no_networks_of_the_longer(folder, tmp_path):
    how = Export(files={"n": "nets/n_{frame}.adjlist"})
    stamp = tmp_path / "stamp.json"
    for frames in (3, 2):
        network = nx.Graph(frames=frames)
        network.add_nodes_from((f"{frame}:1", {"frame": frame}) for frame in range(frames))
        ref = exchange.save(network, "network", tmp_path / str(frames), "n")
        export_entry(Entry(key=str(frames) * 32, outputs={"n": ref}), folder, how, stamp)
        made = names(folder.parent / "nets")
        assert made == [f"n_{frame:04}.adjlist" for frame in range(frames)]
