"""BackgroundSubtraction, FlatFieldCorrection and Denoise: exact truth and slow references."""

from __future__ import annotations

import numpy as np
import pytest
from scipy import ndimage

from cyto.errors import ParameterError, TaskInputError
from cyto.preprocessing import _denoising
from cyto.preprocessing.background import BackgroundSubtraction
from cyto.preprocessing.denoising import Denoise
from cyto.preprocessing.flatfield import FlatFieldCorrection
from cyto.preprocessing.gamma import GammaCorrection
from cyto.simulation import simulate_assay

TYPES = ["uint8", "uint16", ">u2", "int16", "uint32", "float32", "float64"]


@pytest.fixture(scope="module")
def clean():
    """Give two frames without noise, whose cells are 100 counts above a flat background of 0."""
    labels = simulate_assay(frames=2, size=(150, 190)).cancer_labels
    return ndimage.gaussian_filter((labels > 0) * 100.0, (0, 1, 1))


def slope(shape):
    y, x = np.mgrid[: shape[-2], : shape[-1]]
    return 40 + 0.3 * y + 0.2 * x + 20 * np.sin(x / 60)


# ----------------------------------------------------------------------- background


@pytest.mark.parametrize("dtype", TYPES)
def test_rolling_ball_is_an_opening_by_a_ball(dtype):
    image = np.random.default_rng(0).integers(0, 100, (2, 31, 42)).astype(dtype)
    radius = 6.5
    y, x = np.mgrid[-6:7, -6:7]
    inside = 1 - (y**2 + x**2) / radius**2
    ball = 20 * np.sqrt(np.maximum(inside, 0)) - 20
    task = BackgroundSubtraction(radius_px=radius, ball_height=20, shrink=1)
    found = task({"image": image})["image"]
    assert found.dtype == np.float32
    for t in range(2):
        frame = image[t].astype(float)
        how = {"footprint": inside >= 0, "structure": ball, "mode": "constant"}
        eroded = ndimage.grey_erosion(frame, cval=np.inf, **how)
        opened = ndimage.grey_dilation(eroded, cval=-np.inf, **how)
        np.testing.assert_allclose(found[t], frame - opened, atol=1e-4)


def test_gaussian_equals_scipy():
    image = np.random.default_rng(0).normal(100, 20, (2, 50, 70)).astype(np.float32)
    task = BackgroundSubtraction(method="gaussian", radius_px=5, shrink=1)
    expected = image - ndimage.gaussian_filter(image, (0, 5, 5), truncate=6)
    np.testing.assert_allclose(task({"image": image})["image"], expected, atol=0.05)


@pytest.mark.parametrize("radius", [25, 50])
def test_uneven_background_goes_and_cells_stay(clean, radius):
    found = BackgroundSubtraction(radius_px=radius)({"image": clean + slope(clean.shape)})["image"]
    inner = np.s_[:, 10:-10, 10:-10]
    assert np.abs(found - clean)[inner].max() < 12
    assert np.abs(found - clean)[inner].mean() < 2


def test_shrinking_is_close_to_the_exact_result(clean):
    image = np.random.default_rng(0).normal(clean + slope(clean.shape), 2)
    exact, quick = (
        BackgroundSubtraction(radius_px=24, shrink=shrink)({"image": image})["image"]
        for shrink in (1, 2)
    )
    assert abs(np.median(exact - quick)) < 5  # the noise's lower edge, or what is left of it
    assert (exact - quick)[:, 5:-5, 5:-5].std() < 2


def test_own_type_is_rounded_and_clipped(clean):
    image = (clean + slope(clean.shape)).astype(np.uint16)
    exact = BackgroundSubtraction(method="gaussian")({"image": image})["image"]
    found = BackgroundSubtraction(method="gaussian", output="dtype")({"image": image})["image"]
    assert found.dtype == np.uint16
    np.testing.assert_array_equal(found, np.maximum(np.rint(exact), 0))


@pytest.mark.parametrize("method", ["rolling_ball", "gaussian"])
def test_flat_images_become_0_and_small_ones_are_taken(method):
    task = BackgroundSubtraction(method=method)
    for shape in ((2, 40, 50), (1, 3, 90), (1, 1, 1), (0, 4, 5), (1, 0, 5)):
        image = np.full(shape, 7, np.uint8)
        np.testing.assert_allclose(task({"image": image})["image"], 0, atol=1e-4)


