"""CellContacts against a slow, obvious version, exact truth, and what must not change it."""

from __future__ import annotations

from collections import Counter
from itertools import product

import networkx as nx
import numpy as np
import pandas as pd
import pytest

from cyto.contact.contacts import CellContacts
from cyto.errors import ParameterError, TaskInputError
from cyto.runners.exchange import network_from_json, network_to_json
from cyto.simulation import simulate_assay

KEYS = ["frame", "a", "b"]


def contacts(**data):
    options = {key: data.pop(key) for key in list(data) if key.startswith("max_")}
    return CellContacts(**options)(data)


def reference(a, b=None, radius=None):
    """Compare every pixel with every other; the definitions of `CellContacts`, word by word."""
    other = a if b is None else b
    here = [(y, x) for y, x in np.ndindex(a.shape) if a[y, x]]
    there = [(y, x) for y, x in np.ndindex(a.shape) if other[y, x]]
    squares, overlap = {}, Counter()
    for (y1, x1), (y2, x2) in product(here, there):
        pair = int(a[y1, x1]), int(other[y2, x2])
        if b is None and pair[0] >= pair[1]:
            continue
        square = (y1 - y2) ** 2 + (x1 - x2) ** 2
        squares[pair] = min(square, squares.get(pair, square))
        overlap[pair] += square == 0
    limit = max(2, (radius or 0) ** 2)
    return [
        (
            *pair,
            "overlap" if overlap[pair] else "touch" if square <= 2 else "near",
            _length(a == pair[0], other == pair[1]),
            overlap[pair],
            np.sqrt(square) if square > 2 else 0.0,
        )
        for pair, square in sorted(squares.items())
        if square <= limit
    ]


def _length(a, b):
    """Count crossings of the line between two masks, one pair of neighbours at a time."""
    height, width = a.shape
    total = 0.0
    for (dy, dx), spacing in {
        (0, 1): 1,
        (1, 0): 1,
        (1, 1): np.sqrt(0.5),
        (1, -1): np.sqrt(0.5),
    }.items():
        for y, x in np.ndindex(a.shape):
            y2, x2 = y + dy, x + dx
            if not (0 <= y2 < height and 0 <= x2 < width):
                continue
            p, q = (a[y, x], b[y, x]), (a[y2, x2], b[y2, x2])
            crossed = sum({s, t} == {(1, 0), (0, 1)} for s, t in [(p, q)])
            left = (p == (1, 1)) != (q == (1, 1))
            total += np.pi / 8 * spacing * (crossed + left / 2)
    return total


def rows(table):
    columns = ["a", "b", "relation", "contact_length_px", "overlap_px2", "distance_px"]
    return list(table[columns].itertuples(index=False, name=None))


