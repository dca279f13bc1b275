"""Tasks that look at one movie refuse a table of several samples; others take it."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from cyto.contact.events import ContactEvents
from cyto.errors import TaskInputError
from cyto.postprocessing.death import CellDeath
from cyto.postprocessing.density import KernelDensityEstimation
from cyto.postprocessing.kills import KillAttribution
from cyto.postprocessing.kinematics import Kinematics
from cyto.postprocessing.tables import FeatureFilter
from cyto.postprocessing.triangulation import CellTriangulation
from cyto.tracking.lap import LapTracker


def cells(samples: str) -> pd.DataFrame:
    """Give a cell per sample, at other times, so that no row stands twice."""
    rows = [
        (sample, 1, frame, 1, 10.0 + frame, 10.0, 5.0)
        for start, sample in enumerate(samples)
        for frame in range(4 * start, 4 * start + 3)
    ]
    columns = ["sample", "track_id", "frame", "label", "y", "x", "death_mean"]
    return pd.DataFrame(rows, columns=columns)


TASKS = {
    "Kinematics": lambda: (Kinematics(), "dataframe"),
    "LapTracker": lambda: (LapTracker(linking_max_distance=5), "dataframe"),
    "CellDeath": lambda: (CellDeath(column="death_mean", threshold=3.0), "dataframe"),
    "CellTriangulation": lambda: (CellTriangulation(), "dataframe"),
    "KernelDensityEstimation": lambda: (KernelDensityEstimation(bandwidth_px=3.0), "dataframe"),
}


@pytest.mark.parametrize("name", TASKS)
def test_refused(name):
    task, key = TASKS[name]()
    context = {"pixel_size_um": 0.5, "frame_interval_s": 60.0}
    if name == "KernelDensityEstimation":
        context["image"] = np.zeros((9, 40, 40), np.uint8)
    assert task({key: cells("a"), **context}), "one sample is as good as none"
    with pytest.raises(TaskInputError, match="holds several samples") as caught:
        task({key: cells("ab"), **context})
    assert caught.value.key == key
    assert "without collect" in caught.value.hint


def test_events_and_kills():
    pairs = pd.DataFrame({"sample": ["a", "b"], "frame": [0, 1], "a": [1, 1], "b": [2, 2]})
    with pytest.raises(TaskInputError, match="holds several samples"):
        ContactEvents()({"dataframe": pairs})
    deaths = pd.DataFrame({"sample": ["a", "b"], "track_id": [2, 3], "frame": [1, 1]})
    contacts = pairs.drop(columns="sample").assign(type_a="tcell", type_b="cancer")
    with pytest.raises(TaskInputError, match="holds several samples"):
        KillAttribution(effectors="tcell")({"deaths": deaths, "contacts": contacts})


def test_a_filter_takes_them():
    table = FeatureFilter(column="y", operation="<", value=12.0)({"dataframe": cells("abc")})
    assert table["dataframe"]["sample"].unique().tolist() == ["a"]
