"""Smaller sizes of images are means, those of labels are labels."""

from __future__ import annotations

import numpy as np
import pytest

from cyto.io._pyramid import halved, level_shapes
from cyto.io.images import Context
from cyto.io.ome_zarr import write_ome_zarr

zarr = pytest.importorskip("zarr")


def level(folder):
    return zarr.open_array(zarr.storage.LocalStore(folder), mode="r")[...]


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
