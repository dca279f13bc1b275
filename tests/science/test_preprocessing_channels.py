"""ChannelMerge, GammaCorrection and CrossChannelCorrelation against their formulas."""

from __future__ import annotations

import numpy as np
import pytest
from skimage.exposure import adjust_gamma

from cyto.errors import ParameterError, TaskInputError
from cyto.preprocessing.correlation import CrossChannelCorrelation
from cyto.preprocessing.gamma import GammaCorrection
from cyto.preprocessing.merging import ChannelMerge

TYPES = ["uint8", "uint16", ">u2", "int16", "uint32", "float32", "float64"]


def movie(seed, dtype="uint16", shape=(3, 17, 23)):
    return np.random.default_rng(seed).integers(0, 120, shape).astype(dtype)


# ---------------------------------------------------------------------------- merge


@pytest.mark.parametrize("dtype", TYPES)
def test_merge_is_the_weighted_sum(dtype):
    a, b = movie(0, dtype), movie(1, "uint8")
    for weights in ({"b": 2.5, "a": -0.5}, [-0.5, 2.5]):
        found = ChannelMerge(weights=weights)({"a": a, "b": b})["image"]
        assert found.dtype == np.float32
        np.testing.assert_allclose(found, -0.5 * a.astype(float) + 2.5 * b, rtol=1e-6, atol=1e-4)


def test_merge_balances_the_channels():
    a, b = movie(0), movie(1) * 7
    found = ChannelMerge()({"a": a, "b": b})["image"]
    one, other = 1 / a.mean(), 1 / b.mean()
    expected = (one * a + other * b) / (one + other)
    np.testing.assert_allclose(found, expected, rtol=1e-5)


def test_merge_balances_the_whole_movie_not_each_frame():
    a, b = movie(0), movie(1)
    b[1] *= 50
    found = ChannelMerge()({"a": a, "b": b})["image"]
    one, other = 1 / a.mean(), 1 / b.mean()
    np.testing.assert_allclose(found[2], (one * a[2] + other * b[2]) / (one + other), rtol=1e-5)


def test_merge_does_not_depend_on_names_or_order():
    a, b, c = movie(0), movie(1), movie(2)
    one = ChannelMerge()({"a": a, "b": b, "c": c})["image"]
    other = ChannelMerge()({"z": c, "y": a, "x": b})["image"]
    np.testing.assert_allclose(one, other, rtol=1e-5)


def test_merge_of_one_channel_and_of_darkness():
    a = movie(0)
    np.testing.assert_allclose(ChannelMerge()({"a": a})["image"], a, rtol=1e-6)
    dark = np.zeros_like(a)
    np.testing.assert_allclose(ChannelMerge()({"a": a, "b": dark})["image"], a, rtol=1e-6)
    assert not ChannelMerge()({"a": dark, "b": dark})["image"].any()
    assert ChannelMerge()({"a": a[:0], "b": a[:0]})["image"].shape == (0, 17, 23)


def test_merge_says_what_does_not_fit():
    a = movie(0)
    with pytest.raises(TaskInputError, match=r"'b'.*shape \(2, 17, 23\), 'a' has \(3, 17, 23\)"):
        ChannelMerge()({"a": a, "b": a[:2]})
    with pytest.raises(TaskInputError, match=r"weight for 'tcel'.*\n.*'tcell'"):
        ChannelMerge(weights={"tcel": 1})({"tcell": a})
    with pytest.raises(TaskInputError, match=r"'b'.*no weight"):
        ChannelMerge(weights={"a": 1})({"a": a, "b": a})
    with pytest.raises(TaskInputError, match="1 weights for 2 channels"):
        ChannelMerge(weights=[1])({"a": a, "b": a})
    with pytest.raises(TaskInputError, match=r"'b'.*mean below 0"):
        ChannelMerge()({"a": a, "b": -a.astype(np.float32)})
    with pytest.raises(TaskInputError, match="no image was given"):
        ChannelMerge()({})
    with pytest.raises(ParameterError):
        ChannelMerge(weights="a")


# ---------------------------------------------------------------------------- gamma


@pytest.mark.parametrize("dtype", ["uint8", "uint16"])
@pytest.mark.parametrize("gamma", [0.3, 1.0, 2.2])
@pytest.mark.parametrize("gain", [0.5, 1.0])
def test_gamma_equals_scikit_image(dtype, gamma, gain):
    top = np.iinfo(dtype).max
    values = np.random.default_rng(0).integers(0, top, (2, 30, 40), endpoint=True).astype(dtype)
    found = GammaCorrection(gamma=gamma, gain=gain)({"image": values})["image"]
    expected = adjust_gamma(values / top, gamma, gain) * top
    assert found.dtype == dtype
    assert np.abs(found - expected).max() <= 0.5 + 1e-6


