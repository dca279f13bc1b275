"""Watershed against exact truth, slow references and what must not change the result."""

from __future__ import annotations

import numpy as np
import pytest
from scipy import ndimage
from scores import Score, same_partition, score
from skimage.filters import threshold_li, threshold_otsu
from skimage.morphology import reconstruction

from cyto.errors import ParameterError
from cyto.segmentation import _watershed
from cyto.segmentation.watershed import Watershed
from cyto.simulation import simulate_assay


def disks(shape, places, radius, level=200.0):
    y, x = np.ogrid[: shape[0], : shape[1]]
    image = np.zeros(shape, np.float32)
    for cy, cx in places:
        image[(y - cy) ** 2 + (x - cx) ** 2 <= radius**2] = level
    return image


@pytest.fixture(scope="module")
def assay():
    return simulate_assay(frames=12)


@pytest.mark.parametrize("seeds", ["distance", "h_maxima"])
def test_finds_simulated_cancer_cells(assay, seeds):
    found = Watershed(diameter_px=22, threshold_factor=0.8, seeds=seeds)({"image": assay.cancer})
    total = sum(map(score, assay.cancer_labels, found["label"]), Score(0, 0, 0))
    assert total.f1 >= 0.95


def test_finds_cells_with_defaults(assay):
    found = Watershed()({"image": assay.cancer})["label"]
    assert sum(map(score, assay.cancer_labels, found), Score(0, 0, 0)).f1 >= 0.9


def test_result_is_uint16_and_counts_from_one(assay):
    labels = Watershed()({"image": assay.tcell})["label"]
    assert labels.dtype == np.uint16
    for frame in labels:
        ids = np.unique(frame[frame > 0])
        np.testing.assert_array_equal(ids, np.arange(1, len(ids) + 1))
        first = [np.flatnonzero(frame == i)[0] for i in ids]
        assert first == sorted(first)


def test_same_bits_again_and_frame_by_frame(assay):
    task = Watershed(diameter_px=22)
    whole = task({"image": assay.cancer})["label"]
    np.testing.assert_array_equal(whole, task({"image": assay.cancer})["label"])
    parts = [task({"image": frame})["label"] for frame in assay.cancer]
    np.testing.assert_array_equal(whole, np.concatenate(parts))


