"""PercentileNormalization against NumPy's percentiles."""

from __future__ import annotations

import numpy as np
import pytest

from cyto.errors import ParameterError
from cyto.preprocessing._normalization import percentiles
from cyto.preprocessing.normalization import PercentileNormalization

TYPES = [
    "uint8",
    "uint16",
    ">u2",
    "int16",
    "uint32",
    "int32",
    "int64",
    "float16",
    "float32",
    "float64",
]


def movie(dtype, shape=(3, 17, 23)):
    values = np.random.default_rng(0).normal(0, 20, shape)
    return (values + 100).astype(dtype) if np.dtype(dtype).kind == "u" else values.astype(dtype)


@pytest.mark.parametrize("dtype", TYPES)
@pytest.mark.parametrize("percent", [0, 0.1, 5, 37.3, 50, 95, 100])
def test_percentiles_equal_numpy(dtype, percent):
    values = movie(dtype)
    expected = np.percentile(values.astype(np.float64), percent)
    assert percentiles(values, [percent])[0] == pytest.approx(expected, rel=1e-12, abs=1e-12)


@pytest.mark.parametrize("dtype", TYPES)
def test_result_equals_the_formula(dtype):
    values = movie(dtype).astype(np.float64)
    low, high = np.percentile(values, [5, 95])
    expected = np.clip((values - low) / (high - low), 0, 1)
    found = PercentileNormalization()({"image": movie(dtype)})["image"]
    assert found.dtype == np.float32
    np.testing.assert_allclose(found, expected, atol=1e-5)


@pytest.mark.parametrize(
    "dtype", ["uint8", "uint16", "int16", "int32", "uint32", "int64", "uint64"]
)
def test_integers_are_stretched_to_their_range(dtype):
    found = PercentileNormalization(output="dtype")({"image": movie(dtype)})["image"]
    info = np.iinfo(dtype)
    assert found.dtype == dtype
    assert found.min() == info.min
    assert float(found.max()) == pytest.approx(float(info.max), rel=1e-12)


def test_floats_keep_their_type():
    found = PercentileNormalization(output="dtype")({"image": movie("float64")})["image"]
    assert found.dtype == np.float64
    assert (found.min(), found.max()) == (0, 1)


def test_extremes_do_not_overflow():
    values = np.array([[[0, 65535], [1, 65534]]], np.uint16)
    found = PercentileNormalization(lp=0, up=100, output="dtype")({"image": values})["image"]
    np.testing.assert_array_equal(found, values)


def test_one_pair_for_the_movie_or_one_per_frame():
    values = movie("float32")
    values[1] *= 3
    whole = PercentileNormalization()({"image": values})["image"]
    each = PercentileNormalization(per_frame=True)({"image": values})["image"]
    for index in range(3):
        alone = PercentileNormalization()({"image": values[index]})["image"][0]
        np.testing.assert_array_equal(each[index], alone)
    assert whole[1].std() > whole[0].std()


def test_order_is_kept():
    values = movie("uint16")
    found = PercentileNormalization()({"image": values})["image"].ravel()
    order = np.argsort(values.ravel(), kind="stable")
    assert (np.diff(found[order]) >= 0).all()


@pytest.mark.parametrize("dtype", ["bool", "uint8", "float32"])
@pytest.mark.parametrize("output", ["float32", "dtype"])
def test_flat_movie_becomes_zero(dtype, output):
    found = PercentileNormalization(output=output)({"image": np.ones((2, 4, 5), dtype)})["image"]
    assert not found.any()


def test_not_a_number_stays_and_infinite_is_clipped():
    values = movie("float32")
    values[0, 0, :3] = np.nan, np.inf, -np.inf
    low, high = percentiles(values, [5, 95])
    expected = np.percentile(values[np.isfinite(values)].astype(np.float64), [5, 95])
    assert (low, high) == pytest.approx(tuple(expected))
    found = PercentileNormalization()({"image": values})["image"]
    assert np.isnan(found[0, 0, 0])
    assert tuple(found[0, 0, 1:3]) == (1, 0)
    assert np.isnan(found).sum() == 1


def test_only_not_a_number_and_no_frames():
    values = np.full((1, 3, 4), np.nan, np.float32)
    assert np.isnan(PercentileNormalization()({"image": values})["image"]).all()
    none = PercentileNormalization()({"image": np.zeros((0, 3, 4), np.uint8)})["image"]
    assert none.shape == (0, 3, 4)


def test_mapped_movie_is_read_only(tmp_path):
    np.save(tmp_path / "movie.npy", movie("uint16"))
    mapped = np.load(tmp_path / "movie.npy", mmap_mode="r")
    found = PercentileNormalization()({"image": mapped})["image"]
    np.testing.assert_array_equal(
        found, PercentileNormalization()({"image": movie("uint16")})["image"]
    )


def test_percentiles_in_the_wrong_order():
    with pytest.raises(ParameterError, match="must be less than up"):
        PercentileNormalization(lp=95, up=5)