def test_a_hole_in_the_data_stays_in_place(clean):
    image = (clean + slope(clean.shape)).astype(np.float32)
    image[0, 70, 80] = np.nan
    found = BackgroundSubtraction()({"image": image})["image"]
    assert np.argwhere(np.isnan(found)).tolist() == [[0, 70, 80]]


@pytest.mark.parametrize("bad", [{"radius_px": 0}, {"shrink": 0}, {"method": "ball"}])
def test_background_refuses(bad):
    with pytest.raises(ParameterError):
        BackgroundSubtraction(**bad)


# ----------------------------------------------------------------------- flat field


@pytest.fixture(scope="module")
def uneven(clean):
    """Give what a camera sees, its flat and its dark image, and the truth."""
    y, x = np.mgrid[: clean.shape[1], : clean.shape[2]]
    light = 1 - 0.5 * ((y / 150 - 0.5) ** 2 + (x / 190 - 0.4) ** 2)
    dark = 20.0 + 5 * (x % 7 == 0)
    truth = 100 + 5 * clean
    return truth * light + dark, 1000 * light + dark, dark, truth * light.mean()


@pytest.mark.parametrize("dtype", ["uint16", "float32", "float64"])
def test_flat_and_dark_give_the_truth(uneven, dtype):
    seen, flat, dark, truth = uneven
    found = FlatFieldCorrection()({"image": seen.astype(dtype), "flat": flat, "dark": dark})
    assert found["image"].dtype == np.float32
    np.testing.assert_allclose(found["image"], truth, atol=1.5 if dtype == "uint16" else 1e-3)


def test_several_flat_images_are_averaged(uneven):
    seen, flat, dark, truth = uneven
    noise = np.random.default_rng(0).normal(0, 30, flat.shape)
    found = FlatFieldCorrection()(
        {"image": seen, "flat": np.stack([flat + noise, flat - noise]), "dark": dark}
    )
    np.testing.assert_allclose(found["image"], truth, atol=1e-3)


def test_dark_is_0_where_it_is_not_given(uneven):
    seen, flat, _, _ = uneven
    found = FlatFieldCorrection()({"image": seen, "flat": flat})["image"]
    np.testing.assert_allclose(found, seen / flat * flat.mean(), rtol=1e-5)


def test_flat_field_is_estimated(clean):
    """Cells that move over an uneven light: the light shows between them."""
    rng = np.random.default_rng(0)
    y, x = np.mgrid[: clean.shape[1], : clean.shape[2]]
    light = 1 - 0.5 * ((y / 150 - 0.5) ** 2 + (x / 190 - 0.4) ** 2)
    movie = [np.roll(clean[0], tuple(rng.integers(0, 150, 2)), (0, 1)) for _ in range(40)]
    truth = 500 + np.stack(movie)
    found = FlatFieldCorrection(smoothing_px=15)({"image": truth * light})["image"]
    ratio = found / truth
    assert ratio.std() / ratio.mean() < 0.02
    assert (truth * light / truth).std() / light.mean() > 0.05


def test_flat_field_keeps_the_type_and_takes_empty_movies(uneven):
    seen, flat, dark, truth = uneven
    data = {"image": seen.astype(np.uint16), "flat": flat, "dark": dark}
    found = FlatFieldCorrection(output="dtype")(data)["image"]
    assert found.dtype == np.uint16
    np.testing.assert_allclose(found, truth, atol=2)
    for shape in ((0, 5, 6), (1, 0, 6)):
        none = FlatFieldCorrection()({"image": np.zeros(shape, np.uint8)})["image"]
        assert none.shape == shape


def test_flat_field_says_what_does_not_fit(uneven):
    seen, flat, dark, _ = uneven
    with pytest.raises(TaskInputError, match=r"'flat'.*150 x 189 px.*150 x 190"):
        FlatFieldCorrection()({"image": seen, "flat": flat[:, 1:]})
    with pytest.raises(TaskInputError, match=r"'flat'.*no brighter"):
        FlatFieldCorrection()({"image": seen, "flat": dark, "dark": flat})


# -------------------------------------------------------------------------- denoise


@pytest.mark.parametrize("dtype", TYPES)
@pytest.mark.parametrize("radius", [1, 2, 3])
def test_median_equals_scipy(dtype, radius):
    image = np.random.default_rng(0).integers(0, 120, (2, 20, 33)).astype(dtype)
    found = Denoise(radius_px=radius)({"image": image})["image"]
    size = (1, 2 * radius + 1, 2 * radius + 1)
    assert found.dtype == image.dtype
    np.testing.assert_array_equal(found, ndimage.median_filter(image, size, mode="nearest"))


