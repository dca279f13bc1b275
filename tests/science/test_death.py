"""CellDeath on simulated deaths, on made-up curves, and on input that is wrong."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from cyto.errors import ParameterError, TaskInputError
from cyto.postprocessing.death import CellDeath
from cyto.simulation import simulate_assay
from cyto.tabulation.regions import RegionFeatures

METHODS = ["threshold", "change_point"]


def measured(assay):
    table = RegionFeatures(shape=False)({"label": assay.cancer_labels, "death": assay.death})
    return table["dataframe"].rename(columns={"label": "track_id"})


def tracks(*curves, start=0):
    parts = [
        pd.DataFrame(
            {"track_id": i, "frame": np.arange(len(c)) + start, "death_mean": np.asarray(c, float)}
        )
        for i, c in enumerate(curves, 1)
    ]
    return pd.concat(parts, ignore_index=True)


def curve(died, frames=30, *, seed=0, live=140.0, rise=300.0, tau=3.0, noise=3.0):
    values = live + np.random.default_rng(seed).normal(0, noise, frames)
    if died is not None:
        since = np.arange(frames - died)
        values[died:] += rise * (1 - np.exp(-(since + 1) / tau)) if tau else rise
    return values


def die(table, **params):
    data = {"dataframe": table, **params.pop("data", {})}
    return CellDeath(**params)(data)


def deaths(table, **params):
    found = die(table, **params)["deaths"]
    return dict(zip(found.track_id.tolist(), found.frame.tolist(), strict=True))


@pytest.fixture(scope="module")
def assays():
    return [simulate_assay(frames=36, size=(256, 256), seed=seed) for seed in range(5)]


@pytest.mark.parametrize("method", METHODS)
@pytest.mark.parametrize("relative_to", ["none", "frame"])
def test_finds_the_true_deaths(assays, method, relative_to):
    total = near = 0
    for assay in assays:
        table = measured(assay)
        found = deaths(table, method=method, relative_to=relative_to)
        truth = dict(zip(assay.deaths.track_id, assay.deaths.frame, strict=True))
        assert set(found) <= set(truth)
        total += len(truth)
        near += sum(abs(found.get(i, -9) - frame) <= 1 for i, frame in truth.items())
    assert total > 30
    assert near >= 0.95 * total


@pytest.mark.parametrize("method", METHODS)
def test_alive_is_the_truth_within_a_frame(assays, method):
    table = die(measured(assays[0]), method=method)["dataframe"]
    truth = assays[0].tracks.rename(columns={"alive": "truly"})
    both = table.merge(truth[["track_id", "frame", "truly"]], on=["track_id", "frame"])
    assert len(both) == len(table)
    assert (both.alive == both.truly).mean() > 0.99


@pytest.mark.parametrize("method", METHODS)
@pytest.mark.parametrize("share", [0.05, 0.5, 0.9])
def test_whatever_the_share_of_the_dead(method, share):
    truth = {i: (5 + i % 20 if i <= share * 60 else None) for i in range(1, 61)}
    table = tracks(*(curve(died, seed=i) for i, died in truth.items()))
    found = deaths(table, method=method)
    expected = {i: died for i, died in truth.items() if died is not None}
    assert set(found) == set(expected)
    assert np.mean([abs(found[i] - died) <= 1 for i, died in expected.items()]) >= 0.95


@pytest.mark.parametrize("method", METHODS)
@pytest.mark.parametrize("seed", range(5))
def test_nobody_dies_of_noise(method, seed):
    table = tracks(*(curve(None, seed=100 * seed + i) for i in range(40)))
    assert deaths(table, method=method) == {}


@pytest.mark.parametrize("method", METHODS)
def test_never_resurrects(method):
    values = curve(10, noise=1)
    values[20:] = 140  # the marker washes out
    found = die(tracks(values, *(curve(None, seed=i) for i in range(1, 9))), method=method)
    cell = found["dataframe"].query("track_id == 1")
    assert found["deaths"].frame.tolist() == [10]
    assert cell.alive.tolist() == [True] * 10 + [False] * 20
    assert (cell.alive_probability.diff().dropna() <= 0).all()


@pytest.mark.parametrize("method", METHODS)
def test_probability_agrees_with_alive(assays, method):
    table = die(measured(assays[1]), method=method)["dataframe"]
    assert (table.alive == (table.alive_probability >= 0.5)).all()
    assert table.alive_probability.between(0, 1).all()
    assert (
        table.sort_values("frame").groupby("track_id").alive_probability.diff().dropna() <= 0
    ).all()


def test_change_point_sees_cells_that_differ():
    """Bright live cells and dim dead ones: no one threshold tells them apart."""
    levels = np.linspace(100, 900, 20)
    truth = {i: 8 + i if i % 2 else None for i in range(1, 21)}
    table = tracks(
        *(
            curve(truth[i], seed=i, live=level, rise=80, noise=2)
            for i, level in enumerate(levels, 1)
        )
    )
    found = deaths(table, method="change_point", min_rise=30)
    expected = {i: died for i, died in truth.items() if died is not None and died < 28}
    assert set(expected) <= set(found) <= {i for i, died in truth.items() if died is not None}
    assert all(abs(found[i] - died) <= 1 for i, died in expected.items())


def test_a_step_by_hand():
    table = tracks([10, 10, 10, 50, 50], [10, 11, 10, 11, 10])
    found = die(table, threshold=30, data={"frame_interval_s": 60.0, "pixel_size_um": 1.0})
    assert found["deaths"].to_dict("records") == [
        {"track_id": 1, "frame": 3, "t_s": 180.0, "value": 50.0, "at_start": False}
    ]
    assert found["levels"]["threshold"] == 30.0


def test_flashes_are_no_deaths():
    table = tracks([10, 50, 10, 10, 50, 50, 10], [10] * 6 + [50])
    assert deaths(table, threshold=30) == {1: 4, 2: 6}
    assert deaths(table, threshold=30, confirm_frames=1) == {1: 1, 2: 6}
    assert deaths(table, threshold=30, confirm_frames=3) == {2: 6}


@pytest.mark.parametrize("method", METHODS)
def test_dead_when_first_seen(method):
    table = tracks([500] * 10, *(curve(None, 10, seed=i) for i in range(8)))
    found = die(table, method=method)["deaths"]
    assert found[["track_id", "frame", "at_start"]].to_numpy().tolist() == [[1, 0, True]]


def test_background_and_frame():
    drift = np.linspace(0, 500, 30)
    table = tracks(*(curve(12 if i == 3 else None, seed=i) + drift for i in range(1, 12)))
    assert deaths(table, relative_to="frame") == {3: 12}
    table["ring"] = np.tile(drift, 11)
    assert deaths(table, background_column="ring") == {3: 12}
    assert deaths(table.rename(columns={"death_mean": "x"}), column="x", relative_to="frame") == {
        3: 12
    }


@pytest.mark.parametrize("method", METHODS)
def test_gaps_missing_values_and_any_order(method):
    table = tracks(curve(15), *(curve(None, seed=i) for i in range(1, 9)))
    whole = die(table, method=method)
    shuffled = table.sample(frac=1, random_state=1)
    again = die(shuffled, method=method)
    pd.testing.assert_frame_equal(again["deaths"], whole["deaths"])
    pd.testing.assert_frame_equal(again["dataframe"].sort_index(), whole["dataframe"])
    assert again["dataframe"].index.equals(shuffled.index)
    table.loc[(table.track_id == 1) & table.frame.isin([5, 16, 17]), "death_mean"] = np.nan
    holes = table[~((table.track_id == 1) & table.frame.isin([8, 20]))]
    assert deaths(holes, method=method) == {1: 15}


@pytest.mark.parametrize("method", METHODS)
def test_renamed_tracks_die_the_same(assays, method):
    table = measured(assays[2])
    names = dict(
        zip(table.track_id.unique(), np.random.default_rng(0).permutation(999), strict=False)
    )
    found = deaths(table.assign(track_id=table.track_id.map(names)), method=method)
    assert found == {names[i]: frame for i, frame in deaths(table, method=method).items()}


@pytest.mark.parametrize("method", METHODS)
def test_small_tables(method):
    full = die(tracks(curve(10), curve(None)), method=method, data={"frame_interval_s": 1.0})
    for rows in (0, 1, 2):
        found = die(tracks(curve(10))[:rows], method=method, data={"frame_interval_s": 1.0})
        assert len(found["dataframe"]) == rows
        assert found["dataframe"].dtypes.equals(full["dataframe"].dtypes)
        assert found["deaths"].dtypes.equals(full["deaths"].dtypes)
        assert len(found["deaths"]) == 0


def test_places_of_death(assays):
    table = measured(assays[0]).assign(y_um=1.0, x_um=2.0)
    found = die(table)["deaths"]
    row = found.iloc[0]
    at = table[(table.track_id == row.track_id) & (table.frame == row.frame)].iloc[0]
    assert (row.y, row.x, row.y_um, row.x_um) == (at.y, at.x, 1.0, 2.0)
    assert found.equals(found.sort_values(["frame", "track_id"]))


@pytest.mark.parametrize(
    ("table", "words"),
    [
        (
            tracks([1, 2]).rename(columns={"death_mean": "death_median"}),
            ["death_mean", "did you mean"],
        ),
        (tracks([1, 2]).drop(columns="track_id"), ["no column 'track_id'"]),
        (pd.concat([tracks([1, 2])] * 2), ["more than one row", "track_id 1", "frame 0"]),
        (tracks([1, 2]).assign(death_mean="a"), ["numbers are needed"]),
        (tracks([np.nan, np.nan]), ["no row", "'death_mean'", "2 rows", "RegionFeatures"]),
        (tracks([1, 2]).assign(frame=[0, np.inf]), ["inf", "'frame', row 1"]),
        (tracks([1, 2]).assign(track_id=[1, np.nan]), ["lacks track_id or frame in row 1"]),
    ],
)
def test_bad_input(table, words):
    with pytest.raises(TaskInputError) as caught:
        die(table)
    assert caught.value.task == "CellDeath"
    assert caught.value.key == "dataframe"
    for word in words:
        assert word in str(caught.value)


def test_no_brightness_beside_a_background():
    table = tracks([1, 2]).assign(ring=np.nan)
    with pytest.raises(TaskInputError, match="'death_mean' and 'ring'"):
        die(table, background_column="ring")
    with pytest.raises(TaskInputError, match="no row"):
        die(tracks([np.nan] * 5), threshold=30)


def test_bad_frame_interval():
    with pytest.raises(TaskInputError, match="above 0, received -5") as caught:
        die(tracks([1, 2]), data={"frame_interval_s": -5})
    assert caught.value.key == "frame_interval_s"


@pytest.mark.parametrize(
    "params",
    [{"method": "threshhold"}, {"threshold_sd": 0}, {"confirm_frames": 0}, {"min_rise": -1}],
)
def test_bad_parameters(params):
    with pytest.raises(ParameterError):
        CellDeath(**params)


def test_whole_numbers_that_hardly_vary_are_no_deaths():
    """Medians of a dim channel are equal to many, and their spread cannot be seen."""
    from cyto.postprocessing._levels import automatic

    level = automatic(np.repeat([151.0, 152.0, 153.0, 154.0, 157.0], [4, 6, 16, 14, 8]), 6)
    assert level.threshold > 158
    bright = automatic(np.repeat([151.0, 152.0, 153.0, 154.0, 700.0], [4, 6, 16, 14, 8]), 6)
    assert 154 < bright.threshold < 700
