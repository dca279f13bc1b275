"""RegionFeatures against scikit-image, arithmetic by hand, and what must not change the result."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from skimage.measure import regionprops_table

from cyto.errors import TaskInputError
from cyto.simulation import simulate_assay
from cyto.tabulation import _hulls, _jit
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
    "feret_diameter": "feret_diameter_max",
}


def reference(label, image):
    names = {name.rpartition("-")[0] or name for name in COLUMNS.values()}
    found = regionprops_table(label, image.astype(np.float64), properties=sorted(names))
    return pd.DataFrame({ours: found[theirs] for ours, theirs in COLUMNS.items()})


def features(label, image=None, **more):
    data = {"label": label} if image is None else {"label": label, "image": image}
    options = {key: more.pop(key) for key in ("shape", "solidity") if key in more}
    offset = {"frame_offset": more.pop("frame_offset")} if "frame_offset" in more else {}
    task = RegionFeatures(**options)
    if offset:  # what the engine adds when it splits a movie
        return task.run_baremetal({**data, **more, **offset})["dataframe"]
    return task({**data, **more})["dataframe"]


@pytest.fixture(scope="module")
def assay():
    return simulate_assay(frames=4, size=(200, 300))


@pytest.mark.parametrize("dtype", ["uint8", "uint16", "int16", "uint32", "float32", "float64"])
def test_equals_scikit_image(assay, dtype):
    movie = (assay.cancer // 8).astype(dtype)
    table = features(assay.cancer_labels, movie)
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
    for name in set(COLUMNS) - {"orientation"}:
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
    assert row.elongation == pytest.approx(4 * np.sqrt(1.25) / 2)
    assert row.roundness == pytest.approx(2 * np.sqrt(8 * np.pi) / 8)
    assert row.solidity == 1.0
    assert row.feret_diameter == pytest.approx(np.hypot(4, 1))  # half a pixel beyond the centres
    assert (row.perimeter_um, row.major_axis_um) == (4.0, row.major_axis / 2)
    assert row.feret_diameter_um == row.feret_diameter / 2


def test_single_pixel():
    label = np.zeros((5, 5), np.uint16)
    label[2, 3] = 65535
    row = features(label, label.astype(np.float32)).iloc[0]
    assert (row.label, row.area, row.major_axis, row.eccentricity, row.sd) == (65535, 1, 0, 0, 0)
    assert (row.elongation, row.solidity, row.feret_diameter) == (1, 1, 1)
    assert np.isnan(row.roundness)  # its outline has no length


@pytest.mark.parametrize("line", [np.eye(9), np.ones((1, 7)), np.ones((7, 1))])
def test_a_line_is_infinitely_long(line):
    row = features(np.pad(line, 3).astype(np.uint8)).iloc[0]
    assert (row.minor_axis, row.eccentricity, row.elongation) == (0, 1, np.inf)


def test_a_concave_cell_and_one_in_two_pieces():
    label = np.zeros((40, 50), np.uint16)
    label[5:30, 5:30] = 1
    label[10:30, 10:25] = 0
    label[35, 2], label[2, 48] = 2, 2
    found, expected = features(label), reference(label, label)
    for name in ("solidity", "feret_diameter", "area"):
        np.testing.assert_allclose(found[name], expected[name], rtol=1e-12)


@pytest.mark.parametrize("seed", range(3))
def test_hulls_of_random_blobs(seed):
    rng = np.random.default_rng(seed)
    label = np.zeros((150, 160), np.uint16)
    y, x = np.mgrid[:150, :160]
    for i in range(1, 30):
        cy, cx, a, b, angle = rng.uniform((0, 0, 2, 2, 0), (150, 160, 30, 12, 3))
        u = (y - cy) * np.cos(angle) + (x - cx) * np.sin(angle)
        v = (x - cx) * np.cos(angle) - (y - cy) * np.sin(angle)
        label[(u / a) ** 2 + (v / b) ** 2 < rng.uniform(0.5, 1.0, label.shape)] = i
    found, expected = features(label), reference(label, label)
    for name in ("solidity", "feret_diameter", "perimeter"):
        np.testing.assert_allclose(found[name], expected[name], rtol=1e-9, err_msg=name)


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
        features(label, image, frame_offset=t)
        for t, (label, image) in enumerate(
            zip(assay.cancer_labels[:, None], assay.cancer[:, None], strict=True)
        )
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


@pytest.fixture
def without_numba(monkeypatch):
    monkeypatch.setattr(_jit, "COMPILED", False)
    for name in ("measure", "chain", "fill"):
        loop = getattr(_hulls, name)
        monkeypatch.setattr(_hulls, name, getattr(loop, "py_func", loop))


def test_results_do_not_need_numba(assay, request):
    image = assay.cancer[:2].astype(np.float32)
    image[0, 40, 40:90], image[1, 40, 40:90] = np.nan, np.inf
    data = (assay.cancer_labels[:2], assay.cancer[:2])
    compiled = features(*data, odd=image)
    request.getfixturevalue("without_numba")
    pd.testing.assert_frame_equal(features(*data, odd=image), compiled, rtol=1e-12)
    assert len(features(np.zeros((3, 4), np.uint8), np.zeros((3, 4), np.uint8))) == 0


@pytest.mark.parametrize("numba", [True, False])
def test_not_a_number_stays_in_its_cell(numba, request):
    if not numba:
        request.getfixturevalue("without_numba")
    label = np.repeat(np.array([[1, 2, 3]], np.uint8), 4, axis=0)
    image = np.arange(12, dtype=np.float32).reshape(4, 3)
    image[1, 0] = np.nan
    image[1, 1] = np.inf
    image[0, 2], image[1, 2] = np.inf, -np.inf
    table = features(label, image)
    columns = ["mean", "median", "sd", "sum", "min", "max"]
    assert table.loc[0, columns].isna().all()
    assert table.loc[1, "max"] == np.inf
    assert table.loc[1, "median"] == 8.5
    assert tuple(table.loc[2, ["min", "max"]]) == (-np.inf, np.inf)
    assert table.loc[2, "median"] == 9.5


@pytest.mark.parametrize("dtype", ["float32", "float64", "uint16", "int32"])
def test_medians_equal_numpy(dtype):
    """Few values, many alike, far apart: all that could mislead the search for the middle one."""
    rng = np.random.default_rng(0)
    label = np.repeat(np.arange(1, 41), 30).reshape(40, 30).astype(np.uint8)
    image = np.round(rng.lognormal(0, 4, label.shape) % 60000).astype(dtype)
    image[5], image[6, ::2], image[7, 0] = 0, 1, 59999
    image[8:20, rng.integers(0, 30, 12)] = 3
    label[20:, 29] = 0  # odd numbers of pixels
    expected = [np.median(image[label == i]) for i in range(1, 41)]
    np.testing.assert_array_equal(features(label, image)["median"], expected)


@pytest.mark.parametrize("dtype", ["int8", "int16", "int32", "int64", "uint32", "uint64"])
def test_label_types_agree(assay, dtype):
    labels = assay.cancer_labels
    pd.testing.assert_frame_equal(features(labels.astype(dtype)), features(labels))


def test_labels_beyond_32_bits():
    label = np.array([[1 << 40, 0, 1], [1 << 40, 0, 5]], np.int64)
    assert list(features(label).label) == [1, 5, 1 << 40]


def test_time_is_written_where_the_interval_is_known(assay):
    table = features(assay.cancer_labels, frame_interval_s=60.0, frame_offset=10)
    np.testing.assert_array_equal(table.t_s, table.frame * 60.0)
    assert set(table.frame) == {10, 11, 12, 13}


def test_input_mapped_from_a_file(assay, tmp_path):
    np.save(tmp_path / "labels.npy", assay.cancer_labels)
    np.save(tmp_path / "image.npy", assay.cancer)
    mapped = [np.load(tmp_path / f"{name}.npy", mmap_mode="r") for name in ("labels", "image")]
    pd.testing.assert_frame_equal(features(*mapped), features(assay.cancer_labels, assay.cancer))


def test_floats_are_no_labels(assay):
    with pytest.raises(TaskInputError, match=r"'label'.*unsigned integer.*float32"):
        features(assay.cancer_labels.astype(np.float32))


def test_other_shape_is_refused(assay):
    with pytest.raises(TaskInputError, match=r"'death'.*\(4, 200, 299\)"):
        features(assay.cancer_labels, death=assay.death[:, :, 1:])
