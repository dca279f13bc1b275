"""Tracking by overlap: links, gaps, divisions, and what must not change the result."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from scipy.optimize import linear_sum_assignment
from scores import same_partition

from cyto.errors import TaskInputError
from cyto.simulation import simulate_assay
from cyto.tracking.overlap import OverlapTracker


def movie_of(*frames, width=40):
    """Draw each frame's cells, (label, first x, end x), as bars 4 px high."""
    movie = np.zeros((len(frames), 6, width), np.uint16)
    for index, cells in enumerate(frames):
        for label, begin, end in cells:
            movie[index, 1:5, begin:end] = label
    return movie


def track(movie, **params):
    found = OverlapTracker(**params)({"label": movie})
    return found["dataframe"], found["label"]


@pytest.fixture(scope="module")
def labels():
    return simulate_assay(10, (160, 200), 6, 10, 5).cancer_labels


def test_makes_a_table_and_a_movie():
    table, movie = track(movie_of([(5, 0, 10), (3, 20, 30)], [(1, 2, 12), (2, 19, 29)]))
    assert list(table.columns) == [
        "frame", "label", "y", "x", "area", "track_id", "parent_track_id",
    ]  # fmt: skip
    assert table["frame"].tolist() == [0, 0, 1, 1]
    assert table["label"].tolist() == [3, 5, 1, 2]
    assert table["track_id"].tolist() == [1, 2, 2, 1]
    assert table["area"].tolist() == [40] * 4
    np.testing.assert_allclose(table["y"], 2.5)
    np.testing.assert_allclose(table["x"], [24.5, 4.5, 6.5, 23.5])
    wanted = movie_of([(2, 0, 10), (1, 20, 30)], [(2, 2, 12), (1, 19, 29)])
    np.testing.assert_array_equal(movie, wanted)
    assert movie.dtype == np.uint16


def test_least_intersection_over_union():
    movie = movie_of([(1, 0, 10)], [(1, 5, 15)])  # a third
    assert track(movie, min_iou=0.33)[0]["track_id"].tolist() == [1, 1]
    assert track(movie, min_iou=0.34)[0]["track_id"].tolist() == [1, 2]
    apart = movie_of([(1, 0, 10)], [(1, 10, 20)])
    assert track(apart, min_iou=0)[0]["track_id"].tolist() == [1, 2]


def test_equals_the_dense_reference():
    rng = np.random.default_rng(0)
    blobs = rng.integers(0, 12, (2, 8, 9)).repeat(3, 1).repeat(3, 2).astype(np.uint16)
    table, _ = track(blobs, min_iou=0.05)
    a, b = (np.unique(frame[frame > 0]) for frame in blobs)
    iou = np.array(
        [
            [((blobs[0] == i) & (blobs[1] == j)).sum() / ((blobs[0] == i) | (blobs[1] == j)).sum()
             for j in b] for i in a
        ]
    )  # fmt: skip
    iou[iou < 0.05] = 0
    best = iou[linear_sum_assignment(-iou)].sum()
    pairs = table.pivot_table(index="track_id", columns="frame", values="label").dropna()
    found = sum(iou[np.searchsorted(a, i), np.searchsorted(b, j)] for i, j in pairs.to_numpy(int))
    assert found == pytest.approx(best)
    assert len(pairs)


def test_gaps():
    movie = movie_of([(1, 0, 10)], [(2, 20, 30)], [], [(1, 0, 10), (2, 20, 30)])
    assert track(movie)[0]["track_id"].tolist() == [1, 2, 3, 4]
    assert track(movie, max_frame_gap=2)[0]["track_id"].tolist() == [1, 2, 3, 2]
    assert track(movie, max_frame_gap=3)[0]["track_id"].tolist() == [1, 2, 1, 2]


def test_a_gap_is_closed_only_with_what_is_left_over():
    movie = movie_of([(1, 0, 10)], [(1, 3, 13)], [(1, 0, 10)])
    assert track(movie, max_frame_gap=3)[0]["track_id"].tolist() == [1, 1, 1]


DIVISION = movie_of([(1, 5, 25)], [(1, 4, 14), (2, 16, 26)], [(1, 3, 13), (2, 17, 27)])


def test_divisions():
    table, _ = track(DIVISION, divisions=True)
    assert table["track_id"].tolist() == [1, 2, 3, 2, 3]
    assert table["parent_track_id"].tolist() == [-1, 1, 1, 1, 1]
    table, _ = track(DIVISION)
    assert (table["parent_track_id"] == -1).all()
    assert table["track_id"].max() == 2


