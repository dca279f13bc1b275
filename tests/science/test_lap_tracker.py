"""What LapTracker makes of links: columns, names, movies, and errors for bad tables."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from cyto.errors import ParameterError, TaskInputError
from cyto.simulation import simulate_assay
from cyto.tracking.lap import LapTracker


def table_of(*cells, columns=("frame", "label", "y", "x")):
    return pd.DataFrame([dict(zip(columns, cell, strict=True)) for cell in cells])


def track(table, **params):
    return LapTracker(**params)({"dataframe": table})["dataframe"]


@pytest.fixture(scope="module")
def cells():
    truth = simulate_assay(12, (200, 240), 12, 8, 3).tracks
    some = truth[np.random.default_rng(0).random(len(truth)) > 0.05]
    return some.rename(columns={"track_id": "label"})[["frame", "label", "y", "x"]]


ALL = {"max_frame_gap": 3, "splitting": True, "merging": True}


def groups(table, key):
    """Give what belongs together, without names: sets of *key*, with their mother's set."""
    sets = {name: frozenset(some) for name, some in table.groupby("track_id")[key]}
    return {
        (sets[name], sets.get(mother))
        for name, mother in zip(table["track_id"], table["parent_track_id"], strict=True)
    }


def test_keeps_rows_index_and_columns(cells):
    table = cells.sample(frac=1, random_state=1).assign(extra="a")
    before = table.copy()
    found = track(table)
    pd.testing.assert_frame_equal(table, before)
    pd.testing.assert_frame_equal(found[table.columns], before)
    assert list(found.columns[-2:]) == ["track_id", "parent_track_id"]
    assert found["track_id"].dtype == found["parent_track_id"].dtype == np.int64
    ids = np.unique(found["track_id"])
    np.testing.assert_array_equal(ids, np.arange(1, len(ids) + 1))


def test_tracks_are_numbered_by_first_frame_then_label(cells):
    found = track(cells, **ALL).sort_values(["frame", "label"])
    first = found.drop_duplicates("track_id")["track_id"]
    assert first.is_monotonic_increasing


def test_order_of_rows_changes_nothing(cells):
    wanted = track(cells, **ALL)
    mixed = track(cells.sample(frac=1, random_state=2), **ALL)
    pd.testing.assert_frame_equal(mixed.loc[wanted.index], wanted)


def test_labels_and_axes_change_only_names(cells):
    cells = cells.assign(row=np.arange(len(cells)))
    wanted = groups(track(cells, **ALL), "row")
    rng = np.random.default_rng(0)
    renamed = cells.assign(label=rng.permutation(len(cells)) + 1)
    flipped = cells.assign(y=500 - cells["y"])
    turned = cells.rename(columns={"y": "x", "x": "y"})
    unnamed = cells.drop(columns="label")
    for table in (renamed, flipped, turned, unnamed, cells.astype({"frame": "uint8"})):
        assert groups(track(table, **ALL), "row") == wanted


def test_ties_do_not_depend_on_labels_or_order():
    y, x = np.mgrid[0:4, 0:4] * 10.0
    grid = pd.DataFrame({"y": y.ravel(), "x": x.ravel()})
    moved = grid + 5.0
    table = pd.concat([grid.assign(frame=0), moved.assign(frame=1)], ignore_index=True)
    table["row"], table["label"] = np.arange(32), np.tile(np.arange(16), 2)
    wanted = groups(track(table), "row")
    renamed = table.assign(label=np.random.default_rng(0).permutation(32)).sample(
        frac=1, random_state=0
    )
    assert groups(track(renamed), "row") == wanted


def test_daughters_start_tracks_with_their_mother():
    table = table_of(
        (0, 1, 50, 50),
        (1, 1, 50, 51),
        (2, 1, 50, 46),
        (2, 2, 50, 57),
        (3, 1, 50, 45),
        (3, 2, 50, 58),
    )
    found = track(table, splitting=True)
    assert found["track_id"].tolist() == [1, 1, 2, 3, 2, 3]
    assert found["parent_track_id"].tolist() == [-1, -1, 1, 1, 1, 1]
    assert "merged_into" not in found


