"""RegionFeatures against scikit-image, arithmetic by hand, and what must not change the result."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from skimage.measure import regionprops_table

from cyto.errors import TaskInputError
from cyto.simulation import simulate_assay
from cyto.tabulation.regions import RegionFeatures

COLUMNS = {
    "label": "label",
    "y": "centroid-0",
    "x": "centroid-1",
    "area": "area",
    "bbox_y0": "bbox-0",
    "bbox_x0": "bbox-1",
    "bbox_y1": "bbox-2",
    "bbox_x1": "bbox-3",
    "mean": "intensity_mean",
    "median": "intensity_median",
    "sd": "intensity_std",
    "min": "intensity_min",
    "max": "intensity_max",
    "major_axis": "axis_major_length",
    "minor_axis": "axis_minor_length",
    "eccentricity": "eccentricity",
    "orientation": "orientation",
    "perimeter": "perimeter",
    "solidity": "solidity",
}


def reference(label, image):
    names = {name.rpartition("-")[0] or name for name in COLUMNS.values()}
    found = regionprops_table(label, image.astype(np.float64), properties=sorted(names))
    return pd.DataFrame({ours: found[theirs] for ours, theirs in COLUMNS.items()})


def features(label, image=None, **more):
    data = {"label": label} if image is None else {"label": label, "image": image}
    options = {key: more.pop(key) for key in ("shape", "solidity") if key in more}
    return RegionFeatures(**options)({**data, **more})["dataframe"]


@pytest.fixture(scope="module")
def assay():
    return simulate_assay(frames=4, size=(200, 300))


@pytest.mark.parametrize("dtype", ["uint8", "uint16", "int16", "uint32", "float32", "float64"])
def test_equals_scikit_image(assay, dtype):
    movie = (assay.cancer // 8).astype(dtype)
    table = features(assay.cancer_labels, movie, solidity=True)
    for frame in range(len(movie)):
        found = table[table.frame == frame].reset_index(drop=True)
        expected = reference(assay.cancer_labels[frame], movie[frame])
        for name in COLUMNS:
            np.testing.assert_allclose(
                found[name], expected[name], rtol=1e-6, atol=1e-6, err_msg=name
            )
        np.testing.assert_allclose(found["sum"], expected["mean"] * expected["area"], rtol=1e-9)


@pytest.mark.parametrize("seed", range(20))
def test_equals_scikit_image_on_dust(seed):
    """Labels in many pieces, of one pixel or two, at every border."""
    rng = np.random.default_rng(seed)
    label = (rng.integers(0, 9, (9, 13)) * rng.integers(0, 2, (9, 13))).astype(np.uint16)
    image = rng.integers(0, 65536, label.shape).astype(np.uint16)
    found, expected = features(label, image), reference(label, image)
    for name in set(COLUMNS) - {"solidity", "orientation"}:
        np.testing.assert_allclose(found[name], expected[name], rtol=1e-6, atol=1e-6, err_msg=name)


def test_a_cell_by_hand():
    label = np.zeros((1, 6, 7), np.uint8)
    label[0, 1:3, 2:6] = 5
    image = np.arange(42, dtype=np.uint16).reshape(1, 6, 7)
    row = features(label, image, pixel_size_um=0.5).iloc[0]
    values = image[0, 1:3, 2:6]
    assert (row.label, row.frame, row.y, row.x, row.area) == (5, 0, 1.5, 3.5, 8)
    assert (row.y_um, row.x_um, row.area_um2) == (0.75, 1.75, 2.0)
    assert (row.bbox_y0, row.bbox_x0, row.bbox_y1, row.bbox_x1) == (1, 2, 3, 6)
    assert (row["mean"], row["median"], row["sum"]) == (14.0, 14.0, 112.0)
    assert (row["min"], row["max"], row["sd"]) == (9, 19, pytest.approx(values.std()))
    assert row.major_axis == pytest.approx(4 * np.sqrt(1.25))
    assert row.minor_axis == pytest.approx(2.0)
    assert row.orientation == pytest.approx(np.pi / 2)  # along x
    assert row.perimeter == 8.0


def test_single_pixel():
    label = np.zeros((5, 5), np.uint16)
    label[2, 3] = 65535
    row = features(label, label.astype(np.float32)).iloc[0]
    assert (row.label, row.area, row.major_axis, row.eccentricity, row.sd) == (65535, 1, 0, 0, 0)


def test_rows_are_by_frame_then_label(assay):
    table = features(assay.cancer_labels)
    assert table.equals(table.sort_values(["frame", "label"]))
    truth = assay.tracks[assay.tracks.cell_type == "cancer"].sort_values(["frame", "track_id"])
    np.testing.assert_array_equal(table.label, truth.track_id)
    np.testing.assert_allclose(table[["y", "x"]], truth[["y", "x"]])


def test_no_cells_give_the_same_columns(assay):
    full = features(assay.cancer_labels, assay.cancer, pixel_size_um=0.65, solidity=True)
    none = np.zeros_like(assay.cancer_labels)
    for labels in (none, none[:0]):
        empty = features(labels, assay.cancer[: len(labels)], pixel_size_um=0.65, solidity=True)
        assert len(empty) == 0
        assert empty.dtypes.equals(full.dtypes)


def test_empty_frame_between_others(assay):
    labels = assay.cancer_labels.copy()
    labels[1] = 0
    table = features(labels, assay.cancer)
    assert sorted(table.frame.unique()) == [0, 2, 3]


def test_renamed_cells_measure_the_same(assay):
    labels = assay.cancer_labels
    names = np.random.default_rng(1).permutation(np.arange(1, 60000))[: labels.max() + 1]
    names[0] = 0
    renamed = names[labels].astype(np.uint32) * np.uint32(50_000)
    back = {int(name) * 50_000: i for i, name in enumerate(names)}
    table = features(renamed, assay.cancer)
    table["label"] = table.label.map(back)
    table = table.sort_values(["frame", "label"], ignore_index=True)
    pd.testing.assert_frame_equal(table, features(labels, assay.cancer), rtol=1e-12)


def test_flips_move_cells_and_keep_their_shape(assay):
    one = features(assay.cancer_labels, assay.cancer)
    flipped = features(assay.cancer_labels[:, ::-1, :], assay.cancer[:, ::-1, :])
    np.testing.assert_allclose(flipped.y, 199 - one.y)
    for name in ("area", "x", "mean", "sd", "median", "major_axis", "perimeter", "eccentricity"):
        np.testing.assert_allclose(flipped[name], one[name], err_msg=name, rtol=1e-9, atol=1e-7)


def test_frames_apart_equal_the_movie(assay):
    whole = features(assay.cancer_labels, assay.cancer)
    parts = [
        features(label, image).assign(frame=t)
        for t, (label, image) in enumerate(zip(assay.cancer_labels, assay.cancer, strict=True))
    ]
    pd.testing.assert_frame_equal(whole, pd.concat(parts, ignore_index=True))


def test_further_images_are_named_by_key(assay):
    table = features(assay.cancer_labels, assay.cancer, death=assay.death, tcell=assay.tcell)
    alone = features(assay.cancer_labels, assay.death)
    for name in ("mean", "median", "sd", "sum", "min", "max"):
        np.testing.assert_array_equal(table[f"death_{name}"], alone[name])
    assert "tcell_median" in table
    without = features(assay.cancer_labels, death=assay.death)
    assert "mean" not in without
    assert "death_mean" in without


def test_without_pixel_size_there_are_no_micrometres(assay):
    assert not {"y_um", "x_um", "area_um2"} & set(features(assay.cancer_labels))


def test_shape_can_be_left_out(assay):
    table = features(assay.cancer_labels, shape=False)
    assert not {"major_axis", "perimeter", "solidity"} & set(table)


def test_not_a_number_stays_in_its_cell():
    label = np.repeat(np.array([[1, 2]], np.uint8), 4, axis=0)
    image = np.arange(8, dtype=np.float32).reshape(4, 2)
    image[1, 0] = np.nan
    image[1, 1] = np.inf
    table = features(label, image)
    assert table.loc[0, ["mean", "median", "sd", "sum"]].isna().all()
    assert table.loc[1, "max"] == np.inf
    assert table.loc[1, "median"] == 6.0


def test_other_shape_is_refused(assay):
    with pytest.raises(TaskInputError, match=r"'death'.*\(4, 200, 299\)"):
        features(assay.cancer_labels, death=assay.death[:, :, 1:])