@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_gamma_of_floats(dtype):
    values = np.linspace(-0.5, 1, 40).reshape(1, 5, 8).astype(dtype)
    found = GammaCorrection(gamma=0.5)({"image": values})["image"]
    assert found.dtype == dtype
    np.testing.assert_allclose(found, np.sqrt(np.maximum(values, 0)), rtol=1e-6)


@pytest.mark.parametrize("dtype", TYPES)
def test_gamma_of_one_changes_nothing_and_a_gain_is_clipped(dtype):
    values = movie(0, dtype)
    np.testing.assert_array_equal(GammaCorrection()({"image": values})["image"], values)
    bright = GammaCorrection(gain=1e12)({"image": values})["image"]
    assert bright.dtype == values.dtype
    if values.dtype.kind != "f":
        assert bright[values > 0].min() == np.iinfo(dtype).max
    assert not bright[values == 0].any()


@pytest.mark.parametrize("bad", [{"gamma": 0}, {"gamma": -1}, {"gain": 0}, {"gama": 1}])
def test_gamma_refuses(bad):
    with pytest.raises(ParameterError):
        GammaCorrection(**bad)


# ---------------------------------------------------------------------- correlation


def slow_shares(a, b, centre):
    """The formula, for whatever the axes are."""
    away_a, away_b = a - centre(a.astype(float)), b - centre(b.astype(float))
    return away_a * away_b / np.sqrt((away_a**2).sum() * (away_b**2).sum())


@pytest.mark.parametrize("dtype", TYPES)
@pytest.mark.parametrize("method", ["MEAN", "MEDIAN"])
def test_correlation_equals_the_formula(dtype, method):
    a, b = movie(0, dtype), movie(1, dtype)
    centre = np.mean if method == "MEAN" else np.median
    task = {"scale": 1e6, "method": method}
    found = CrossChannelCorrelation(mode="SLICE", **task)({"a": a, "b": b})["image"]
    assert found.dtype == np.uint16
    for t in range(3):
        expected = 32768 + 1e6 * slow_shares(a[t], b[t], centre)
        np.testing.assert_allclose(found[t], np.clip(expected, 0, 65535), atol=0.51)
    found = CrossChannelCorrelation(mode="TIME", **task)({"a": a, "b": b})["image"]
    expected = 32768 + 1e6 * slow_shares(a, b, centre)
    np.testing.assert_allclose(found, np.clip(expected, 0, 65535), atol=0.51)


def test_shares_add_up_to_the_correlation():
    a = movie(0)
    b = a // 2 + movie(1) // 4
    found = CrossChannelCorrelation(scale=1e5)({"a": a, "b": b})["image"]
    for t in range(3):
        expected = np.corrcoef(a[t].ravel(), b[t].ravel())[0, 1]
        total = (found[t].astype(float) - 32768).sum() / 1e5
        assert total == pytest.approx(expected, abs=2e-3)


def test_correlation_clips_and_does_not_wrap():
    a, b = movie(0), movie(1)
    found = CrossChannelCorrelation(scale=1e12)({"a": a, "b": b})["image"]
    expected = slow_shares(a[0], b[0], np.mean)
    np.testing.assert_array_equal(found[0][expected > 1e-6], 65535)
    np.testing.assert_array_equal(found[0][expected < -1e-6], 0)


def test_correlation_is_symmetric_and_frame_by_frame():
    a, b = movie(0), movie(1)
    task = CrossChannelCorrelation()
    whole = task({"a": a, "b": b})["image"]
    np.testing.assert_array_equal(whole, task({"x": b, "y": a})["image"])
    parts = [task({"a": a[t], "b": b[t]})["image"] for t in range(3)]
    np.testing.assert_array_equal(whole, np.concatenate(parts))
    one = CrossChannelCorrelation(mode="TIME")({"a": a[:1], "b": b[:1]})["image"]
    np.testing.assert_array_equal(one, whole[:1])


@pytest.mark.parametrize("mode", ["SLICE", "TIME"])
def test_no_contrast_no_correlation(mode):
    a, flat = movie(0), np.full((3, 17, 23), 9, np.uint8)
    found = CrossChannelCorrelation(mode=mode)({"a": a, "b": flat})["image"]
    assert (found == 32768).all()
    none = CrossChannelCorrelation(mode=mode)({"a": a[:0], "b": a[:0]})["image"]
    assert none.shape == (0, 17, 23)


def test_correlation_says_what_does_not_fit():
    a = movie(0)
    with pytest.raises(TaskInputError, match="takes two channels, received 1: a"):
        CrossChannelCorrelation()({"a": a})
    with pytest.raises(TaskInputError, match="received 3"):
        CrossChannelCorrelation()({"a": a, "b": a, "c": a})
    with pytest.raises(TaskInputError, match=r"'b'.*shape"):
        CrossChannelCorrelation()({"a": a, "b": a[:, 1:]})
    with pytest.raises(ParameterError, match="'SLICE'"):
        CrossChannelCorrelation(mode="FRAME")
