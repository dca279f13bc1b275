"""The wrapper of trackpy, with and without it."""

from __future__ import annotations

import sys

import numpy as np
import pandas as pd
import pytest

from cyto.errors import TaskInputError, UnavailableError
from cyto.simulation import simulate_assay
from cyto.tracking.lap import LapTracker
from cyto.tracking.trackpy import TrackPyTracker

pytestmark = pytest.mark.filterwarnings("default")  # trackpy's own, of pandas


@pytest.fixture
def trackpy():
    return pytest.importorskip("trackpy")


@pytest.fixture(scope="module")
def cells():
    truth = simulate_assay(10, (300, 300), 0, 12, 1).tracks
    return truth.rename(columns={"track_id": "label"}).sample(frac=1, random_state=0)


def test_its_absence_is_explained(monkeypatch, cells):
    monkeypatch.setitem(sys.modules, "trackpy", None)
    monkeypatch.delitem(sys.modules, "cyto.tracking._trackpy", raising=False)
    with pytest.raises(
        UnavailableError, match=r"TrackPyTracker: trackpy is not installed"
    ) as caught:
        TrackPyTracker()({"dataframe": cells})
    assert "LapTracker" in caught.value.hint


def test_columns_are_those_of_the_lap_tracker(trackpy, cells):
    found = TrackPyTracker()({"dataframe": cells})["dataframe"]
    wanted = LapTracker(max_frame_gap=0)({"dataframe": cells})["dataframe"]
    pd.testing.assert_frame_equal(found, wanted)


def test_gap_is_a_difference_of_frames(trackpy):
    table = pd.DataFrame({"frame": [0, 1, 4], "label": 1, "y": 5.0, "x": 5.0})
    for gap, wanted in ((3, [1, 1, 1]), (2, [1, 1, 2]), (1, [1, 1, 2])):
        found = TrackPyTracker(max_frame_gap=gap)({"dataframe": table})["dataframe"]
        assert found["track_id"].tolist() == wanted


def test_distances_in_um(trackpy, cells):
    task = TrackPyTracker(linking_max_distance=2, units="um")
    found = task({"dataframe": cells, "pixel_size_um": 0.5})["dataframe"]
    wanted = TrackPyTracker(linking_max_distance=4)({"dataframe": cells})["dataframe"]
    pd.testing.assert_frame_equal(found, wanted)


def test_a_crowd_is_explained_and_adaptive_search_helps(trackpy):
    rng = np.random.default_rng(0)
    table = pd.DataFrame({"frame": np.repeat([0, 1], 60), "y": rng.uniform(0, 30, 120),
                          "x": rng.uniform(0, 30, 120)})  # fmt: skip
    with pytest.raises(TaskInputError, match="too crowded to be linked over 15 px"):
        TrackPyTracker()({"dataframe": table})
    found = TrackPyTracker(adaptive_stop=0.5)({"dataframe": table})["dataframe"]
    assert found["track_id"].min() == 1


def test_no_rows_and_bad_rows(trackpy):
    empty = pd.DataFrame({"frame": [], "y": [], "x": []})
    found = TrackPyTracker()({"dataframe": empty})["dataframe"]
    assert list(found.columns) == ["frame", "y", "x", "track_id", "parent_track_id"]
    assert found["track_id"].dtype == np.int64
    with pytest.raises(TaskInputError, match="'y' must be finite"):
        TrackPyTracker()({"dataframe": pd.DataFrame({"frame": [0], "y": [np.nan], "x": [1.0]})})
