"""Exported images are read back equal; what cannot be exported is refused."""

from __future__ import annotations

import subprocess
import sys

import numpy as np
import pytest
import tifffile

from cyto.errors import TaskOutputError
from cyto.io import images
from cyto.io.exports import export_value


@pytest.mark.parametrize(
    ("kind", "dtype", "stored"),
    [
        ("image", "uint8", "uint8"),
        ("image", "uint16", "uint16"),
        ("image", ">u2", "uint16"),
        ("image", "float32", "float32"),
        ("image", "float64", "float64"),
        ("image", "float16", "float32"),
        ("image", "int64", "int32"),
        ("image", "bool", "uint8"),
        ("label", "uint16", "uint16"),
        ("label", "uint32", "uint32"),
        ("label", "uint64", "uint32"),
        ("label", "int32", "uint32"),
    ],
)
def test_images(tmp_path, movie, kind, dtype, stored):
    array = movie(3, 30, 40, dtype="int32").astype(dtype)
    path = export_value(
        array,
        kind,
        tmp_path / "out",
        "n",
        pixel_size_um=0.325,
        frame_interval_s=90.0,
        channel="grün <1>",
    )
    assert path == tmp_path / "out" / "n.ome.tif"
    assert [p.name for p in path.parent.iterdir()] == ["n.ome.tif"]
    with tifffile.TiffFile(path) as tif:
        assert tif.is_ome
        assert not tif.is_bigtiff
        assert (tif.series[0].axes, tif.series[0].dtype) == ("TYX", np.dtype(stored))
        assert tif.pages[0].compression == tifffile.COMPRESSION.ZSTD
        np.testing.assert_array_equal(tif.asarray(), array)


def test_calibration_comes_back(here, movie):
    tcells = movie(1, 30, 40)
    options = {"pixel_size_um": 0.325, "frame_interval_s": 90.0, "channel": "grün <1>"}
    export_value(tcells, "image", here.path, "n", **options)
    array, _, channel = here.read("n.ome.tif")
    np.testing.assert_array_equal(array, tcells)
    assert channel.pixel_size_um == pytest.approx(0.325)
    assert channel.frame_interval_s == 90.0
    assert channel.channel_name == "grün <1>"
    export_value(movie(30, 40), "image", here.path, "n")
    channel = here.inspect("n.ome.tif")
    assert (channel.shape, channel.pixel_size_um, channel.frame_interval_s) == (
        (1, 30, 40),
        None,
        None,
    )


def test_images_are_the_same_bytes_again(tmp_path, movie):
    paths = [
        export_value(movie(3, 30, 40), "image", tmp_path / f, "n", pixel_size_um=0.5) for f in "ab"
    ]
    assert paths[0].read_bytes() == paths[1].read_bytes()


@pytest.mark.parametrize("mode", ["r", "c", "r+"])
def test_memory_maps(tmp_path, movie, mode):
    np.save(tmp_path / "a.npy", movie(5, 30, 40))
    mapped = np.load(tmp_path / "a.npy", mmap_mode=mode)
    expected = movie(5, 30, 40)
    if mode != "r":
        mapped[:, 3] = expected[:, 3] = 9
    path = export_value(mapped[1:, ::-1], "image", tmp_path, "n")
    np.testing.assert_array_equal(tifffile.imread(path), expected[1:, ::-1])
    np.testing.assert_array_equal(mapped, expected)


def test_big_images_get_bigtiff(tmp_path, movie, monkeypatch):
    monkeypatch.setattr(images, "_CLASSIC_BYTES", 1000)
    path = export_value(movie(3, 30, 40), "image", tmp_path, "n")
    with tifffile.TiffFile(path) as tif:
        assert tif.is_bigtiff
    big = np.lib.stride_tricks.as_strided(np.zeros(1, np.uint16), (2050, 1024, 1024), (0, 0, 0))
    monkeypatch.undo()
    assert images._is_big(big, big.dtype)
    assert not images._is_big(big[:1900], big.dtype)


