"""ImageToLabel and LabelFilter: exact truth, slow references, and what must not change."""

from __future__ import annotations

import numpy as np
import pytest
from scipy import ndimage
from scores import same_partition

from cyto.errors import ParameterError, TaskInputError
from cyto.segmentation.image_to_label import ImageToLabel
from cyto.segmentation.label_filter import LabelFilter
from cyto.simulation import simulate_assay


@pytest.fixture(scope="module")
def labels():
    return simulate_assay(frames=3, size=(150, 190)).cancer_labels


def filtered(label, **rules):
    context = {key: rules.pop(key) for key in ("pixel_size_um",) if key in rules}
    return LabelFilter(**rules)({"label": label, **context})["label"]


# ------------------------------------------------------------------- image to label


@pytest.mark.parametrize("dtype", ["bool", "uint8", "int16", "uint16", "int64", "float32"])
def test_values_are_labels(dtype):
    image = np.random.default_rng(0).integers(0, 100, (2, 9, 13)).astype(dtype)
    found = ImageToLabel()({"image": image})["label"]
    assert found.dtype == np.uint16
    np.testing.assert_array_equal(found, image)


def test_high_labels_are_kept():
    image = np.array([[[0, 3]], [[70_000, 4_294_967_295]]], np.float64)
    found = ImageToLabel()({"image": image})["label"]
    assert found.dtype == np.uint32
    np.testing.assert_array_equal(found, image)


@pytest.mark.parametrize("value", [0.5, -1, np.nan, np.inf, 4_294_967_296])
def test_what_is_no_label_is_refused(value):
    image = np.zeros((2, 3, 4))
    image[1, 2, 3] = value
    with pytest.raises(TaskInputError, match=r"frame 1 at \(y, x\) = \(2, 3\).*\n.*components"):
        ImageToLabel()({"image": image})
    with pytest.raises(TaskInputError, match="holds -1"):
        ImageToLabel()({"image": np.full((3, 4), -1, np.int32)})


@pytest.mark.parametrize("connectivity", [4, 8])
@pytest.mark.parametrize("dtype", ["bool", "uint16", "float32"])
def test_components_equal_scipy(dtype, connectivity):
    image = np.random.default_rng(1).random((3, 40, 57)) < 0.4
    task = ImageToLabel(mode="components", connectivity=connectivity)
    found = task({"image": (image * 7).astype(dtype)})["label"]
    structure = np.ones((3, 3)) if connectivity == 8 else None
    for frame, mask in zip(found, image, strict=True):
        expected, number = ndimage.label(mask, structure)
        assert same_partition(frame, expected)
        first = [np.flatnonzero(frame == i)[0] for i in range(1, number + 1)]
        assert first == sorted(first)


def test_components_of_many_pieces():
    image = np.zeros((520, 520), np.uint8)
    image[::2, ::2] = 1
    found = ImageToLabel(mode="components", connectivity=4)({"image": image})["label"]
    assert found.dtype == np.uint32
    assert found.max() == 260 * 260


@pytest.mark.parametrize("mode", ["labels", "components"])
def test_no_cells_one_cell_and_no_pixels(mode):
    task = ImageToLabel(mode=mode)
    for shape in ((0, 4, 5), (1, 0, 5), (2, 4, 5)):
        assert not task({"image": np.zeros(shape, np.float32)})["label"].any()
    one = np.zeros((4, 5), np.uint8)
    one[2, 3] = 1
    np.testing.assert_array_equal(task({"image": one})["label"][0], one)


# --------------------------------------------------------------------- label filter


def slow(label, least=0, most=np.inf, clear_border=False, fill_holes=False, relabel=False):
    """The rules, cell by cell."""
    label = label.copy()
    if fill_holes:
        holes, number = ndimage.label(label == 0)
        for i in range(1, number + 1):
            hole = np.pad(holes == i, 1)
            around = np.unique(np.pad(label, 1)[ndimage.binary_dilation(hole) & ~hole])
            at_edge = hole[1].any() or hole[-2].any() or hole[:, 1].any() or hole[:, -2].any()
            if len(around) == 1 and not at_edge:
                label[holes == i] = around[0]
    edge = np.concatenate([label[0], label[-1], label[:, 0], label[:, -1]])
    result, name = np.zeros_like(label), 0
    for i in np.unique(label[label > 0]):
        cell = label == i
        if least <= cell.sum() <= most and not (clear_border and i in edge):
            name += 1
            result[cell] = name if relabel else i
    return result


RULES = [
    {},
    {"min_area_px2": 200},
    {"max_area_px2": 250},
    {"min_area_px2": 150, "max_area_px2": 300, "relabel": True},
    {"clear_border": True},
    {"fill_holes": True},
    {"relabel": True},
    {"fill_holes": True, "clear_border": True, "min_area_px2": 5, "relabel": True},
]
NAMES = {"min_area_px2": "least", "max_area_px2": "most"}


