"""OME-Zarr is written as its specification has it, and read back equal."""

from __future__ import annotations

import json
import subprocess
import sys

import numpy as np
import pytest

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


def test_memory_is_bounded(tmp_path):
    program = """
import resource, sys
from pathlib import Path
import numpy as np
import zarr
from cyto.io.images import Context
from cyto.io.ome_zarr import write_ome_zarr
folder = Path(sys.argv[1])
header = {"descr": "<u2", "fortran_order": False, "shape": (100, 1024, 1024)}
with open(folder / "a.npy", "wb") as stream:  # a map would count as memory here
    np.lib.format.write_array_header_1_0(stream, header)
    for t in range(100):
        stream.write(np.full((1024, 1024), t, "u2").data)
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