def random_cells(rng, shape, dtype=np.uint16):
    """Give blobs, dust and large areas that fill the frame up to its border."""
    coarse = rng.integers(0, 6, (shape[0] // 3 + 1, shape[1] // 3 + 1))
    label = np.kron(coarse, np.ones((3, 3), int))[: shape[0], : shape[1]]
    label = np.where(rng.random(shape) < 0.15, rng.integers(0, 9, shape), label)
    return (label * (rng.random(shape) < rng.uniform(0.5, 1))).astype(dtype)


@pytest.fixture(scope="module")
def assay():
    return simulate_assay(frames=12, size=(150, 210), tcells=14, cancer_cells=12, seed=5)


@pytest.mark.parametrize("seed", range(8))
@pytest.mark.parametrize("radius", [None, 3.0, 4.5])
def test_equals_the_slow_version(seed, radius):
    rng = np.random.default_rng(seed)
    a, b = (random_cells(rng, (11, 14)) for _ in range(2))
    within = contacts(cell=a, max_distance_px=radius)["dataframe"]
    between = contacts(one=a, two=b, max_distance_px=radius)["dataframe"]
    for found, expected in (
        (within, reference(a, None, radius)),
        (between, reference(a, b, radius)),
    ):
        assert [row[:3] for row in rows(found)] == [row[:3] for row in expected]
        assert found.overlap_px2.tolist() == [row[4] for row in expected]
        assert found.distance_px.tolist() == [row[5] for row in expected]
        np.testing.assert_allclose(
            found.contact_length_px, [row[3] for row in expected], rtol=1e-12, atol=0
        )


@pytest.mark.parametrize("seed", range(3))
def test_equals_the_slow_version_on_true_labels(seed):
    assay = simulate_assay(
        frames=2, size=(56, 70), tcells=4, cancer_cells=4, seed=seed, pixel_size_um=1.0
    )
    found = contacts(tcell=assay.tcell_labels, cancer=assay.cancer_labels, max_distance_px=6)
    for frame, part in found["dataframe"].groupby("frame"):
        expected = reference(assay.tcell_labels[frame], assay.cancer_labels[frame], 6)
        assert [row[:3] for row in rows(part)] == [row[:3] for row in expected]
        np.testing.assert_allclose(
            [row[3:] for row in rows(part)], [row[3:] for row in expected], rtol=1e-12
        )


@pytest.mark.parametrize("seed", range(6))
def test_equals_the_true_contacts(seed):
    assay = simulate_assay(frames=20, size=(200, 260), tcells=20, cancer_cells=16, seed=seed)
    found = contacts(tcell=assay.tcell_labels, cancer=assay.cancer_labels)["dataframe"]
    truth = assay.contacts.rename(columns={"tcell": "a", "cancer": "b"})
    assert len(truth) > 20
    pd.testing.assert_frame_equal(found[KEYS], truth[KEYS].sort_values(KEYS, ignore_index=True))
    assert set(found.a_type) == {"tcell"}
    assert set(found.b_type) == {"cancer"}


def test_lengths_by_hand():
    label = np.zeros((40, 60), np.uint8)
    label[5:15, 10:40], label[15:30, 5:50] = 1, 2
    row = contacts(cell=label, pixel_size_um=0.5)["dataframe"].iloc[0]
    # 30 px wide: 30 vertical neighbours and twice 30 diagonal ones
    assert row.contact_length_px == pytest.approx(np.pi / 8 * (30 + 60 / np.sqrt(2)))
    assert row.contact_length_px == pytest.approx(30, rel=0.06)
    assert row.contact_length_um == row.contact_length_px / 2
    assert (row.relation, row.distance_px, row.distance_um) == ("touch", 0.0, 0.0)


@pytest.mark.parametrize("degrees", range(0, 90, 15))
def test_length_is_right_at_any_angle(degrees):
    y, x = np.mgrid[-100:101, -100:101]
    angle = np.deg2rad(degrees)
    across, along = y * np.cos(angle) - x * np.sin(angle), y * np.sin(angle) + x * np.cos(angle)
    label = np.where(across > 0.3, 1, 2) * (np.abs(along) < 60) * (np.abs(across) < 30)
    row = contacts(cell=label.astype(np.uint8))["dataframe"].iloc[0]
    assert row.contact_length_px == pytest.approx(120, rel=0.07)


def test_a_thin_overlap_is_as_long_as_a_touch():
    a, b = np.zeros((2, 60, 90), np.uint8)
    a[10:30, 10:80], b[29:50, 10:80] = 1, 1
    overlap = contacts(a=a, b=b)["dataframe"].iloc[0]
    assert (overlap.relation, overlap.overlap_px2) == ("overlap", 70)
    a[29] = 0
    touch = contacts(a=a, b=b)["dataframe"].iloc[0]
    assert (touch.relation, touch.overlap_px2) == ("touch", 0)
    assert overlap.contact_length_px == pytest.approx(touch.contact_length_px, rel=0.03)


def test_distance_in_microns(assay):
    movies = {"tcell": assay.tcell_labels, "cancer": assay.cancer_labels}
    scale = {"pixel_size_um": 0.65, "frame_interval_s": 30.0}
    microns = contacts(**movies, **scale, max_distance_um=3.25)["dataframe"]
    pixels = contacts(**movies, **scale, max_distance_px=5)["dataframe"]
    pd.testing.assert_frame_equal(microns, pixels)
    assert (pixels.distance_px == 5).any()  # 3.25 / 0.65 is not quite 5 in floating point
    np.testing.assert_allclose(pixels.distance_um, pixels.distance_px * 0.65)
    np.testing.assert_allclose(pixels.overlap_um2, pixels.overlap_px2 * 0.65**2)
    np.testing.assert_allclose(pixels.t_s, pixels.frame * 30.0)


def test_network(assay):
    data = {"tcell": assay.tcell_labels, "cancer": assay.cancer_labels}
    found = contacts(**data, pixel_size_um=0.65, frame_interval_s=30.0, max_distance_px=4)
    graph, table = found["network"], found["dataframe"]
    assert isinstance(graph, nx.Graph)
    kinds = {node: (data["population"], data["id"]) for node, data in graph.nodes(data=True)}
    tracks = assay.tracks[["cell_type", "track_id"]].drop_duplicates()
    assert set(kinds.values()) == set(tracks.itertuples(index=False, name=None))
    assert all(node == f"{population}:{label}" for node, (population, label) in kinds.items())
    groups = dict(list(table.groupby(["a", "b"])))
    assert graph.number_of_edges() == len(groups)
    for (a, b), part in groups.items():
        edge = graph.edges[f"tcell:{a}", f"cancer:{b}"]
        assert (edge["start_frame"], edge["end_frame"]) == (part.frame.min(), part.frame.max())
        assert edge["duration_frames"] == part.frame.max() - part.frame.min() + 1
        assert edge["duration_s"] == edge["duration_frames"] * 30.0
        assert edge["n_frames"] == len(part)
        assert edge["contact_frames"] == (part.distance_px == 0).sum()
        assert edge["contact_length_um"] == pytest.approx(part.contact_length_um.sum())
        assert edge["min_distance_px"] == part.distance_px.min()
    again = network_from_json(network_to_json(graph))
    assert nx.utils.graphs_equal(graph, again)


def test_network_of_one_population_has_labels_as_nodes(assay):
    graph = contacts(cancer=assay.cancer_labels)["network"]
    ids = assay.tracks.query("cell_type == 'cancer'").track_id
    assert set(graph.nodes) == set(ids)
    assert graph.nodes[int(ids.iloc[0])]["population"] == "cancer"


@pytest.mark.parametrize("dtype", ["uint8", "int16", "uint32", "int64", "uint64"])
def test_label_types(assay, dtype):
    found = contacts(t=assay.tcell_labels.astype(dtype), c=assay.cancer_labels, max_distance_px=3)
    usual = contacts(t=assay.tcell_labels, c=assay.cancer_labels, max_distance_px=3)
    pd.testing.assert_frame_equal(found["dataframe"], usual["dataframe"])


@pytest.mark.parametrize(
    ("dtype", "top"), [("uint16", 65535), ("uint32", 2**32 - 1), ("int64", 2**62)]
)
def test_extreme_labels(dtype, top):
    label = np.zeros((9, 12), dtype)
    label[2:5, 2:5], label[2:5, 5:8], label[2:5, 10:] = top, top - 1, 3
    found = contacts(cell=label, max_distance_px=3)
    pairs = found["dataframe"][["a", "b", "relation"]].to_numpy().tolist()
    assert pairs == [[3, top - 1, "near"], [top - 1, top, "touch"]]
    assert set(found["network"].nodes) == {3, top - 1, top}


def test_boolean_masks():
    mask = np.zeros((5, 7), bool)
    mask[1:3, 1:3] = True
    found = contacts(a=mask, b=np.roll(mask, 2, axis=1))
    assert found["dataframe"].relation.tolist() == ["touch"]
    assert contacts(a=mask)["dataframe"].empty


@pytest.mark.parametrize("shape", [(0, 8, 9), (3, 8, 9), (1, 1, 1), (2, 0, 0)])
def test_no_cells_give_the_same_columns(assay, shape):
    scale = {"pixel_size_um": 0.65, "frame_interval_s": 30.0}
    full = contacts(a=assay.tcell_labels, b=assay.cancer_labels, max_distance_px=4, **scale)
    none = np.zeros(shape, np.uint16)
    for data in ({"a": none}, {"a": none, "b": none}):
        found = contacts(**data, max_distance_px=4, **scale)
        assert len(found["dataframe"]) == 0
        assert found["dataframe"].dtypes.equals(full["dataframe"].dtypes)
        assert len(found["network"]) == 0


def test_one_cell_and_a_full_frame():
    full = np.full((6, 5), 7, np.uint16)
    assert contacts(a=full, max_distance_px=50)["dataframe"].empty
    row = contacts(a=full, b=full, max_distance_px=50)["dataframe"].iloc[0]
    assert (row.a, row.b, row.overlap_px2, row.contact_length_px) == (7, 7, 30, 0.0)


def test_far_apart(assay):
    """A radius larger than the frame finds every pair."""
    label = assay.cancer_labels[:1]
    ids = np.unique(label)[1:]
    found = contacts(cell=label, max_distance_px=1000)["dataframe"]
    assert len(found) == len(ids) * (len(ids) - 1) // 2


def test_renamed_cells_touch_the_same(assay):
    names = np.random.default_rng(1).permutation(60000)[: assay.cancer_labels.max() + 1] + 1
    names[0] = 0
    back = {int(name): i for i, name in enumerate(names)}
    found = contacts(cell=names[assay.cancer_labels].astype(np.uint16), max_distance_px=4)
    table = found["dataframe"]
    ends = np.sort(np.stack([table.a.map(back), table.b.map(back)]), axis=0)
    table = table.assign(a=ends[0], b=ends[1]).sort_values(KEYS, ignore_index=True)
    usual = contacts(cell=assay.cancer_labels, max_distance_px=4)["dataframe"]
    pd.testing.assert_frame_equal(table, usual)


@pytest.mark.parametrize("turn", ["flip_y", "flip_x", "transpose", "populations"])
def test_symmetry(assay, turn):
    turned = {
        "flip_y": lambda movie: movie[:, ::-1],
        "flip_x": lambda movie: movie[:, :, ::-1],
        "transpose": lambda movie: movie.transpose(0, 2, 1),
        "populations": lambda movie: movie,
    }[turn]
    one = contacts(t=assay.tcell_labels, c=assay.cancer_labels, max_distance_px=5)["dataframe"]
    movies = {"t": turned(assay.tcell_labels), "c": turned(assay.cancer_labels)}
    if turn == "populations":
        two = contacts(c=movies["c"], t=movies["t"], max_distance_px=5)["dataframe"]
        swap = {"a": "b", "b": "a", "a_type": "b_type", "b_type": "a_type"}
        two = two.rename(columns=swap)[list(one)].sort_values(KEYS, ignore_index=True)
    else:
        two = contacts(**movies, max_distance_px=5)["dataframe"]
    pd.testing.assert_frame_equal(one, two)


def test_chunks_joined_are_the_movie(assay):
    whole = contacts(t=assay.tcell_labels, c=assay.cancer_labels, max_distance_px=5)["dataframe"]
    parts = []
    for start in range(0, 12, 5):
        part = contacts(
            t=assay.tcell_labels[start : start + 5],
            c=assay.cancer_labels[start : start + 5],
            max_distance_px=5,
        )["dataframe"]
        parts.append(part.assign(frame=part.frame + start))
    pd.testing.assert_frame_equal(pd.concat(parts, ignore_index=True), whole)


def test_inputs_are_left_alone(assay):
    labels = assay.cancer_labels.copy()
    labels.flags.writeable = False
    contacts(a=labels, b=labels, max_distance_px=4)
    np.testing.assert_array_equal(labels, assay.cancer_labels)


@pytest.mark.parametrize(
    ("data", "words"),
    [
        ({}, ["one or two label movies", "none", "tcell_tracking.label"]),
        ({name: np.zeros((2, 4, 4), np.uint8) for name in "abc"}, ["received a, b, c"]),
        ({"a": np.zeros((2, 4, 4), np.float32)}, ["'a'", "unsigned integer", "float32"]),
        (
            {"a": np.zeros((2, 4, 4), np.uint8), "b": np.zeros((2, 4, 5), np.uint8)},
            ["'b'", "(2, 4, 5)", "'a' has (2, 4, 4)"],
        ),
        (
            {"a": np.zeros((2, 4, 4), np.uint8), "b": np.zeros((3, 4, 4), np.uint8)},
            ["(3, 4, 4)", "same frames"],
        ),
        ({"a": np.zeros((2, 2, 4, 4), np.uint8)}, ["(T, Y, X)"]),
    ],
)
def test_bad_input(data, words):
    with pytest.raises(TaskInputError) as caught:
        CellContacts()(data)
    assert caught.value.task == "CellContacts"
    for word in words:
        assert word in str(caught.value)


def test_microns_need_a_pixel_size():
    with pytest.raises(TaskInputError, match="pixel size is not known") as caught:
        contacts(a=np.zeros((4, 4), np.uint8), max_distance_um=2)
    assert caught.value.key == "pixel_size_um"


@pytest.mark.parametrize(
    "params",
    [
        {"max_distance_px": -1},
        {"max_distance_um": -0.1},
        {"max_distance_px": 1, "max_distance_um": 1},
    ],
)
def test_bad_parameters(params):
    with pytest.raises(ParameterError, match="max_distance"):
        CellContacts(**params)
