"""Kinematics against arithmetic by hand, a slow version, and theory."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from cyto.errors import ParameterError, TaskInputError
from cyto.postprocessing.kinematics import Kinematics
from cyto.simulation import simulate_assay

SCALE = {"pixel_size_um": 0.5, "frame_interval_s": 20.0}


def move(table, data=None, **params):
    return Kinematics(**params)({"dataframe": table, **(data or {})})


def places(*rows):
    return pd.DataFrame(rows, columns=["track_id", "frame", "y", "x"])


@pytest.fixture(scope="module")
def tracks():
    return simulate_assay(frames=24, seed=4).tracks


def test_by_hand():
    table = places((1, 0, 0.0, 0.0), (1, 1, 3.0, 4.0), (1, 3, 3.0, 10.0), (2, 1, 5.0, 5.0))
    found = move(table, SCALE)
    rows = found["dataframe"]
    nan = np.nan
    for column, expected in {
        "step_px": [nan, 5, 6, nan],
        "step_um": [nan, 2.5, 3, nan],
        "vel_y_px_frame": [nan, 3, 0, nan],
        "vel_x_px_frame": [nan, 4, 3, nan],  # 6 px over 2 frames
        "vel_x_um_s": [nan, 0.1, 0.075, nan],
        "speed_px_frame": [nan, 5, 3, nan],
        "displacement_px": [0, 5, np.hypot(3, 10), 0],
        "distance_px": [0, 5, 11, 0],
        "distance_um": [0, 2.5, 5.5, 0],
        "path_efficiency": [nan, 1, np.hypot(3, 10) / 11, nan],
    }.items():
        np.testing.assert_allclose(rows[column], expected, err_msg=column)
    one, two = found["tracks"].to_dict("records")
    assert (one["track_id"], one["start_frame"], one["end_frame"], one["n_frames"]) == (1, 0, 3, 3)
    assert one["mean_speed_px_frame"] == pytest.approx(11 / 3)
    assert one["mean_speed_um_s"] == pytest.approx(11 / 3 * 0.5 / 20)
    assert (one["max_speed_px_frame"], one["duration_s"]) == (5.0, 60.0)
    assert two["distance_px"] == 0
    assert np.isnan(two["mean_speed_px_frame"])


def slow_msd(table, lag):
    squares = []
    for _, cell in table.groupby("track_id"):
        at = {row.frame: (row.y, row.x) for row in cell.itertuples()}
        squares += [
            (at[f + lag][0] - at[f][0]) ** 2 + (at[f + lag][1] - at[f][1]) ** 2
            for f in at
            if f + lag in at
        ]
    return len(squares), np.mean(squares) if squares else np.nan


def test_mean_squared_displacement_equals_the_slow_version(tracks):
    table = tracks[np.random.default_rng(0).random(len(tracks)) < 0.8]
    msd = move(table, SCALE, max_lag_frames=23)["msd"]
    for row in msd.itertuples():
        n, mean = slow_msd(table, row.lag_frames)
        assert row.n_pairs == n
        np.testing.assert_allclose(row.msd_px2, mean)
    np.testing.assert_allclose(msd.msd_um2, msd.msd_px2 * 0.25)
    np.testing.assert_allclose(msd.lag_s, msd.lag_frames * 20)


def test_mean_squared_displacement_of_a_random_walk():
    steps = np.random.default_rng(0).normal(0, 2, (2, 400, 100))
    y, x = steps.cumsum(axis=2)
    table = pd.DataFrame(
        {
            "track_id": np.repeat(np.arange(400), 100),
            "frame": np.tile(np.arange(100), 400),
            "y": y.ravel(),
            "x": x.ravel(),
        }
    )
    msd = move(table)["msd"]
    assert msd.lag_frames.tolist() == list(range(1, 25))
    np.testing.assert_allclose(msd.msd_px2, 8 * msd.lag_frames, rtol=0.05)


def test_straight_and_round():
    straight = places(*((1, t, 3.0 * t, 4.0 * t) for t in range(20)))
    found = move(straight, max_lag_frames=9)
    np.testing.assert_allclose(found["dataframe"].path_efficiency[1:], 1)
    np.testing.assert_allclose(found["msd"].msd_px2, 25 * found["msd"].lag_frames ** 2)
    angle = np.linspace(0, 2 * np.pi, 33)
    ring = places(*((1, t, np.sin(a), np.cos(a)) for t, a in enumerate(angle)))
    assert move(ring)["tracks"].path_efficiency[0] == pytest.approx(0, abs=1e-9)


def test_invariants(tracks):
    rows = move(tracks)["dataframe"]
    known = rows.dropna(subset=["path_efficiency"])
    assert known.path_efficiency.between(0, 1).all()
    assert (rows.displacement_px <= rows.distance_px + 1e-6).all()
    pd.testing.assert_frame_equal(rows[list(tracks)], tracks)


def test_any_order_of_rows_and_names(tracks):
    usual = move(tracks)
    shuffled = tracks.sample(frac=1, random_state=3)
    found = move(shuffled)
    pd.testing.assert_frame_equal(found["dataframe"].sort_index(), usual["dataframe"])
    assert found["dataframe"].index.equals(shuffled.index)
    pd.testing.assert_frame_equal(found["msd"], usual["msd"])
    renamed = move(tracks.assign(track_id=9999 - tracks.track_id))
    columns = [name for name in usual["dataframe"] if name != "track_id"]
    pd.testing.assert_frame_equal(renamed["dataframe"][columns], usual["dataframe"][columns])


def test_flips_turn_velocities_only(tracks):
    usual, turned = move(tracks)["dataframe"], move(tracks.assign(y=255 - tracks.y))["dataframe"]
    np.testing.assert_allclose(turned.vel_y_px_frame, -usual.vel_y_px_frame, atol=1e-9)
    for name in ("vel_x_px_frame", "speed_px_frame", "distance_px", "displacement_px"):
        np.testing.assert_allclose(turned[name], usual[name], atol=1e-9)


def test_calibration_adds_columns_only_where_known(tracks):
    plain = set(move(tracks)["dataframe"])
    assert not [name for name in plain if "um" in name]
    size = set(move(tracks, {"pixel_size_um": 0.5})["dataframe"]) - plain
    assert size == {"step_um", "displacement_um", "distance_um"}
    both = set(move(tracks, SCALE)["dataframe"]) - plain
    assert both - size == {"vel_y_um_s", "vel_x_um_s", "speed_um_s"}


def test_small_tables(tracks):
    full = move(tracks, SCALE)
    for rows in (0, 1):
        found = move(tracks[:rows], SCALE)
        for key, expected in full.items():
            assert found[key].dtypes.equals(expected.dtypes), key
        assert len(found["tracks"]) == rows
        assert len(found["msd"]) == 0


@pytest.mark.parametrize(
    ("table", "words"),
    [
        (places((1, 0, 0, 0), (1, 0, 1, 1)), ["more than one row", "track_id 1, frame 0"]),
        (places((1, 0, 0, 0)).drop(columns="x"), ["no column 'x'"]),
        (places((1, 0, "a", 0)), ["'y'", "numbers are needed"]),
        (places((1, 0, 0, 0), (1, 1, np.nan, 0)), ["nan", "'y', row 1", "1 such rows of 2"]),
        (places((1, 0, 0, np.inf)), ["inf", "'x', row 0"]),
        (places((1, np.inf, 0, 0)), ["inf", "'frame', row 0"]),
    ],
)
def test_bad_input(table, words):
    with pytest.raises(TaskInputError) as caught:
        move(table)
    for word in words:
        assert word in str(caught.value)


@pytest.mark.parametrize("interval", [-1, 0, np.nan, np.inf, "fast"])
def test_bad_frame_interval(interval):
    with pytest.raises(TaskInputError, match="above 0, received") as caught:
        move(places((1, 0, 0, 0)), {"frame_interval_s": interval})
    assert (caught.value.task, caught.value.key) == ("Kinematics", "frame_interval_s")


def test_bad_parameters():
    with pytest.raises(ParameterError):
        Kinematics(max_lag_frames=0)
