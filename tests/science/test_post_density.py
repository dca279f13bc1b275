"""KernelDensityEstimation against SciPy, a slow sum, and what must not change it."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from scipy.stats import gaussian_kde

from cyto.errors import ParameterError, TaskInputError
from cyto.postprocessing.density import KernelDensityEstimation


def estimate(table, **data):
    names = set(KernelDensityEstimation.parameters)
    params = {key: data.pop(key) for key in list(data) if key in names}
    return KernelDensityEstimation(**params)({"dataframe": table, **data})


def cells(places, frame=0):
    table = pd.DataFrame(np.asarray(places, float).reshape(-1, 2), columns=["y", "x"])
    return table.assign(frame=frame)


@pytest.fixture(scope="module")
def places():
    return np.random.default_rng(0).normal((30, 60), (8, 15), (40, 2))


def test_equals_the_slow_sum(places):
    found = estimate(cells(places), height_px=60, width_px=110)["image"]
    assert (found.shape, found.dtype) == ((1, 60, 110), np.float32)
    h = places.std(axis=0, ddof=1) * 40 ** (-1 / 6)
    y, x = np.mgrid[:60, :110]
    expected = sum(
        np.exp(-((y - py) ** 2) / (2 * h[0] ** 2) - (x - px) ** 2 / (2 * h[1] ** 2))
        for py, px in places
    ) / (2 * np.pi * h[0] * h[1])
    np.testing.assert_allclose(found[0], expected, rtol=1e-5, atol=1e-9)


def test_equals_scipy_where_y_and_x_are_not_correlated(places):
    middle = places.mean(axis=0)
    both = np.concatenate([places, places * (1, -1) + (0, 2 * middle[1])])  # mirrored along x
    found = estimate(cells(both), height_px=50, width_px=120)["image"][0]
    grid = np.mgrid[:50, :120].reshape(2, -1)
    expected = 80 * gaussian_kde(both.T, bw_method="scott")(grid).reshape(50, 120)
    np.testing.assert_allclose(found, expected, rtol=1e-5)


def test_counts_the_cells(places):
    found = estimate(cells(places), bandwidth_px=3, height_px=80, width_px=160)["image"]
    assert found.sum() == pytest.approx(40, rel=1e-3)


def test_bright_where_the_cells_are_in_a_frame_that_is_not_square():
    image = np.zeros((3, 40, 90), np.uint16)
    found = estimate(cells([[10, 70]], frame=1), image=image, bandwidth_px=4)["image"]
    assert found.shape == image.shape
    assert np.unravel_index(found[1].argmax(), (40, 90)) == (10, 70)
    assert found[[0, 2]].max() == 0
    turned = estimate(cells([[70, 10]], frame=1), image=image.transpose(0, 2, 1), bandwidth_px=4)
    np.testing.assert_allclose(turned["image"], found.transpose(0, 2, 1), rtol=1e-6)


@pytest.mark.parametrize(("shape", "factor"), [((40, 90), 5), ((41, 92), 5), ((7, 9), 20)])
def test_downscaled_is_sampled_at_the_middle_of_blocks(places, shape, factor):
    image = np.zeros((1, *shape), np.uint8)
    small = estimate(cells(places), image=image, downscale_factor=factor, pixel_size_um=0.5)
    size = -(-shape[0] // factor), -(-shape[1] // factor)
    assert small["image"].shape == (1, *size)
    assert small["pixel_size_um"] == 0.5 * factor
    if factor % 2:
        large = estimate(cells(places), height_px=200, width_px=200)["image"]
        middle = large[0, factor // 2 :: factor, factor // 2 :: factor][: size[0], : size[1]]
        np.testing.assert_allclose(small["image"][0], middle, rtol=1e-5)


def test_gradient_is_the_slope(places):
    found = estimate(cells(places), gradient=True, height_px=60, width_px=110)
    slope = np.hypot(*np.gradient(found["image"][0].astype(float)))
    np.testing.assert_allclose(
        found["gradient"][0, 1:-1, 1:-1], slope[1:-1, 1:-1], atol=0.03 * slope.max()
    )
    assert "gradient" not in estimate(cells(places))


@pytest.mark.parametrize("some", [[[5, 6]], [[5, 6], [5, 6]], [[5, 6], [5, 9]]])
def test_few_cells(some):
    found = estimate(cells(some), height_px=20, width_px=30)["image"]
    assert np.isfinite(found).all()
    assert found.sum() == pytest.approx(len(some), rel=0.01)


def test_no_cells():
    none = cells([])
    assert estimate(none)["image"].shape == (0, 1, 1)
    found = estimate(none, image=np.zeros((2, 5, 7), np.uint8), gradient=True)
    assert found["image"].shape == found["gradient"].shape == (2, 5, 7)
    assert found["image"].max() == 0


def test_frames_on_their_own(places):
    both = pd.concat([cells(places), cells(places[:9], frame=1)])
    found = estimate(both, height_px=50, width_px=120)["image"]
    one = estimate(cells(places[:9]), height_px=50, width_px=120)["image"]
    np.testing.assert_array_equal(found[1], one[0])


@pytest.mark.parametrize(
    ("table", "data", "words"),
    [
        (cells([[1, 1]]).drop(columns="y"), {}, ["no column 'y'"]),
        (cells([[1, 1]], frame=4), {"image": np.zeros((2, 5, 5))}, ["frame 4", "2 frames"]),
        (cells([[1, 1]]).assign(y="1"), {}, ["numbers are needed"]),
        (cells([[1, 1], [np.nan, 2]]), {}, ["nan", "'y', row 1", "1 such rows of 2"]),
        (cells([[1, np.inf]]), {}, ["inf", "'x', row 0"]),
        (cells([[1, 1]], frame=np.nan), {}, ["'frame', row 0"]),
    ],
)
def test_bad_input(table, data, words):
    with pytest.raises(TaskInputError) as caught:
        estimate(table, **data)
    for word in words:
        assert word in str(caught.value)


@pytest.mark.parametrize(
    "params", [{"bandwidth_px": 0}, {"downscale_factor": 0}, {"height_px": -1}]
)
def test_bad_parameters(params):
    with pytest.raises(ParameterError):
        KernelDensityEstimation(**params)
