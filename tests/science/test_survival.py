"""Survival against lifelines and arithmetic by hand."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from lifelines import KaplanMeierFitter
from lifelines.statistics import logrank_test

from cyto.errors import ParameterError, TaskInputError
from cyto.postprocessing.survival import Survival
from cyto.simulation import simulate_assay


def survive(data, **params):
    return Survival(**params)(data)


def cells(*lives, start=0):
    """Give cells by (first frame, frames seen, frame of death or None)."""
    rows = [
        (i, frame, death is None or frame < death)
        for i, (first, seen, death) in enumerate(lives, 1)
        for frame in range(first, first + seen)
    ]
    return pd.DataFrame(rows, columns=["track_id", "frame", "alive"])


@pytest.fixture(scope="module")
def assays():
    many = simulate_assay(frames=30, size=(256, 256), tcells=24, seed=1)
    few = simulate_assay(frames=30, size=(256, 256), tcells=2, seed=2)
    return {
        "many": many.tracks[many.tracks.cell_type == "cancer"],
        "few": few.tracks[few.tracks.cell_type == "cancer"],
    }


def lifetimes(table):
    """Follow each cell, one row at a time."""
    found = []
    for _, cell in table.sort_values("frame").groupby("track_id"):
        frames, alive = cell.frame.tolist(), cell.alive.tolist()
        dead = [frame for frame, lives in zip(frames, alive, strict=True) if not lives]
        if not dead or dead[0] > frames[0]:
            found.append(((dead or frames[-1:])[0] - frames[0], bool(dead)))
    return np.array([f for f, _ in found]), np.array([d for _, d in found])


@pytest.mark.parametrize("confidence", [0.95, 0.8])
def test_equals_lifelines(assays, confidence):
    found = survive({**assays, "frame_interval_s": 60.0}, confidence=confidence)
    lives = {}
    for group, table in assays.items():
        frames, died = lives[group] = lifetimes(table)
        fitter = KaplanMeierFitter(alpha=1 - confidence).fit(frames, died)
        curve = found["dataframe"].query("group == @group")
        assert curve.frames.tolist() == fitter.survival_function_.index.tolist()
        np.testing.assert_array_equal(curve.survival, fitter.survival_function_.iloc[:, 0])
        np.testing.assert_array_equal(curve[["lower", "upper"]], fitter.confidence_interval_)
        np.testing.assert_allclose(curve.time_s, 60.0 * curve.frames)
        summary = found["summary"].set_index("group").loc[group]
        assert (summary.cells, summary.deaths) == (len(frames), died.sum())
        median = fitter.median_survival_time_
        assert summary.median_frames == median or (np.isinf(median) and np.isnan(summary.median_s))
    (one, one_died), (two, two_died) = lives.values()
    test = logrank_test(one, two, one_died, two_died)
    row = found["comparison"].iloc[0]
    assert (row.group_a, row.group_b) == ("many", "few")
    assert (row.statistic, row.p_value) == (test.test_statistic, test.p_value)


def test_by_hand():
    # deaths after 2 and 4 frames, one cell lost after 3, one dead from the start
    table = cells((0, 5, 2), (1, 6, 5), (0, 4, None), (0, 3, 0))
    found = survive({"cancer": table})
    curve = found["dataframe"]
    assert curve.frames.tolist() == [0, 2, 3, 4]
    np.testing.assert_allclose(curve.survival, [1, 2 / 3, 2 / 3, 0])
    assert curve.at_risk.tolist() == [3, 3, 2, 1]
    assert curve.deaths.tolist() == [0, 1, 0, 1]
    assert curve.censored.tolist() == [0, 0, 1, 0]
    summary = found["summary"].iloc[0]
    assert summary[["cells", "deaths", "censored", "left_out"]].tolist() == [3, 2, 1, 1]
    assert summary.median_frames == 4.0
    assert found["lifetimes"].to_numpy().tolist() == [
        ["cancer", 1, 0, 2, True],
        ["cancer", 2, 1, 4, True],
        ["cancer", 3, 0, 3, False],
    ]
    assert len(found["comparison"]) == 0


def test_origin_of_the_movie_follows_its_first_cells():
    table = cells((0, 5, 2), (1, 6, 5), (0, 4, None))
    assert survive({"c": table}, origin="movie")["lifetimes"].track_id.tolist() == [1, 3]


def test_start_column():
    table = cells((0, 9, 6), (0, 9, 2), (0, 9, None), (0, 9, None))
    met = [(1, 3), (2, 4), (3, 5)]
    table["contact"] = pd.array(
        [(i, f) in met for i, f in zip(table.track_id, table.frame, strict=True)], "boolean"
    )
    found = survive({"c": table}, start_column="contact")
    assert found["lifetimes"][
        ["track_id", "start_frame", "frames", "died"]
    ].to_numpy().tolist() == [
        [1, 3, 3, True],
        [3, 5, 3, False],  # the second was dead by then, the fourth never met anyone
    ]
    assert found["summary"].left_out.tolist() == [2]


def test_start_column_read_from_a_file():
    table = cells((0, 3, None), (0, 3, None))
    table["contact"] = pd.Series([False, True, None, None, None, None], dtype="object")
    assert survive({"c": table}, start_column="contact")["lifetimes"].start_frame.tolist() == [1]


def test_groups_of_a_column(assays):
    joined = pd.concat(
        [
            t.assign(dose=name, track_id=t.track_id + 1000 * i)
            for i, (name, t) in enumerate(assays.items())
        ]
    )
    one = survive({"all": joined.sample(frac=1, random_state=0)}, group_column="dose")
    two = survive({"few": assays["few"], "many": assays["many"]})
    for key in ("dataframe", "comparison", "summary"):
        pd.testing.assert_frame_equal(one[key], two[key])
    several = survive({"x": joined, "y": joined}, group_column="dose")["summary"]
    assert several.group.tolist() == ["x:few", "x:many", "y:few", "y:many"]


def test_three_groups_have_three_comparisons(assays):
    found = survive({**assays, "third": assays["few"]})["comparison"]
    assert found[["group_a", "group_b"]].to_numpy().tolist() == [
        ["many", "few"],
        ["many", "third"],
        ["few", "third"],
    ]
    assert found.p_value.iloc[2] == pytest.approx(1)


def test_small_tables(assays):
    full = survive({**assays, "frame_interval_s": 60.0})
    for rows in (0, 1):
        found = survive({"c": cells((3, 5, None))[:rows], "frame_interval_s": 60.0})
        for key, expected in full.items():
            assert found[key].dtypes.equals(expected.dtypes), key
        assert found["summary"].cells.tolist() == [rows]
    nobody = survive({"c": cells((0, 5, None), (0, 5, None)), "d": cells((0, 3, None))})
    assert (nobody["dataframe"].survival == 1).all()
    assert nobody["comparison"].p_value.tolist() == [1.0]


@pytest.mark.parametrize(
    ("data", "params", "words"),
    [
        ({}, {}, ["at least one group", "none"]),
        ({"c": cells((0, 3, 1)).drop(columns="alive")}, {}, ["'c'", "no column 'alive'"]),
        ({"c": pd.concat([cells((0, 3, 1))] * 2)}, {}, ["more than one row"]),
        ({"c": cells((0, 3, 1))}, {"group_column": "dose"}, ["no column 'dose'"]),
        ({"c": cells((0, 3, 1)).assign(dose=None)}, {"group_column": "dose"}, ["names no group"]),
        ({"c": cells((0, 3, 1)).assign(alive="yes")}, {}, ["numbers are needed"]),
        ({"c": cells((0, 3, 1)).assign(alive=np.nan)}, {}, ["nan", "'alive', row 0", "3 such"]),
        (
            {"c": cells((0, 2, 1)).assign(alive=pd.array([True, None], "boolean"))},
            {},
            ["nan", "'alive', row 1"],
        ),
        (
            {"c": cells((0, 3, 1)).assign(met="x")},
            {"start_column": "met"},
            ["'met'", "numbers are needed"],
        ),
        (
            {"c": cells((0, 2, 1)).assign(dose=[1, "a"], track_id=[1, 2])},
            {"group_column": "dose"},
            ["mixes", "'dose'"],
        ),
        ({"c": cells((0, 3, 1)), "frame_interval_s": -1}, {}, ["above 0", "-1"]),
    ],
)
def test_bad_input(data, params, words):
    with pytest.raises(TaskInputError) as caught:
        survive(data, **params)
    assert caught.value.task == "Survival"
    for word in words:
        assert word in str(caught.value)


@pytest.mark.parametrize("params", [{"confidence": 1}, {"confidence": 0}, {"origin": "birth"}])
def test_bad_parameters(params):
    with pytest.raises(ParameterError):
        Survival(**params)


@pytest.mark.parametrize("params", [{}, {"origin": "movie"}, {"start_column": "contact"}])
def test_cells_of_several_samples_with_the_same_ids(assays, params):
    """Collected tables equal the same cells with ids of their own, whatever tells the groups."""
    parts = {}
    for number, (sample, table) in enumerate(
        [("a", assays["many"]), ("b", assays["few"]), ("c", assays["many"])]
    ):
        contact = (table.track_id + table.frame) % 5 == number
        shifted = table.frame + (3 if sample == "c" else 0)
        parts[sample] = table.assign(sample=sample, contact=contact, frame=shifted)
        parts[sample]["treatment"] = "y" if sample == "c" else "x"
    together = pd.concat(parts.values(), ignore_index=True)
    assert together.duplicated(["track_id", "frame"]).any()
    own = together.assign(track_id=together.groupby(["sample", "track_id"]).ngroup())
    if params == {"origin": "movie"}:  # the first frame is that of each sample
        first = own.groupby("sample")["frame"].transform("min")
        own = own.assign(frame=own.frame - first)
    found = survive({"all": together}, group_column="treatment", **params)
    wanted = survive({"all": own.drop(columns="sample")}, group_column="treatment", **params)
    for name in ("dataframe", "comparison", "summary"):
        pd.testing.assert_frame_equal(found[name], wanted[name])
    lives = found["lifetimes"]
    assert list(lives.columns) == ["group", "sample", "track_id", "start_frame", "frames", "died"]
    assert len(lives) == len(wanted["lifetimes"])
    assert not lives.duplicated(["sample", "track_id"]).any()
    by_sample = survive({"all": together}, group_column="sample", **params)
    for sample, table in parts.items():
        alone = survive({sample: table.drop(columns="sample")}, **params)["dataframe"]
        curve = by_sample["dataframe"].query("group == @sample").reset_index(drop=True)
        pd.testing.assert_frame_equal(curve, alone)


def test_a_cell_twice_in_a_sample_is_refused():
    table = cells((0, 3, None)).assign(sample="a")
    with pytest.raises(TaskInputError, match="more than one row for sample a, track_id 1, frame 0"):
        survive({"c": pd.concat([table, table])}, group_column="sample")
