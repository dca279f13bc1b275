"""Movies that are larger than memory pass through a few frames at a time."""

from __future__ import annotations

import numpy as np
import pytest

from cyto.preprocessing import _movie
from cyto.preprocessing._intensities import mean
from cyto.preprocessing._normalization import percentiles
from cyto.preprocessing._registration import measure

MIB = 1 << 20


def mapped_bytes():
    """How many bytes of mapped files are with this process now."""
    with open("/proc/self/status") as file:
        return next(int(line.split()[1]) * 1024 for line in file if line.startswith("RssFile"))


@pytest.fixture(scope="module")
def path(tmp_path_factory):
    path = tmp_path_factory.mktemp("movie") / "movie.npy"
    movie = np.lib.format.open_memmap(path, "w+", np.uint16, (100, 512, 1024))  # 100 MiB
    movie[:] = np.arange(1024, dtype=np.uint16) + np.arange(100, dtype=np.uint16)[:, None, None]
    return path


@pytest.mark.parametrize(
    "read",
    [
        mean,
        lambda movie: percentiles(movie, [5, 50]),
        lambda movie: max(f.max() for f in _movie.frames(movie)),
    ],
    ids=["mean", "percentiles", "frames"],
)
def test_pages_do_not_stay(path, read):
    movie = np.load(path, mmap_mode="r").view(np.ndarray)
    before, seen = mapped_bytes(), []
    results = _movie.frames

    def watched(frames):
        for frame in results(frames):
            seen.append(mapped_bytes())
            yield frame

    read(movie)
    assert mapped_bytes() - before < 10 * MIB
    for _ in watched(movie):
        pass
    assert max(seen) - before < 10 * MIB


def test_drift_of_a_mapped_movie(path):
    movie = np.load(path, mmap_mode="r").view(np.ndarray)[:40]
    before = mapped_bytes()
    measure(movie, previous=False, smoothing_px=1, max_step_px=None)
    assert mapped_bytes() - before < 10 * MIB


@pytest.mark.parametrize("mode", ["r", "c", "r+"])
def test_frames_are_those_of_the_movie(path, mode):
    movie = np.load(path, mmap_mode=mode)[:3]
    if mode == "c":
        movie[1] = 7  # a change of our own that lies in memory alone
    expected = np.array(movie)
    for found, frame in zip(_movie.frames(movie.view(np.ndarray)), expected, strict=True):
        np.testing.assert_array_equal(found, frame)
    np.testing.assert_array_equal(movie, expected)


def test_a_slice_of_a_buffer_on_a_mapped_file(path):
    """As a worker opens an image that lies inside a file."""
    raw = np.memmap(path, np.uint8, "r")
    movie = np.ndarray((99, 512, 1024), np.uint16, raw, offset=raw.size - 99 * MIB)
    before = mapped_bytes()
    assert mean(movie[1:]) == pytest.approx(np.arange(1024).mean() + np.arange(2, 100).mean())
    assert mapped_bytes() - before < 10 * MIB


@pytest.mark.parametrize("dtype", ["bool", "uint8", "int16", "uint64", "int64", "float32"])
def test_results_are_rounded_and_clipped_to_the_type(dtype):
    values = np.array([-1e30, -0.6, 0.4, 0.6, 1e30])
    found = _movie.to_dtype(values, np.dtype(dtype))
    assert found.dtype == dtype
    if found.dtype.kind in "ui":
        info = np.iinfo(dtype)
        assert found[0] == info.min
        assert found[-1] >= info.max - 2048
        assert list(found[1:4]) == [-1 if info.min else 0, 0, 1]