def test_a_neighbour_is_no_daughter():
    moved = movie_of([(1, 5, 15), (2, 17, 27)], [(1, 7, 17), (2, 18, 28), (3, 30, 40)])
    table, _ = track(moved, divisions=True)
    assert table["track_id"].tolist() == [1, 2, 1, 2, 3]
    assert (table["parent_track_id"] == -1).all()
    away = movie_of([(1, 0, 20)], [(1, 2, 22), (2, 22, 30)])
    assert (track(away, divisions=True)[0]["parent_track_id"] == -1).all()


def test_daughters_below_the_least_iou_are_found():
    tiny = movie_of([(1, 0, 40)], [(1, 0, 3), (2, 30, 33), (3, 38, 40)])
    table, _ = track(tiny, divisions=True)
    assert table["parent_track_id"].tolist() == [-1, 1, 1, -1]


def test_labels_and_axes_change_only_names(labels):
    params = {"divisions": True, "max_frame_gap": 2}
    _, wanted = track(labels, **params)
    rng = np.random.default_rng(0)
    renamed = np.zeros_like(labels)
    for index, frame in enumerate(labels):
        names = np.append(0, rng.permutation(int(labels.max())) + 1)
        renamed[index] = names[frame]
    assert same_partition(track(renamed, **params)[1], wanted)
    assert same_partition(track(labels[:, ::-1], **params)[1][:, ::-1], wanted)
    turned = track(labels.transpose(0, 2, 1), **params)[1].transpose(0, 2, 1)
    assert same_partition(turned, wanted)
    far = labels.astype(np.uint32) * 60_000_000
    np.testing.assert_array_equal(track(far, **params)[1], wanted)


def test_extends_a_given_table(labels):
    whole, movie = track(labels)
    some = whole.drop(columns=["track_id", "parent_track_id"]).sample(frac=0.7, random_state=0)
    found = OverlapTracker()({"label": labels, "dataframe": some.assign(extra=1.5)})
    wanted = whole.loc[some.index]
    pd.testing.assert_series_equal(found["dataframe"]["track_id"], wanted["track_id"])
    kept = np.isin(movie.astype(int) + 1000 * np.arange(len(movie))[:, None, None],
                   wanted["track_id"] + 1000 * wanted["frame"])  # fmt: skip
    np.testing.assert_array_equal(found["label"], np.where(kept, movie, 0))


@pytest.mark.parametrize("shape", [(0, 4, 5), (3, 4, 5), (1, 4, 5), (2, 0, 0)])
def test_no_cells(shape):
    table, movie = track(np.zeros(shape, np.uint8), divisions=True, max_frame_gap=3)
    assert len(table) == 0
    assert {"frame", "label", "track_id", "parent_track_id"} <= set(table.columns)
    assert table["track_id"].dtype == np.int64
    assert movie.shape == shape


def test_empty_frames_between_and_a_single_frame():
    assert track(movie_of([(1, 0, 4)], [], [(1, 0, 4)]))[0]["track_id"].tolist() == [1, 2]
    single = movie_of([(4, 0, 4), (2, 10, 14)])[0]
    assert track(single)[0]["track_id"].tolist() == [1, 2]


def test_table_only():
    assert set(OverlapTracker(relabel=False)({"label": DIVISION})) == {"dataframe"}


def test_bad_input_is_explained():
    task, table = OverlapTracker(), pd.DataFrame({"frame": [0, 1], "label": [1, 7]})
    with pytest.raises(TaskInputError, match="unsigned integer label"):
        task({"label": DIVISION.astype(float)})
    with pytest.raises(TaskInputError, match="has label 7 in frame 1, the label movie does not"):
        task({"label": DIVISION, "dataframe": table})
    with pytest.raises(TaskInputError, match="stands twice in frame 0"):
        task({"label": DIVISION, "dataframe": table.assign(frame=0, label=1)})
    with pytest.raises(TaskInputError, match="no column 'label'"):
        task({"label": DIVISION, "dataframe": table[["frame"]]})


def test_a_mask_is_a_movie_of_one_cell():
    mask = np.zeros((3, 8, 8), bool)
    assert OverlapTracker()({"label": mask})["dataframe"].empty
    mask[:, 2:5, 2:5] = True
    result = OverlapTracker()({"label": mask})
    assert result["dataframe"].track_id.tolist() == [1, 1, 1]
    np.testing.assert_array_equal(result["label"], mask)