@pytest.mark.parametrize("rules", RULES, ids=str)
def test_equals_the_slow_version(labels, rules):
    holed = labels.copy()
    holed[np.random.default_rng(0).random(labels.shape) < 0.03] = 0
    found = filtered(holed, **rules)
    assert found.dtype == labels.dtype
    how = {NAMES.get(name, name): value for name, value in rules.items()}
    for t in range(3):
        np.testing.assert_array_equal(found[t], slow(holed[t], **how))


@pytest.mark.parametrize("rules", RULES, ids=str)
@pytest.mark.parametrize("seed", range(4))
def test_equals_the_slow_version_on_dust(rules, seed):
    rng = np.random.default_rng(seed)
    label = (rng.integers(0, 5, (12, 15)) * (rng.random((12, 15)) < 0.7)).astype(np.uint8)
    rules = {name: 9 if name == "min_area_px2" else value for name, value in rules.items()}
    how = {NAMES.get(name, name): value for name, value in rules.items()}
    np.testing.assert_array_equal(filtered(label, **rules)[0], slow(label, **how))


def test_holes_by_hand():
    ring = np.zeros((9, 18), np.uint16)
    ring[1:8, 1:8], ring[3:6, 3:6] = 4, 0  # a hole in one cell
    ring[1:8, 9:16], ring[3:6, 11:14], ring[4, 12] = 5, 0, 6  # a hole with another cell in it
    found = filtered(ring, fill_holes=True)[0]
    assert (found[1:8, 1:8] == 4).all()
    np.testing.assert_array_equal(found[:, 9:], ring[:, 9:])


def test_limits_in_micrometres(labels):
    expected = filtered(labels, min_area_px2=200, max_area_px2=300)
    found = filtered(labels, min_area_um2=50, max_area_um2=75, pixel_size_um=0.5)
    np.testing.assert_array_equal(found, expected)
    mixed = filtered(labels, min_area_um2=50, max_area_px2=300, pixel_size_um=0.5)
    np.testing.assert_array_equal(mixed, expected)
    with pytest.raises(TaskInputError, match=r"'pixel_size_um'.*min_area_um2"):
        filtered(labels, min_area_um2=50)


def test_names_do_not_matter(labels):
    names = np.random.default_rng(1).permutation(np.arange(1, 60000))[: labels.max() + 1]
    names[0] = 0
    rules = {"min_area_px2": 200, "clear_border": True, "fill_holes": True}
    expected = names[filtered(labels, **rules)]
    np.testing.assert_array_equal(filtered(names[labels].astype(np.uint16), **rules), expected)
    huge = names[labels].astype(np.uint32) * np.uint32(70_000)
    np.testing.assert_array_equal(filtered(huge, **rules), expected * 70_000)


@pytest.mark.parametrize("dtype", ["uint8", "int16", "uint32", "int64"])
def test_label_types_agree(labels, dtype):
    found = filtered(labels.astype(dtype), min_area_px2=200, fill_holes=True)
    np.testing.assert_array_equal(found, filtered(labels, min_area_px2=200, fill_holes=True))
    assert found.dtype == f"u{np.dtype(dtype).itemsize}"


@pytest.mark.parametrize("rules", RULES, ids=str)
def test_flips_and_chunks(labels, rules):
    whole = filtered(labels, **rules)
    parts = [filtered(frame, **rules) for frame in labels]
    np.testing.assert_array_equal(whole, np.concatenate(parts))
    np.testing.assert_array_equal(filtered(labels[:, ::-1], **rules), whole[:, ::-1])
    turned = filtered(labels.transpose(0, 2, 1), **rules)
    np.testing.assert_array_equal(turned, whole.transpose(0, 2, 1))


@pytest.mark.parametrize("rules", RULES, ids=str)
def test_no_cells_no_pixels_and_input_unchanged(labels, rules):
    for shape in ((0, 4, 5), (1, 0, 5), (2, 4, 5), (1, 1, 1)):
        assert not filtered(np.zeros(shape, np.uint16), **rules).any()
    before = labels.copy()
    labels.setflags(write=False)
    filtered(labels, **rules)
    np.testing.assert_array_equal(labels, before)


def test_floats_are_no_labels(labels):
    with pytest.raises(TaskInputError, match=r"'label'.*unsigned integer.*float32"):
        filtered(labels.astype(np.float32), relabel=True)


@pytest.mark.parametrize(
    ("bad", "word"),
    [
        ({"min_area_px2": -1}, "at least 0 px²"),
        ({"min_area_px2": 9, "max_area_px2": 8}, "no cell could pass"),
        ({"min_area_um2": 9, "max_area_um2": 8}, "no cell could pass"),
        ({"min_area_um2": 9, "min_area_px2": 8}, "exclude each other"),
        ({"min_area": 9}, "min_area_px2"),
    ],
)
def test_bad_limits(bad, word):
    with pytest.raises(ParameterError, match=word):
        LabelFilter(**bad)


def test_a_wrong_value_is_named_by_its_frame_in_the_whole_movie():
    part = np.full((2, 4, 4), 0.5, np.float32)
    with pytest.raises(TaskInputError, match="in frame 7"):
        ImageToLabel()({"image": part, "frame_offset": 7})
