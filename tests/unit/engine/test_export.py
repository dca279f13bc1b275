"""Exports: what a user has made of them is kept, and nothing of an earlier result stays."""

from __future__ import annotations

import shutil

import networkx as nx
import pandas as pd
import pytest

from cyto.core.request import Ref
from cyto.engine.export import export_entry
from cyto.engine.plan import Export
from cyto.engine.store import Entry
from cyto.runners import exchange


def value(number, key="0"):
    return Entry(key=key * 32, outputs={"x": Ref("value", "inline", value=number)})


@pytest.fixture
def folder(tmp_path):
    return tmp_path / "output" / "node"


def names(folder):
    return sorted(path.name for path in folder.iterdir() if not path.name.startswith("."))


@pytest.mark.parametrize("key", "01")
def test_what_a_user_edited_is_kept_beside(folder, key):
    """Whether the result is the same as before or another."""
    (found,) = export_entry(value(1), folder, Export())
    (folder / "x.json").write_text("mine")
    found, yours = export_entry(value(int(key) + 1, key), folder, Export())
    assert (folder / "x.json").read_text() == f"{int(key) + 1}\n"
    assert yours.path == str(folder / "x.edited.json")
    assert (folder / "x.edited.json").read_text() == "mine"
    assert export_entry(value(int(key) + 1, key), folder, Export()) == (found,), "said once"
    (folder / "x.json").write_text("mine too")
    assert export_entry(value(3, "2"), folder, Export())[1].path.endswith("/x.edited-2.json")
    assert names(folder) == ["x.edited-2.json", "x.edited.json", "x.json"]


def test_a_moved_copy_is_not_an_edited_file(folder, tmp_path):
    export_entry(value(1), folder, Export())
    moved = tmp_path / "moved" / "node"
    shutil.copytree(folder, moved, copy_function=shutil.copyfile)
    assert len(export_entry(value(2, "1"), moved, Export())) == 1
    assert names(moved) == ["x.json"]
    assert (folder / "x.json").read_text() == "1\n"


def test_files_without_a_successor_are_removed(folder, tmp_path):
    table = exchange.save(pd.DataFrame({"a": [1]}), "dataframe", tmp_path, "t")
    export_entry(Entry(key="0" * 32, outputs={"t": table}), folder, Export(parquet=True))
    (folder / "notes.txt").write_text("mine")
    assert names(folder) == ["notes.txt", "t.csv", "t.parquet"]
    export_entry(Entry(key="0" * 32, outputs={"t": table}), folder, Export())
    assert names(folder) == ["notes.txt", "t.csv"]


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
