"""OME-Zarr is written as its specification has it, and read back equal."""

from __future__ import annotations

import json
import subprocess
import sys

import numpy as np
import pytest

from cyto.errors import TaskOutputError
from cyto.io import ome_zarr
from cyto.io._pyramid import halved, level_shapes
from cyto.io.exports import export_value
from cyto.io.images import Context
from cyto.io.ome_zarr import write_ome_zarr

zarr = pytest.importorskip("zarr")
numcodecs = pytest.importorskip("numcodecs")

CONTEXT = Context(pixel_size_um=0.325, frame_interval_s=90.0, channel="grün <1>")


def ome(folder):
    """Give a group's attributes, from the text of its file."""
    return json.loads((folder / "zarr.json").read_text())["attributes"]["ome"]


def level(folder):
    return zarr.open_array(zarr.storage.LocalStore(folder), mode="r")[...]


@pytest.mark.parametrize(
    ("kind", "dtype", "stored"),
    [
        ("image", "uint8", "uint8"),
        ("image", "uint16", "uint16"),
        ("image", ">u2", "uint16"),
        ("image", "float32", "float32"),
        ("image", "float64", "float64"),
        ("image", "float16", "float32"),
        ("image", "int64", "int64"),
        ("image", "bool", "uint8"),
        ("label", "uint16", "uint16"),
        ("label", "uint64", "uint64"),
        ("label", "int32", "uint32"),
    ],
)
@pytest.mark.parametrize("compression", [None, "zstd", "zlib", "none"])
def test_round_trip(here, movie, kind, dtype, stored, compression):
    array = movie(3, 30, 40, dtype="int32").astype(dtype)
    path = export_value(
        array, kind, here / "out é", "n", form="ome-zarr", compression=compression, **vars(CONTEXT)
    )
    assert path == here / "out é" / "n.ome.zarr"
    assert [p.name for p in path.parent.iterdir()] == ["n.ome.zarr"]
    read, _, channel = here.read("out é/n.ome.zarr")
    assert read.dtype == np.dtype(stored)
    np.testing.assert_array_equal(read, array)
    assert channel.pixel_size_um == pytest.approx(0.325)
    assert channel.frame_interval_s == 90.0
    assert channel.channel_name == ("grün <1>" if kind == "image" else None)


def test_metadata_are_those_of_the_specification(tmp_path, movie):
    path = tmp_path / "m.ome.zarr"
    write_ome_zarr(path, movie(2, 600, 301), CONTEXT, labels={"T cells": movie(2, 600, 301)})
    found = ome(path)
    assert found["version"] == "0.5"
    (image,) = found["multiscales"]
    assert image["name"] == "m"
    assert image["axes"] == [
        {"name": "t", "type": "time", "unit": "second"},
        {"name": "c", "type": "channel"},
        {"name": "y", "type": "space", "unit": "micrometer"},
        {"name": "x", "type": "space", "unit": "micrometer"},
    ]
    assert [d["path"] for d in image["datasets"]] == ["0", "1", "2"]
    assert image["datasets"][2]["coordinateTransformations"] == [
        {"type": "scale", "scale": [90.0, 1.0, 1.3, 1.3]},
        {"type": "translation", "translation": [0.0, 0.0, *[pytest.approx(0.4875)] * 2]},
    ]
    (channel,) = found["omero"]["channels"]
    assert channel["label"] == "grün <1>"
    window = {"start": 0, "end": int(movie(2, 600, 301).max()), "min": 0, "max": 65535}
    assert channel["window"] == window
    assert ome(path / "labels") == {"version": "0.5", "labels": ["T cells"]}
    label = ome(path / "labels/T cells")
    assert label["image-label"]["source"] == {"image": "../../"}
    assert len(label["multiscales"][0]["datasets"]) == len(image["datasets"])
    for place in (path / "0", path / "1", path / "labels/T cells/2"):
        array = json.loads((place / "zarr.json").read_text())
        assert array["dimension_names"] == [axis["name"] for axis in image["axes"]]
        assert array["zarr_format"] == 3


def test_nothing_known_is_nothing_said(here, movie):
    write_ome_zarr(here / "a.zarr", movie(30, 40), Context())
    assert not any("unit" in axis for axis in ome(here / "a.zarr")["multiscales"][0]["axes"])
    assert "label" not in ome(here / "a.zarr")["omero"]["channels"][0]
    channel = here.inspect("a.zarr")
    assert channel.shape == (1, 30, 40)
    assert (channel.pixel_size_um, channel.frame_interval_s, channel.channel_name) == (None,) * 3