@pytest.mark.parametrize("dtype", TYPES)
def test_blur_equals_scipy(dtype):
    image = np.random.default_rng(0).integers(0, 120, (2, 30, 43)).astype(dtype)
    found = Denoise(method="gaussian", sigma_px=2)({"image": image})["image"]
    expected = ndimage.gaussian_filter(image.astype(float), (0, 2, 2), truncate=6)
    assert found.dtype == image.dtype
    np.testing.assert_allclose(found, expected, atol=0.02 if image.dtype.kind == "f" else 0.55)


@pytest.mark.parametrize("sd", [2.0, 10.0, 40.0])
def test_noise_is_estimated(clean, sd):
    noisy = np.random.default_rng(0).normal(clean[0], sd).astype(np.float32)
    assert _denoising.noise_sd(noisy) == pytest.approx(sd, rel=0.12)


@pytest.mark.parametrize("dtype", ["uint8", "uint16", "int16", "float32"])
@pytest.mark.parametrize(("method", "gain"), [("median", 2.0), ("gaussian", 2.0), ("nlm", 4.0)])
def test_noise_becomes_less(clean, dtype, method, gain):
    truth = 40 + clean
    noisy = np.random.default_rng(0).normal(truth, 8).clip(0, 255).astype(dtype)
    found = Denoise(method=method)({"image": noisy})["image"]
    before, after = (np.sqrt(((image - truth) ** 2).mean()) for image in (noisy, found))
    assert after < before / gain


def test_non_local_means_does_not_depend_on_the_scale_of_floats(clean):
    noisy = np.random.default_rng(0).normal(40 + clean, 8).astype(np.float32)
    one = Denoise(method="nlm")({"image": noisy})["image"]
    other = Denoise(method="nlm")({"image": noisy / 1000 - 5})["image"]
    np.testing.assert_allclose((other + 5) * 1000, one, atol=0.1)


@pytest.mark.parametrize("bad", [{"sigma_px": 0}, {"radius_px": 0}, {"strength": -1}])
def test_denoise_refuses(bad):
    with pytest.raises(ParameterError):
        Denoise(**bad)


# --------------------------------------------------------------- of all of the above

FRAMEWISE = [
    GammaCorrection(gamma=0.5),
    BackgroundSubtraction(),
    BackgroundSubtraction(method="gaussian", output="dtype"),
    Denoise(),
    Denoise(method="gaussian"),
    Denoise(method="nlm"),
]


@pytest.mark.parametrize("task", FRAMEWISE, ids=repr)
class TestFramewise:
    def test_frames_apart_equal_the_movie(self, task):
        movie = simulate_assay(frames=3, size=(150, 190)).cancer[:, 40:100, 30:110]
        assert type(task).framewise
        whole = task({"image": movie})["image"]
        parts = [task({"image": frame})["image"] for frame in movie]
        np.testing.assert_array_equal(whole, np.concatenate(parts))

    def test_flips_move_pixels_only(self, task):
        movie = simulate_assay(frames=1, size=(150, 190)).cancer[:, 40:104, 30:110]
        whole = task({"image": movie})["image"].astype(float)
        for flip in (np.s_[:, ::-1], np.s_[:, :, ::-1]):
            flipped = task({"image": movie[flip]})["image"].astype(float)
            np.testing.assert_allclose(flipped[flip], whole, rtol=0.02, atol=2)

    @pytest.mark.parametrize("shape", [(0, 4, 5), (2, 0, 5), (1, 1, 1), (1, 2, 90)])
    def test_odd_shapes(self, task, shape):
        for dtype in ("uint8", "uint16", "float32"):
            assert task({"image": np.ones(shape, dtype)})["image"].shape == shape

    def test_input_is_mapped_and_not_changed(self, task, tmp_path):
        movie = simulate_assay(frames=2, size=(150, 190)).cancer[:, 40:80, 30:80].astype(np.float32)
        np.save(tmp_path / "movie.npy", movie)
        mapped = np.load(tmp_path / "movie.npy", mmap_mode="r").view(np.ndarray)
        found = task({"image": mapped})["image"]
        np.testing.assert_array_equal(found, task({"image": movie})["image"])
        np.testing.assert_array_equal(mapped, movie)


def test_a_movie_without_light_stays_as_it_is():
    movie = np.zeros((3, 8, 8), np.uint16)
    np.testing.assert_array_equal(FlatFieldCorrection()({"image": movie})["image"], movie)
