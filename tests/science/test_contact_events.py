"""ContactEvents against a slow, obvious version on exact contacts."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from cyto.contact.contacts import CellContacts
from cyto.contact.events import ContactEvents
from cyto.errors import ParameterError, TaskInputError
from cyto.simulation import simulate_assay


def events(table, data=None, **params):
    return ContactEvents(**params)({"dataframe": table, **(data or {})})["dataframe"]


def pairs(*rows):
    return pd.DataFrame(rows, columns=["frame", "a", "b"]).astype("int64")


def reference(table, gap):
    """Walk along each pair's frames."""
    found = []
    for (a, b), part in table.groupby(["a", "b"]):
        frames = sorted(part.frame)
        runs = [[frames[0]]]
        for frame in frames[1:]:
            if frame - runs[-1][-1] - 1 <= gap:
                runs[-1].append(frame)
            else:
                runs.append([frame])
        found += [(a, b, run[0], run[-1], run[-1] - run[0] + 1, len(run)) for run in runs]
    return sorted(found, key=lambda row: (row[2], row[0], row[1]))


@pytest.mark.parametrize("seed", range(4))
@pytest.mark.parametrize("gap", [0, 1, 3])
def test_equals_the_slow_version(seed, gap):
    assay = simulate_assay(frames=24, size=(160, 160), tcells=12, cancer_cells=10, seed=seed)
    table = assay.contacts.rename(columns={"tcell": "a", "cancer": "b"})
    table = table[np.random.default_rng(seed).random(len(table)) < 0.8]  # some are missed
    table = table.sample(frac=1, random_state=seed)
    found = events(table, max_gap_frames=gap)
    columns = ["a", "b", "start_frame", "end_frame", "duration_frames", "n_frames"]
    assert list(found[columns].itertuples(index=False, name=None)) == reference(table, gap)
    assert found.event.tolist() == list(range(1, len(found) + 1))


def test_seconds_lengths_and_types():
    assay = simulate_assay(frames=20, size=(160, 160), tcells=12, cancer_cells=10)
    scale = {"pixel_size_um": 0.65, "frame_interval_s": 30.0}
    table = CellContacts(max_distance_px=4)(
        {"tcell": assay.tcell_labels, "cancer": assay.cancer_labels, **scale}
    )["dataframe"]
    found = events(table, scale)
    assert set(found.a_type) == {"tcell"}
    np.testing.assert_allclose(found.duration_s, 30 * (found.end_frame - found.start_frame + 1))
    np.testing.assert_allclose(found.start_s, 30 * found.start_frame)
    row = found.iloc[0]
    chosen = table[
        (table.a == row.a)
        & (table.b == row.b)
        & table.frame.between(row.start_frame, row.end_frame)
    ]
    assert row.mean_contact_length_um == pytest.approx(chosen.contact_length_um.mean())
    assert (found.min_distance_px == 0).all()
    near = events(table, scale, max_distance_px=None)
    assert near.n_frames.sum() == len(table)
    assert found.n_frames.sum() == (table.distance_px == 0).sum()


def test_populations_keep_apart():
    table = pairs((0, 1, 2), (1, 1, 2)).assign(a_type=["t", "u"], b_type="c")
    assert events(table).duration_frames.tolist() == [1, 1]


def test_short_events_are_dropped():
    table = pairs((0, 1, 2), (1, 1, 2), (5, 1, 2), (3, 1, 3))
    assert len(events(table)) == 3
    assert events(table, min_frames=2).start_frame.tolist() == [0]
    found = events(table, {"frame_interval_s": 10.0}, min_duration_s=20)
    assert found.duration_s.tolist() == [20.0]
    assert found.event.tolist() == [1]


def test_no_contacts_give_the_same_columns():
    assay = simulate_assay(frames=6, size=(100, 100), tcells=8, cancer_cells=6)
    scale = {"pixel_size_um": 0.65, "frame_interval_s": 30.0}
    table = CellContacts(max_distance_px=30)(
        {"tcell": assay.tcell_labels, "cancer": assay.cancer_labels, **scale}
    )["dataframe"]
    full = events(table, scale, max_distance_px=None)
    empty = events(table[:0], scale)
    assert len(full)
    assert len(empty) == 0
    assert empty.dtypes.equals(full.dtypes)


def test_chunks_of_rows_in_any_order():
    table = pairs(*((f, a, a + 1) for f in range(9) for a in range(4) if (f * a) % 5))
    shuffled = table.sample(frac=1, random_state=2)
    pd.testing.assert_frame_equal(events(table), events(shuffled))


@pytest.mark.parametrize(
    ("table", "params", "words"),
    [
        (pairs((0, 1, 2), (0, 1, 2)), {}, ["pair 1, 2 twice in frame 0"]),
        (pairs((0, 1, 2)), {"max_distance_px": 3}, ["distance_px", "frame, a, b", "null"]),
        (pairs((0, 1, 2)), {"min_duration_s": 3}, ["frame interval", "min_frames"]),
        (pairs((0, 1, 2)).drop(columns="b"), {}, ["no column 'b'"]),
        (np.zeros((2, 3)), {}, ["pandas table"]),
        (pairs((0, 1, 2)).assign(frame="z"), {}, ["'frame'", "finite numbers"]),
        (pairs((0, 1, 2)).assign(frame=np.nan), {}, ["'frame'", "missing or infinite"]),
        (pairs((0, 1, 2)).assign(distance_px="z"), {}, ["'distance_px'", "finite numbers"]),
        (pairs((0, 1, 2), (1, 1, 3)).assign(b=[2, None]), {}, ["lacks b in row 1"]),
        (pairs((0, 1, 2)).assign(a_type=None, b_type="c"), {}, ["lacks a_type in row 0"]),
    ],
)
def test_bad_input(table, params, words):
    with pytest.raises(TaskInputError) as caught:
        events(table, **params)
    for word in words:
        assert word in str(caught.value)


@pytest.mark.parametrize("interval", [-1, 0, np.nan, np.inf, "fast"])
def test_bad_frame_interval(interval):
    with pytest.raises(TaskInputError, match="above 0, received") as caught:
        events(pairs((0, 1, 2)), {"frame_interval_s": interval})
    assert (caught.value.task, caught.value.key) == ("ContactEvents", "frame_interval_s")


@pytest.mark.parametrize(
    "params", [{"max_gap_frames": -1}, {"min_frames": 0}, {"max_gap_frames": 0.5}]
)
def test_bad_parameters(params):
    with pytest.raises(ParameterError):
        ContactEvents(**params)