def test_chunks_hold_the_pixels(tmp_path, movie):
    """Read without zarr: a chunk is one frame in Blosc's frame."""
    whole = movie(2, 30, 40)
    write_ome_zarr(tmp_path / "a.zarr", whole, Context())
    raw = numcodecs.blosc.decompress((tmp_path / "a.zarr/0/c/1/0/0/0").read_bytes())
    np.testing.assert_array_equal(np.frombuffer(raw, "<u2").reshape(30, 40), whole[1])


def test_large_frames_are_split(tmp_path, movie):
    whole = movie(1, 1030, 20)
    write_ome_zarr(tmp_path / "a.zarr", whole, Context())
    np.testing.assert_array_equal(level(tmp_path / "a.zarr/0")[0, 0], whole[0])
    assert len(list((tmp_path / "a.zarr/0/c/0/0").iterdir())) == 2


def test_smaller_sizes(tmp_path, movie):
    image, label = movie(2, 301, 256), movie(2, 301, 256, dtype="uint32")
    write_ome_zarr(tmp_path / "a.zarr", image, Context(), labels={"n": label})
    first = level(tmp_path / "a.zarr/1")[:, 0]
    second = level(tmp_path / "a.zarr/labels/n/1")[:, 0]
    padded = np.pad(image, [(0, 0), (0, 1), (0, 0)], mode="edge").astype(float)
    means = padded.reshape(2, 151, 2, 128, 2).mean(axis=(2, 4))
    np.testing.assert_array_equal(first, np.floor(means + 0.5))
    np.testing.assert_array_equal(second, label[:, ::2, ::2])
    assert not (tmp_path / "a.zarr/2").exists()


@pytest.mark.parametrize("dtype", ["u1", "i1", "u2", "i2", "u4", "i4", "u8", "i8", "f4", "f8"])
@pytest.mark.parametrize("shape", [(4, 6), (5, 7), (1, 1), (1, 300)])
def test_means_stay_in_range(dtype, shape):
    ends = np.finfo(dtype) if dtype[0] == "f" else np.iinfo(dtype)
    for value in (ends.min, ends.max):
        small = halved(np.full(shape, value, dtype), label=False)
        assert small.shape == tuple((n + 1) // 2 for n in shape)
        assert (small == value).all()
        assert small.dtype == dtype


def test_means_of_wide_integers():
    frame = np.array([[-3, 2], [7, 9]])
    assert halved(frame, label=False) == halved(frame.astype("i4"), label=False) == 4
    assert halved(np.array([[1, 2], [2, 2]], "u8"), label=False) == 2


def test_levels():
    assert level_shapes(255, 255) == ((255, 255),)
    assert level_shapes(1, 256) == ((1, 256), (1, 128))
    assert level_shapes(1000, 600) == ((1000, 600), (500, 300), (250, 150))


def test_floats_that_are_not_finite(tmp_path):
    frame = np.array([[np.nan, -2.0], [np.inf, 7.0]], np.float32)
    write_ome_zarr(tmp_path / "a.zarr", frame, Context())
    window = ome(tmp_path / "a.zarr")["omero"]["channels"][0]["window"]
    assert window == {"start": -2.0, "end": 7.0, "min": -2.0, "max": 7.0}
    np.testing.assert_array_equal(level(tmp_path / "a.zarr/0")[0, 0], frame)
    write_ome_zarr(tmp_path / "b.zarr", np.full((2, 2), np.nan), Context())
    assert ome(tmp_path / "b.zarr")["omero"]["channels"][0]["window"]["end"] == 1.0


def test_blank_frames_are_written(here):
    write_ome_zarr(here / "a.zarr", np.zeros((3, 30, 40), np.uint16), Context(), label=True)
    assert len(list((here / "a.zarr/0/c").iterdir())) == 3
    assert not here.read("a.zarr")[0].any()


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


def test_memory_is_bounded(tmp_path):
    program = """
import resource, sys
from pathlib import Path
import numpy as np
import zarr
from cyto.io.images import Context
from cyto.io.ome_zarr import write_ome_zarr
folder = Path(sys.argv[1])
movie = np.lib.format.open_memmap(folder / "a.npy", "w+", "u2", (100, 1024, 1024))
for t in range(100):
    movie[t] = t
del movie
write_ome_zarr(folder / "b.zarr", np.zeros((1, 1024, 1024), "u2"), Context())
movie = np.load(folder / "a.npy", mmap_mode="r")
before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
write_ome_zarr(folder / "a.zarr", movie, Context(), labels={"n": movie})
print(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before)
"""
    done = subprocess.run(
        [sys.executable, "-c", program, str(tmp_path)], check=True, capture_output=True, text=True
    )
    assert int(done.stdout) < 100_000  # kB


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
