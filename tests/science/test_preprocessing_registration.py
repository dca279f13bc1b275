"""Registration against known drifts, and against scikit-image."""

from __future__ import annotations

import numpy as np
import pytest
from scipy import ndimage
from skimage.registration import phase_cross_correlation

from cyto.errors import ParameterError, TaskInputError
from cyto.preprocessing import _registration
from cyto.preprocessing.registration import Registration


def drifting(drifts, size=(180, 230), noise=10.0, seed=0, shapes=60):
    """Give a movie of disks with soft edges at places that are exact to fractions of a pixel."""
    rng = np.random.default_rng(seed)
    y, x = np.mgrid[: size[0], : size[1]].astype(float)
    disks = rng.uniform((-30, -30, 4, 50), (size[0] + 30, size[1] + 30, 9, 300), (shapes, 4))
    movie = []
    for dy, dx in drifts:
        frame = np.full(size, 100.0)
        for cy, cx, radius, height in disks:
            away = np.hypot(y - cy - dy, x - cx - dx) - radius
            frame += height / (1 + np.exp(np.clip(away / 0.7, -50, 50)))
        movie.append(rng.normal(frame, noise))
    return np.clip(np.stack(movie), 0, None).astype(np.uint16)


@pytest.fixture(scope="module")
def drifts():
    walk = np.cumsum(np.random.default_rng(1).normal(0, 1.7, (10, 2)), axis=0)
    return walk - walk[0]


@pytest.fixture(scope="module")
def movie(drifts):
    return drifting(drifts)


def register(movie, more=None, **params):
    """As a task that may give more images than it declares."""
    return Registration(**params)({"image": movie, **(more or {})})


@pytest.mark.parametrize("reference", ["first", "previous"])
def test_drift_is_found_to_a_tenth_of_a_pixel(movie, drifts, reference):
    table = register(movie, reference=reference)["dataframe"]
    assert list(table.frame) == list(range(10))
    assert np.abs(table[["drift_y", "drift_x"]].to_numpy() - drifts).max() < 0.1
    assert table.correlation[0] == 1
    assert (table.correlation > 0.3).all()


@pytest.mark.parametrize("seed", range(5))
def test_large_drifts_with_little_noise(seed):
    drifts = np.random.default_rng(seed).uniform(-40, 40, (4, 2))
    drifts[0] = 0
    table = register(drifting(drifts, noise=2, seed=seed))["dataframe"]
    assert np.abs(table[["drift_y", "drift_x"]].to_numpy() - drifts).max() < 0.1


def test_frames_come_back_to_where_they_were(movie, drifts):
    back = register(movie)["image"]
    assert back.dtype == movie.dtype
    still = drifting(np.zeros_like(drifts))
    inner = np.s_[12:-12, 12:-12]
    for t in range(1, 10):
        before = np.abs(movie[t][inner].astype(float) - still[0][inner]).mean()
        after = np.abs(back[t][inner].astype(float) - still[0][inner]).mean()
        assert after < 12 < before  # two noises of 10 differ by 11


def test_equals_scikit_image_on_a_periodic_image():
    """Where nothing enters or leaves at the edges, scikit-image finds the true drift, too."""
    image = ndimage.gaussian_filter(
        np.random.default_rng(0).normal(0, 1, (96, 128)), 2, mode="wrap"
    )
    for drift in ((3.0, -5.0), (0.4, 0.7), (-2.3, 1.6)):
        moved = np.fft.ifft2(ndimage.fourier_shift(np.fft.fft2(image), drift)).real
        expected = -phase_cross_correlation(image, moved, upsample_factor=10)[0]
        table = register(np.stack([image, moved]))["dataframe"]
        np.testing.assert_allclose(table.loc[1, ["drift_y", "drift_x"]], expected, atol=0.1)


@pytest.mark.parametrize("dtype", ["uint8", "uint16", "int16", "uint32", "float32", "float64"])
def test_whole_pixels_are_moved_exactly(dtype):
    frame = np.random.default_rng(0).integers(0, 120, (40, 50)).astype(dtype)
    drift = np.array([[3.0, -4.0, 1.0]])
    found = next(iter(_registration.move_back(frame[None], drift)))
    assert found.dtype == frame.dtype
    np.testing.assert_array_equal(found[:-3, 4:], frame[3:, :-4])
    np.testing.assert_array_equal(found[-1, 4:], frame[-1, :-4])  # the edge's values