def test_without_imagecodecs_zlib_is_written(tmp_path):
    program = """
import sys
sys.modules["imagecodecs"] = None
import pathlib, numpy as np, tifffile
from cyto.io.exports import export_value
for dtype in ("uint16", "uint32", "float32"):
    array = np.arange(2400).reshape(2, 30, 40).astype(dtype)
    path = export_value(array, "image", pathlib.Path(sys.argv[1]), dtype)
    with tifffile.TiffFile(path) as tif:
        assert tif.pages[0].compression == tifffile.COMPRESSION.ADOBE_DEFLATE
        assert (tif.asarray() == array).all()
try:
    export_value(array, "image", pathlib.Path(sys.argv[1]), "n", compression="zstd")
except Exception as error:
    assert "pip install 'pycyto[compression]'" in str(error), error
else:
    sys.exit("written")
"""
    subprocess.run([sys.executable, "-c", program, str(tmp_path)], check=True)


@pytest.mark.parametrize(
    ("asked", "stored"), [("zstd", "ZSTD"), ("zlib", "ADOBE_DEFLATE"), ("none", "NONE")]
)
@pytest.mark.parametrize(
    ("kind", "dtype"), [("image", "uint8"), ("image", "float32"), ("label", "uint32")]
)
def test_compression_on_request(here, movie, kind, asked, stored, dtype):
    array = movie(3, 30, 40, dtype=dtype)
    path = export_value(array, kind, here.path, "n", compression=asked, form="ome-tiff")
    with tifffile.TiffFile(path) as tif:
        assert tif.pages[0].compression == tifffile.COMPRESSION[stored]
        if asked == "zlib":
            # the predictor of floats is newer than old readers
            assert tif.pages[0].predictor == (1 if dtype == "float32" else 2)
    read, form, _ = here.read("n.ome.tif")
    np.testing.assert_array_equal(read, array)
    assert form == ("array" if asked == "none" else "npy")


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"compression": "jpeg"}, "cannot be compressed with 'jpeg'\n.*zstd, zlib or none"),
        ({"form": "png"}, "cannot be written as 'png'\n.*ome-tiff or ome-zarr"),
    ],
)
def test_options_that_are_not_known(tmp_path, movie, options, words):
    with pytest.raises(TaskOutputError, match=words):
        export_value(movie(3, 4), "image", tmp_path, "n", **options)
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    ("value", "kind", "words"),
    [
        (np.zeros((2, 3, 4, 5)), "image", "cannot be written as an image"),
        (np.zeros((0, 3, 4)), "image", "cannot be written as an image"),
        (np.zeros((3, 4), complex), "image", "complex128"),
        ("text", "image", "cannot be written as an image"),
        (np.zeros((3, 4)), "label", "label image of float64"),
        (np.full((3, 4), -1), "label", "labels from -1 to -1"),
        (np.full((3, 4), 2**32), "label", "number the objects anew"),
        ([1], "dataframe", "list, not a pandas table"),
        ([1], "network", "list, not a networkx graph"),
        ("/nowhere/at-all", "file", "is not a file"),
        (1, "film", "unknown kind 'film'"),
    ],
)
def test_what_cannot_be_exported(tmp_path, value, kind, words):
    with pytest.raises(TaskOutputError, match=words):
        export_value(value, kind, tmp_path, "n")
    assert list(tmp_path.iterdir()) == []


def test_a_failed_export_leaves_the_old_file(tmp_path, movie, monkeypatch):
    path = export_value(movie(3, 30, 40), "image", tmp_path, "n")
    before = path.read_bytes()
    with monkeypatch.context() as patch:
        patch.setattr(tifffile.TiffWriter, "write", lambda *_, **__: 1 / 0)
        with pytest.raises(ZeroDivisionError):
            export_value(movie(4, 30, 40), "image", tmp_path, "n")
    assert path.read_bytes() == before
    assert list(tmp_path.iterdir()) == [path]