def test_a_merging_cell_ends_and_the_other_goes_on():
    table = table_of(
        (0, 1, 50, 45),
        (0, 2, 50, 58),
        (1, 1, 50, 46),
        (1, 2, 50, 57),
        (2, 1, 50, 50),
        (3, 1, 50, 50),
    )
    found = track(table, merging=True)
    assert found["track_id"].tolist() == [1, 2, 1, 2, 1, 1]
    assert found["merged_into"].tolist() == [-1, 1, -1, 1, -1, -1]
    assert (found["parent_track_id"] == -1).all()


def test_gap_is_a_difference_of_frames():
    table = table_of((0, 1, 5, 5), (1, 1, 5, 5), (4, 1, 5, 5))
    assert track(table, max_frame_gap=3)["track_id"].tolist() == [1, 1, 1]
    assert track(table, max_frame_gap=2)["track_id"].tolist() == [1, 1, 2]
    assert track(table, max_frame_gap=0)["track_id"].tolist() == [1, 1, 2]


def test_distances_in_um(cells):
    task = LapTracker(linking_max_distance=7.5, gap_closing_max_distance=5, units="um")
    found = task({"dataframe": cells, "pixel_size_um": 0.5})["dataframe"]
    wanted = track(cells, linking_max_distance=15, gap_closing_max_distance=10)
    pd.testing.assert_frame_equal(found, wanted)
    with pytest.raises(TaskInputError, match=r"LapTracker.*pixel size.*units: um"):
        task({"dataframe": cells})


def empty_table():
    return pd.DataFrame({"frame": [], "label": [], "y": [], "x": []})


@pytest.mark.parametrize("dtype", ["float64", "int64", "object"])
def test_a_table_without_rows_gives_one(dtype):
    found = LapTracker(**ALL, relabel=True)(
        {"dataframe": empty_table().astype(dtype), "label": np.zeros((2, 4, 5), np.uint8)}
    )
    assert list(found["dataframe"].columns) == [
        "frame", "label", "y", "x", "track_id", "parent_track_id", "merged_into",
    ]  # fmt: skip
    assert len(found["dataframe"]) == 0
    assert found["dataframe"]["track_id"].dtype == np.int64
    assert found["label"].shape == (2, 4, 5)
    assert not found["label"].any()


def test_one_cell_and_one_frame():
    assert track(table_of((3, 7, 1.0, 2.0)), **ALL)["track_id"].tolist() == [1]
    many = table_of((0, 2, 0, 0), (0, 1, 0, 1), (0, 3, 0, 2))
    assert track(many, **ALL)["track_id"].tolist() == [2, 1, 3]


def movie_of(table, shape, dtype):
    movie = np.zeros(shape, dtype)
    for row in table.itertuples():
        movie[row.frame, int(row.y), int(row.x)] = row.label
    return movie


@pytest.mark.parametrize("dtype", ["uint8", "uint16", "int32", "uint32"])
def test_relabels_the_movie(dtype):
    table = table_of((0, 9, 1, 1), (0, 4, 1, 8), (1, 4, 1, 1), (1, 9, 2, 8), (2, 1, 5, 8))
    movie = movie_of(table, (4, 6, 10), dtype)
    movie[3, 3, 3] = 5  # a cell without a row
    found = LapTracker(linking_max_distance=5, relabel=True)({"dataframe": table, "label": movie})
    assert found["dataframe"]["track_id"].tolist() == [2, 1, 2, 1, 1]
    assert found["label"].dtype == np.uint16
    wanted = movie_of(
        found["dataframe"].assign(label=found["dataframe"]["track_id"]), movie.shape, "u2"
    )
    np.testing.assert_array_equal(found["label"], wanted)