def test_fractions_are_moved_as_scipy_does(movie):
    smooth = ndimage.gaussian_filter(movie[0].astype(np.float32), 1.5)
    found = next(iter(_registration.move_back(smooth[None], np.array([[0.3, -1.7, 1.0]]))))
    expected = ndimage.shift(smooth, (-0.3, 1.7), order=3, mode="nearest")
    assert np.abs(found - expected)[5:-5, 5:-5].max() < 0.02 * np.ptp(smooth)


def test_all_channels_are_moved_alike(movie, drifts):
    other = drifting(drifts, seed=9).astype(np.float32)
    given = register(movie, {"tcell": other, "pixel_size_um": 0.5, "frame_interval_s": 30})
    assert set(given) == {"image", "tcell", "dataframe"}
    alone = _registration.move_back(
        other, given["dataframe"][["drift_y", "drift_x", "frame"]].to_numpy()
    )
    np.testing.assert_array_equal(given["tcell"], alone)
    table = given["dataframe"]
    np.testing.assert_allclose(table.drift_y_um, table.drift_y * 0.5)
    np.testing.assert_allclose(table.t_s, table.frame * 30.0)


def test_scale_of_intensities_does_not_matter(movie):
    one = register(movie[:3])["dataframe"]
    other = register(movie[:3].astype(np.float32) / 60000)["dataframe"]
    np.testing.assert_allclose(one, other, atol=0.02)


def test_flips_and_transposition_move_the_drift(movie):
    one = register(movie[:4])["dataframe"]
    flipped = register(movie[:4, ::-1])["dataframe"]
    np.testing.assert_allclose(flipped.drift_y, -one.drift_y, atol=0.02)
    np.testing.assert_allclose(flipped.drift_x, one.drift_x, atol=0.02)
    turned = register(movie[:4].transpose(0, 2, 1))["dataframe"]
    np.testing.assert_allclose(turned.drift_x, one.drift_y, atol=0.02)


def test_steps_can_be_limited(drifts):
    """A frame without cells in common is not thrown across the image."""
    movie = drifting(drifts[:4])
    movie[2] = drifting([(0, 0)], seed=5)[0]
    table = register(movie, max_step_px=6)["dataframe"]
    steps = table[["drift_y", "drift_x"]].diff().abs().to_numpy()[1:]
    assert steps.max() <= 6 + 1e-9
    assert table.correlation[2] < 0.5 * table.correlation[1]


@pytest.mark.parametrize("reference", ["first", "previous"])
def test_a_dark_frame_keeps_the_drift_before_it(movie, drifts, reference):
    dark = movie[:5].copy()
    dark[[0, 3]] = 100
    table = register(dark, reference=reference)["dataframe"]
    expected = drifts[:5] - drifts[1]  # the first frame with something to see
    expected[0], expected[3] = 0, expected[2]
    np.testing.assert_allclose(table[["drift_y", "drift_x"]], expected, atol=0.1)
    assert list(table.correlation[[0, 3]]) == [0, 0]


def test_one_frame_none_and_nothing_to_see():
    frame = drifting([(0, 0)])
    np.testing.assert_array_equal(register(frame)["image"], frame)
    for shape in ((0, 5, 6), (2, 0, 6), (3, 1, 1), (2, 3, 40)):
        found = Registration()({"image": np.zeros(shape, np.uint8)})
        assert found["image"].shape == shape
        assert len(found["dataframe"]) == shape[0]
        assert not found["dataframe"][["drift_y", "drift_x"]].to_numpy().any()


def test_refusals(movie):
    with pytest.raises(TaskInputError, match=r"'tcell'.*shape \(9,"):
        register(movie, {"tcell": movie[1:]})
    for bad in ({"reference": "mean"}, {"max_step_px": 0}, {"smoothing_px": -1}):
        with pytest.raises(ParameterError):
            Registration(**bad)