@pytest.mark.parametrize("dtype", ["uint8", "int16", "uint16", "uint32", "float32", "float64"])
def test_number_types_agree(assay, dtype):
    frame = (assay.cancer[0] // 8).astype(dtype)
    expected = Watershed()({"image": frame.astype(np.float32)})["label"]
    np.testing.assert_array_equal(Watershed()({"image": frame})["label"], expected)


def test_thresholds_equal_scikit_image(assay):
    image = _watershed.smooth(assay.cancer[0].astype(np.float32), 1.0)
    bin_width = float(image.max() - image.min()) / _watershed.BINS
    assert _watershed.otsu(image) == pytest.approx(
        threshold_otsu(image, nbins=_watershed.BINS), abs=2 * bin_width
    )
    assert _watershed.li(image) == pytest.approx(threshold_li(image), abs=4 * bin_width)


def test_one_piece_per_component_equals_scipy(assay):
    task = Watershed(seeds="none", smoothing_px=0, min_area_px2=0, fill_holes=False)
    frame = assay.cancer[3].astype(np.float32)
    mask = frame > np.float32(_watershed.otsu(frame))
    expected, number = ndimage.label(mask, np.ones((3, 3)))
    found = task({"image": frame})["label"][0]
    assert found.max() == number
    assert same_partition(found, expected)


def test_reconstruction_equals_scikit_image(assay):
    depth = _watershed._depth((assay.cancer[0] > 600).astype(np.uint8))
    seed = depth - np.random.default_rng(0).random(depth.shape).astype(np.float32) * 4
    expected = reconstruction(seed, depth, method="dilation")
    np.testing.assert_array_equal(_watershed.reconstruct(seed, depth), expected)


def test_parts_touching_disks():
    image = disks((60, 90), [(30, 30), (30, 52)], 12)
    labels = Watershed(diameter_px=24)({"image": image})["label"][0]
    assert labels.max() == 2
    assert labels[30, 30] != labels[30, 52]
    assert Watershed(diameter_px=24, seeds="none")({"image": image})["label"].max() == 1


def test_equal_peaks_close_together_are_one_seed():
    image = np.zeros((40, 60), np.float32)
    image[15:24, 10:50] = 100  # a bar: its ridge is flat, or nearly
    assert Watershed(diameter_px=60, min_area_px2=1)({"image": image})["label"].max() == 1


@pytest.mark.parametrize("seeds", ["distance", "h_maxima", "intensity", "none"])
def test_flips_and_transposition_move_cells_only(seeds):
    places = [(20, 25), (20, 44), (60, 70), (45, 20), (62, 46)]
    image = disks((80, 100), places, 10.3) + disks((80, 100), places, 4.1, 50)
    task = Watershed(diameter_px=20, seeds=seeds)
    expected = task({"image": image})["label"][0] > 0
    number = task({"image": image})["label"].max()
    for move in (np.flipud, np.fliplr, np.transpose):
        moved = task({"image": np.ascontiguousarray(move(image))})["label"][0]
        np.testing.assert_array_equal(moved > 0, move(expected))
        assert moved.max() == number


@pytest.mark.parametrize("method", ["otsu", "li", "local"])
@pytest.mark.parametrize("level", [0, 7])
def test_flat_frames_have_no_cells(method, level):
    movie = np.full((2, 30, 40), level, np.uint16)
    labels = Watershed(threshold_method=method)({"image": movie})["label"]
    assert labels.shape == movie.shape
    assert not labels.any()


def test_min_contrast_leaves_noise_alone():
    noise = np.random.default_rng(0).normal(100, 3, (1, 80, 80)).astype(np.float32)
    assert Watershed(min_area_px2=1)({"image": noise})["label"].any()
    assert not Watershed(min_area_px2=1, min_contrast=20)({"image": noise})["label"].any()


def test_single_cell_and_no_frames():
    image = disks((40, 40), [(20, 20)], 8)
    labels = Watershed(smoothing_px=0)({"image": image})["label"]
    np.testing.assert_array_equal(labels[0] > 0, image > 0)
    none = Watershed()({"image": np.zeros((0, 5, 6), np.uint8)})["label"]
    assert none.shape == (0, 5, 6)


def test_size_limits_and_border():
    image = disks((60, 80), [(0, 10), (30, 30)], 8) + disks((60, 80), [(45, 60)], 3)
    number = {
        name: Watershed(diameter_px=16, **how)({"image": image})["label"].max()
        for name, how in {
            "all": {"min_area_px2": 1},
            "large": {"min_area_px2": 60},
            "small": {"min_area_px2": 1, "max_area_px2": 60},
            "inside": {"min_area_px2": 1, "clear_border": True},
        }.items()
    }
    assert number == {"all": 3, "large": 2, "small": 1, "inside": 2}


def test_holes_are_filled_up_to_a_cell():
    ring = disks((60, 60), [(30, 30)], 10) - disks((60, 60), [(30, 30)], 4)
    wide = disks((60, 60), [(30, 30)], 25) - disks((60, 60), [(30, 30)], 20)
    task = Watershed(diameter_px=20, smoothing_px=0)
    assert task({"image": ring})["label"][0, 30, 30] > 0
    assert task({"image": wide})["label"][0, 30, 30] == 0
    assert Watershed(smoothing_px=0, fill_holes=False)({"image": ring})["label"][0, 30, 30] == 0


def test_local_threshold_sees_through_uneven_light():
    places = [(25, 25), (25, 95), (70, 60)]
    light = np.linspace(0, 600, 120, dtype=np.float32)[None]
    image = disks((100, 120), places, 9) + light
    how = {"diameter_px": 18, "local_window_px": 36, "threshold_offset": 90}
    labels = Watershed(threshold_method="local", **how)({"image": image})["label"][0]
    assert sorted(labels[place] for place in places) == [1, 2, 3]
    assert labels.max() == 3
    assert Watershed(diameter_px=18)({"image": image})["label"][0, 0, -1] > 0


def test_factor_and_offset_move_the_level():
    image = disks((40, 80), [(20, 20)], 8, 100) + disks((40, 80), [(20, 60)], 8, 30)
    assert Watershed()({"image": image})["label"].max() == 1
    assert Watershed(threshold_factor=0.2)({"image": image})["label"].max() == 2
    assert Watershed(threshold_offset=-45)({"image": image})["label"].max() == 2


def test_not_finite_pixels_are_background():
    image = disks((40, 40), [(20, 20)], 8)
    image[:3] = np.nan
    labels = Watershed(smoothing_px=0)({"image": image})["label"][0]
    assert labels.max() == 1
    assert not labels[:3].any()


def test_input_is_not_changed(assay):
    frame = assay.cancer[:1].astype(np.float32)
    before = frame.copy()
    frame.setflags(write=False)
    for seeds in ("distance", "h_maxima", "intensity"):
        Watershed(smoothing_px=0, seeds=seeds)({"image": frame})
    np.testing.assert_array_equal(frame, before)


def test_size_limits_that_exclude_all_are_refused():
    with pytest.raises(ParameterError, match="more than max_area_px2"):
        Watershed(min_area_px2=100, max_area_px2=10)