def test_relabels_high_labels_and_many_tracks():
    high = np.iinfo(np.uint32).max
    table = table_of((0, high, 1, 1), (0, high - 3, 1, 9), (1, high, 1, 9))
    movie = movie_of(table, (2, 4, 12), "uint32")
    task = LapTracker(linking_max_distance=5, relabel=True)
    found = task({"dataframe": table, "label": movie})
    assert found["label"][0, 1, 1] == 2
    assert found["label"][0, 1, 9] == found["label"][1, 1, 9] == 1
    rows, columns = np.divmod(np.arange(70000), 300)
    crowd = pd.DataFrame({"frame": 0, "label": np.arange(70000) + 1, "y": rows, "x": columns})
    wide = movie_of(crowd, (1, 234, 300), "uint32")
    found = task({"dataframe": crowd, "label": wide})
    assert found["label"].dtype == np.uint32
    np.testing.assert_array_equal(found["label"], wide)


GOOD = table_of((0, 1, 5.0, 5.0), (0, 2, 9.0, 9.0), (1, 1, 5.0, 6.0))


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"y": [1.0, np.nan, 2.0]}, "'y' must be finite numbers; row 1 has nan"),
        ({"x": [1.0, 2.0, -np.inf]}, "'x' must be finite"),
        ({"y": ["a", "b", "c"]}, "'y' must be numbers"),
        ({"frame": [0, -1, 1]}, "'frame' must be whole numbers from 0; row 1 has -1"),
        ({"frame": [0, 0.5, 1]}, "'frame' must be whole numbers from 0; row 1 has 0.5"),
        ({"frame": [0, np.nan, 1]}, "'frame' must be whole"),
        ({"frame": [True, False, True]}, "'frame' must be numbers, received bool"),
        ({"label": [1, 1, 1]}, "label 1 stands twice in frame 0"),
        ({"label": [1, np.nan, 1]}, "'label' must be whole"),
    ],
)
def test_bad_tables_are_explained(change, words):
    with pytest.raises(TaskInputError, match="LapTracker: input 'dataframe': .*" + words):
        track(GOOD.assign(**change))


def test_whole_numbers_written_as_floats_will_do():
    wanted = track(GOOD)["track_id"]
    assert track(GOOD.astype(float))["track_id"].equals(wanted)
    assert track(GOOD.astype({"frame": "Int64", "y": "Float64"}))["track_id"].equals(wanted)


def test_missing_and_doubled_columns_are_named():
    with pytest.raises(TaskInputError, match="no column 'y'"):
        track(GOOD.drop(columns="y"))
    doubled = pd.concat([GOOD, GOOD[["y"]]], axis=1)
    with pytest.raises(TaskInputError, match="two columns y"):
        track(doubled)


def test_relabel_needs_the_movie_of_the_table():
    task = LapTracker(relabel=True)
    movie = movie_of(GOOD, (2, 12, 12), "uint16")
    with pytest.raises(TaskInputError, match=r"input 'label': is missing, and relabel"):
        task({"dataframe": GOOD})
    with pytest.raises(TaskInputError, match="no column 'label'"):
        task({"dataframe": GOOD.drop(columns="label"), "label": movie})
    with pytest.raises(TaskInputError, match="has 1 frames, the table goes up to frame 1"):
        task({"dataframe": GOOD, "label": movie[:1]})
    with pytest.raises(TaskInputError, match="frame 0 has no label 2"):
        task({"dataframe": GOOD, "label": np.where(movie == 2, 0, movie).astype("uint16")})


@pytest.mark.parametrize(
    "params",
    [
        {"linking_max_distance": 0},
        {"max_frame_gap": -1},
        {"cutoff_percentile": 101},
        {"units": "mm"},
    ],
)
def test_bad_parameters_are_refused(params):
    with pytest.raises(ParameterError, match=next(iter(params))):
        LapTracker(**params)
