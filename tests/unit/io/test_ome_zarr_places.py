"""OME-Zarr folders replace only their like, and refuse what they cannot hold."""

from __future__ import annotations

import subprocess
import sys

import numpy as np
import pytest

from cyto.errors import TaskOutputError
from cyto.io import ome_zarr
from cyto.io.images import Context
from cyto.io.ome_zarr import write_ome_zarr

zarr = pytest.importorskip("zarr")

CONTEXT = Context(pixel_size_um=0.325, frame_interval_s=90.0, channel="grün <1>")


def level(folder):
    return zarr.open_array(zarr.storage.LocalStore(folder), mode="r")[...]


@pytest.mark.parametrize("name", ["Zellen é µ", 'it\'s 50% "done"; rm -rf', "line\nbreak", "a*?["])
def test_hostile_names(here, movie, name):
    labels = {name: movie(2, 30, 40)}
    write_ome_zarr(here / f"{name}.ome.zarr", movie(2, 30, 40), CONTEXT, labels=labels)
    np.testing.assert_array_equal(here.read(f"{name}.ome.zarr")[0], movie(2, 30, 40))
    inside = f"{name}.ome.zarr/labels/{name}"
    np.testing.assert_array_equal(here.read(inside)[0], movie(2, 30, 40))


@pytest.mark.parametrize("name", ["", ".", "..", "a/b", "../../x", "/x", "__x", "a\0b", "a\\b"])
def test_names_that_would_be_paths(tmp_path, movie, name):
    with pytest.raises(TaskOutputError, match="cannot be called"):
        write_ome_zarr(tmp_path / "a.zarr", movie(2, 3, 4), CONTEXT, labels={name: movie(2, 3, 4)})
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    ("array", "options", "words"),
    [
        (np.zeros((2, 3, 4, 5)), {}, "cannot be written as an image"),
        (np.zeros((0, 3, 4)), {}, "cannot be written as an image"),
        (np.zeros((3, 4), complex), {}, "complex128"),
        (np.zeros((3, 4)), {"label": True}, "label image of float64"),
        (np.full((3, 4), -1), {"label": True}, "negative label -1"),
        (np.zeros((3, 4)), {"labels": {"n": np.zeros((3, 5), int)}}, "its image of"),
        (np.zeros((3, 4)), {"labels": {"n": np.zeros((3, 4))}}, "label image of float64"),
        (np.zeros((3, 4)), {"compression": "lzma"}, "cannot be compressed with 'lzma'"),
    ],
)
def test_what_cannot_be_written(tmp_path, array, options, words):
    with pytest.raises(TaskOutputError, match=words):
        write_ome_zarr(tmp_path / "a.zarr", array, Context(), **options)
    assert list(tmp_path.iterdir()) == []


def test_an_older_one_is_replaced_whole(here, movie, monkeypatch):
    write_ome_zarr(here / "a.zarr", movie(3, 30, 40), CONTEXT, labels={"n": movie(3, 30, 40)})
    with monkeypatch.context() as patch:
        patch.setattr(ome_zarr, "halved", lambda *_, **__: 1 / 0)
        with pytest.raises(ZeroDivisionError):
            write_ome_zarr(here / "a.zarr", movie(2, 300, 40), CONTEXT)
    assert [p.name for p in here.path.iterdir()] == ["a.zarr"]
    np.testing.assert_array_equal(here.read("a.zarr")[0], movie(3, 30, 40))
    write_ome_zarr(here / "a.zarr", movie(2, 20, 40), CONTEXT)
    np.testing.assert_array_equal(here.read("a.zarr")[0], movie(2, 20, 40))
    assert not (here / "a.zarr/labels").exists()
    assert sorted(p.name for p in here.path.iterdir()) == ["a.zarr", "out"]


def test_what_is_no_zarr_is_never_deleted(tmp_path, movie):
    (tmp_path / "a.zarr").mkdir()
    write_ome_zarr(tmp_path / "a.zarr", movie(2, 3, 4), CONTEXT)
    (tmp_path / "b.zarr").mkdir()
    (tmp_path / "b.zarr/thesis.txt").write_text("all of it")
    (tmp_path / "c.zarr").write_text("a file")
    for name in ("b.zarr", "c.zarr"):
        with pytest.raises(TaskOutputError, match="is no OME-Zarr"):
            write_ome_zarr(tmp_path / name, movie(2, 3, 4), CONTEXT)
    assert (tmp_path / "b.zarr/thesis.txt").read_text() == "all of it"


def test_a_link_is_replaced_not_followed(tmp_path, movie):
    write_ome_zarr(tmp_path / "real.zarr", movie(2, 3, 4), CONTEXT)
    (tmp_path / "a.zarr").symlink_to("real.zarr")
    write_ome_zarr(tmp_path / "a.zarr", movie(5, 3, 4), CONTEXT)
    assert level(tmp_path / "real.zarr/0").shape[0] == 2
    assert level(tmp_path / "a.zarr/0").shape[0] == 5
    assert sorted(p.name for p in tmp_path.iterdir()) == ["a.zarr", "real.zarr"]


def test_without_the_library(tmp_path):
    program = """
import sys
sys.modules["zarr"] = None
import pathlib
import numpy as np
from cyto.errors import TaskOutputError
from cyto.io.exports import export_value
try:
    export_value(np.zeros((2, 3)), "image", pathlib.Path(sys.argv[1]), "n", form="ome-zarr")
except TaskOutputError as error:
    assert "pip install 'pycyto[zarr]'" in str(error), error
else:
    sys.exit("written")
"""
    subprocess.run([sys.executable, "-c", program, str(tmp_path)], check=True)
    assert list(tmp_path.iterdir()) == []
