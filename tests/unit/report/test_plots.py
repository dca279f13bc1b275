"""Plots: the numbers in them are those of the tables."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from cyto.report._plots import make_plots
from cyto.report._series import Curve, over_samples
from cyto.report.tables import Tables


@pytest.fixture
def plots(recorded):
    """Make the plots of what was recorded, by key; figures by label."""

    def make():
        view = recorded.view()
        found, figures, faults = make_plots(Tables(view, recorded.details(view)))
        return {plot.key: plot for plot in found}, {f["label"]: f for f in figures}, faults

    return make


def cells(frames, **columns):
    """Give a table of cells: *frames* names the frame of each row."""
    count = len(frames)
    return pd.DataFrame(
        {
            "label": range(1, count + 1), "frame": frames, "t_s": [60.0 * f for f in frames],
            **columns,
        }
    )  # fmt: skip


def test_cells_are_counted_per_frame_and_those_alive_apart(recorded, plots):
    recorded.start(
        {
            "seg": recorded.node(),
            "tracks": recorded.node(inputs={"label": "seg.label"}, dependencies=["seg"]),
            "death": recorded.node(
                inputs={"dataframe": "tracks.dataframe"}, dependencies=["tracks"]
            ),
        }
    )
    recorded.publish("seg", channel="cancer", label=("label", np.ones((4, 2, 2), np.uint8)))
    table = cells([0, 0, 1, 3, 3, 3])
    recorded.publish("tracks", dataframe=("dataframe", table))
    alive = [True, True, True, False, True, False]
    recorded.publish("death", dataframe=("dataframe", table.assign(alive=alive)))
    found, figures, faults = plots()
    assert faults == []
    living, dead = found["cells"].series
    assert (living.name, living.y) == ("cancer, alive", [2, 1, 0, 1])
    assert (dead.name, dead.y) == ("cancer, dead", [0, 0, 0, 2])
    assert (found["cells"].x, living.x) == ("min", [0, 1, 2, 3])
    assert figures["cancer cells per frame"]["value"] == "1.5"


def test_survival_has_steps_and_its_band(recorded, plots):
    recorded.start({"survival": recorded.node()})
    curve = pd.DataFrame(
        {
            "group": ["drug", "drug", "none"], "frames": [0, 5, 0], "time_s": [0.0, 600.0, 0.0],
            "survival": [1.0, 0.5, 1.0], "lower": [1.0, 0.2, 1.0], "upper": [1.0, 0.8, 1.0],
        }
    )  # fmt: skip
    summary = pd.DataFrame(
        {"group": ["drug", "none"], "cells": [4, 3], "deaths": [2, 0],
         "median_frames": [5.0, np.nan], "median_s": [600.0, np.nan]}
    )  # fmt: skip
    recorded.publish("survival", dataframe=("dataframe", curve), summary=("dataframe", summary))
    found, figures, _ = plots()
    drug, none = found["survival"].series
    assert (drug.kind, drug.x, drug.y) == ("steps", [0, 10], [1, 0.5])
    assert (drug.low, drug.high) == ([1, 0.2], [1, 0.8])
    assert (none.name, none.x) == ("none", [0])
    assert figures["median survival, drug"]["value"] == "10 min"
    assert figures["median survival, none"]["value"] == "not reached"


def test_kills_are_summed_up(recorded, plots):
    recorded.start({"kills": recorded.node()})
    table = pd.DataFrame(
        {"track_id": [1, 2, 3], "frame": [4, 2, 2], "killer": [9, -1, 7],
         "t_s": [240.0, 120.0, 120.0]}
    )  # fmt: skip
    recorded.publish("kills", dataframe=("dataframe", table))
    found, figures, _ = plots()
    deaths, killed = found["kills"].series
    assert (deaths.x, deaths.y) == ([0, 2, 2, 4], [0, 1, 2, 3])
    assert (killed.x, killed.y) == ([0, 2, 4], [0, 1, 2])
    assert (figures["deaths"]["value"], figures["deaths"]["note"][:1]) == ("3", "2")


def test_contacts_by_relation_and_their_durations(recorded, plots):
    recorded.start({"contacts": recorded.node(), "events": recorded.node()})
    pairs = pd.DataFrame(
        {
            "frame": [0, 0, 2], "t_s": [0.0, 0.0, 10.0], "a": [1, 2, 1], "b": [5, 5, 6],
            "a_type": "tcell", "b_type": "cancer", "relation": ["near", "touch", "touch"],
        }
    )  # fmt: skip
    recorded.publish("contacts", dataframe=("dataframe", pairs))
    events = pd.DataFrame({"a": [1, 2], "b": [5, 6], "duration_frames": [1, 3]})
    recorded.publish("events", dataframe=("dataframe", events))
    found, _, _ = plots()
    series = {one.name: one.y for one in found["contacts"].series}
    assert series == {"near": [1, 0, 0], "touch": [1, 0, 1]}
    (bars,) = found["durations"].series
    assert (sum(bars.y), found["durations"].x) == (2, "frames")


def test_the_speed_of_each_cell_is_the_mean_of_its_steps(recorded, plots):
    recorded.start({"speed": recorded.node()})
    table = cells([0, 1, 2, 0, 1]).assign(
        track_id=[1, 1, 1, 2, 2],
        speed_px_frame=[np.nan, 1.0, 3.0, np.nan, 4.0],
        speed_um_s=[np.nan, 0.5, 1.5, np.nan, 2.0],
        y=[0.0, 1, 2, 5, 5], x=[0.0, 2, 4, 5, 4],
    )  # fmt: skip
    recorded.publish("speed", channel="tcell", dataframe=("dataframe", table))
    found, _, _ = plots()
    assert found["speeds"].note == "tcell: median 90 µm/min."  # of 60 and 120
    first, second = found["rose-tcell"].series
    assert (first.x, first.y) == ([0, 2, 4], [0, 1, 2])
    assert (second.x, second.y) == ([0, -1], [0, 0])


def test_tracks_of_stage_based_pipelines_are_drawn_in_px(recorded, plots):
    recorded.start({"track": recorded.node()})
    table = cells([0, 0, 1], TrackID=[0.0, np.nan, 0.0], i=[2.0, 4, 6], j=[10.0, 12, 14]).assign(
        x=[1.0, 2, 3], y=[5.0, 6, 7]
    )
    recorded.publish("track", channel="tcell", dataframe=("dataframe", table))
    found, figures, faults = plots()
    (path,) = found["rose-tcell"].series
    assert (path.x, path.y, found["rose-tcell"].x) == ([0, 4], [0, 4], "px")
    assert figures["tcell cells per frame"]["note"] == "1 tracks"
    assert faults == []


def test_a_choice_of_cells_is_a_population_of_its_own(recorded, plots):
    """Whatever was measured of them after that; the others stay."""
    recorded.start(
        {
            "seg": recorded.node(),
            "big": recorded.node(inputs={"dataframe": "seg.dataframe"}),
            "speed": recorded.node(inputs={"dataframe": "big.dataframe"}),
        }
    )
    table = cells([0, 0, 1, 1])
    recorded.publish("seg", channel="tcell", dataframe=("dataframe", table))
    recorded.publish("big", channel="tcell", dataframe=("dataframe", table[::2]))
    fast = table[::2].assign(track_id=1, speed_px_frame=[np.nan, 1.0])
    recorded.publish("speed", channel="tcell", dataframe=("dataframe", fast))
    found, figures, _ = plots()
    counts = {series.name: series.y for series in found["cells"].series}
    assert counts == {"tcell": [2, 2], "tcell, big": [1, 1]}
    assert figures["tcell, big cells per frame"]["note"] == "1 tracks"
    assert found["speeds"].note.startswith("tcell, big: median 1 ")


def test_a_choice_of_labels_is_a_population_of_its_own(recorded, plots):
    """Its table follows no other, and both are of the same channel."""
    track = recorded.node(inputs={"dataframe": "all.dataframe"})
    extra = recorded.node(inputs={"dataframe": "speed.dataframe"})
    recorded.start(
        {"all": recorded.node(), "inside": recorded.node(), "speed": track, "extra": extra}
    )
    table = cells([0, 0, 1, 1])
    fast = table.assign(track_id=[1, 2, 1, 2], speed_px_frame=[np.nan, np.nan, 1.0, 3.0])
    made = {"all": table, "inside": table[::2], "speed": fast, "extra": fast}
    for name, each in made.items():
        recorded.publish(name, channel="tcell", dataframe=("dataframe", each))
    found, _, _ = plots()
    counts = {series.name: series.y for series in found["cells"].series}
    assert counts == {"tcell": [2, 2], "tcell, inside": [1, 1]}
    (bars,) = found["speeds"].series
    assert sum(bars.y) == 2, "each cell once, whatever was added to its table"


def test_a_choice_that_leaves_out_nothing_in_some_samples_is_one_all_the_same(recorded, plots):
    samples = {"s1": {"dose": "high"}, "s2": {"dose": "low"}}
    nodes = {}
    for name in samples:
        nodes[f"{name}/seg"] = recorded.node()
        nodes[f"{name}/big"] = recorded.node(inputs={"dataframe": f"{name}/seg.dataframe"})
    recorded.start(nodes, samples=samples)
    table = cells([0, 0])
    for name, kept in (("s1", table[:1]), ("s2", table)):
        recorded.publish(f"{name}/seg", channel="tcell", dataframe=("dataframe", table))
        recorded.publish(f"{name}/big", channel="tcell", dataframe=("dataframe", kept))
    found, figures, _ = plots()
    assert figures["tcell, big cells per frame"]["value"] == "1.5"
    assert figures["tcell cells per frame"]["value"] == "2.0"
    names = {series.name for series in found["cells"].series}
    assert {name.rpartition(", ")[0] for name in names} <= {"", "tcell", "tcell, big"}


def test_a_table_without_cells_has_figures_without_a_warning(recorded, plots):
    recorded.start({"seg": recorded.node()})
    recorded.publish("seg", channel="tcell", dataframe=("dataframe", cells([])))
    _, figures, faults = plots()
    assert figures["tcell cells per frame"]["value"] == "0.0"
    assert faults == []


def test_samples_are_joined_by_their_condition(recorded, plots):
    samples = {f"s{i}": {"dose": "high" if i % 2 else "low"} for i in range(4)}
    recorded.start({f"{name}/seg": recorded.node() for name in samples}, samples=samples)
    for i, name in enumerate(samples):
        table = cells([0] * (i + 1) + [1])
        recorded.publish(f"{name}/seg", channel="cancer", dataframe=("dataframe", table))
    found, _, _ = plots()
    low, high = found["cells"].series
    assert (low.name, low.y, low.low, low.high) == ("cancer, low", [2, 1], [1, 1], [3, 1])
    assert (high.name, high.y) == ("cancer, high", [3, 1])


def test_curves_of_unequal_length_are_joined_where_each_is_known():
    long = Curve(x=np.arange(4.0), y=np.array([0.0, 0, 0, 8]))
    short = Curve(x=np.arange(2.0), y=np.array([4.0, 4]))
    joined, words = over_samples("x", [long, short], 1.0)
    assert joined.y == [2, 2, 0, 8]
    assert "all samples" in words


@pytest.mark.parametrize(
    "column",
    [
        pd.array([1, None, 3], "Int16"),
        pd.array([True, None, False], "boolean"),
        np.array([True, False, True]),
        np.array([1.5, np.nan, -2.5], np.float32),
        np.array([1.5, np.nan, np.inf], np.float16),
        np.array([0, 255, 7], np.uint8),
        np.array([1, -(2**40), 3]),
    ],
    ids=lambda column: str(column.dtype),
)
def test_numbers_of_every_kind_are_read_as_pandas_reads_them(column):
    """Slices, so that bits do not begin with a byte; several batches, one empty."""
    import pyarrow as pa

    from cyto.report.tables import _values

    frame = pd.DataFrame({"x": column})
    table = pa.Table.from_pandas(pd.concat([frame] * 11, ignore_index=True))
    pieces = pa.concat_tables([table.slice(3, 10), table.slice(13, 5), table.slice(0, 0)])
    for given in (table, pieces):
        expected = np.array([np.nan if pd.isna(v) else float(v) for v in given.to_pandas()["x"]])
        np.testing.assert_array_equal(_values(given["x"]), expected)


def test_a_table_that_cannot_be_read_costs_its_plots_alone(recorded, plots):
    recorded.start({"seg": recorded.node(), "events": recorded.node()})
    recorded.publish("seg", channel="cancer", dataframe=("dataframe", cells([0, 1])))
    wrong = pd.DataFrame({"a": [1], "b": [5], "duration_frames": ["long"]})
    recorded.publish("events", dataframe=("dataframe", wrong))
    found, _, faults = plots()
    assert list(found) == ["cells"]
    assert len(faults) == 1
    assert "could not be made" in faults[0]


def test_without_tables_there_are_no_plots(recorded, plots):
    recorded.start({"a": recorded.node()})
    recorded.publish("a", value=("value", 3))
    assert plots() == ({}, {}, [])
