"""Tracks of simulated cells against their true tracks."""

from __future__ import annotations

import numpy as np
import pytest

from cyto.simulation import simulate_assay
from cyto.tracking.lap import LapTracker
from cyto.tracking.overlap import OverlapTracker

SEEDS = range(4)


@pytest.fixture(scope="module")
def assays():
    return [simulate_assay(30, (320, 320), 12, 12, seed) for seed in SEEDS]


def links_of(table, track="track_id", parent="parent_track_id"):
    """Give the pairs of (frame, label) that follow each other in a track or by division."""
    links, last = set(), {}
    for row in table.sort_values("frame").itertuples():
        name, mother = getattr(row, track), getattr(row, parent)
        before = last.get(name, last.get(mother))
        if before is not None:
            links.add((before, (row.frame, row.label)))
        last[name] = (row.frame, row.label)
    return links


def cells_of(assay, kind, *, lost=0.0):
    """Give a table with true tracks, some detections lost, and labels that say nothing."""
    truth = assay.tracks
    truth = truth[truth["cell_type"] == kind]
    truth = truth[np.random.default_rng(assay.seed).random(len(truth)) >= lost]
    truth = truth.rename(columns={"track_id": "true", "parent_track_id": "true_parent"})
    rng = np.random.default_rng(0)
    label = [rng.permutation(len(some)) + 1 for _, some in truth.groupby("frame")]
    return truth.assign(label=np.concatenate(label))


def recall_and_precision(tables):
    right = true = found = 0
    for table in tables:
        wanted, given = links_of(table, "true", "true_parent"), links_of(table)
        right, true, found = right + len(wanted & given), true + len(wanted), found + len(given)
    return right / true, right / found


@pytest.mark.parametrize("kind", ["tcell", "cancer"])
@pytest.mark.parametrize("lost", [0.0, 0.03])
def test_linear_assignment_finds_the_links(assays, kind, lost):
    task = LapTracker(max_frame_gap=3, splitting=True)
    tables = [
        task({"dataframe": cells_of(assay, kind, lost=lost)})["dataframe"] for assay in assays
    ]
    recall, precision = recall_and_precision(tables)
    assert recall >= 0.98
    assert precision >= 0.98


def divisions_of(table, track="track_id", parent="parent_track_id"):
    """Give the pairs of (frame, label) that are a mother's last and a daughter's first."""
    found, last = set(), {}
    for row in table.sort_values("frame").itertuples():
        name, mother = getattr(row, track), getattr(row, parent)
        if name not in last and mother in last:
            found.add((last[mother], (row.frame, row.label)))
        last[name] = (row.frame, row.label)
    return found


# the farthest tenth of few candidates is dearer than staying alone
@pytest.mark.parametrize(("percentile", "recall"), [(90, 0.6), (100, 0.95)])
def test_finds_the_divisions(assays, percentile, recall):
    true = right = 0
    task = LapTracker(splitting=True, cutoff_percentile=percentile)
    for assay in assays:
        table = task({"dataframe": cells_of(assay, "cancer")})["dataframe"]
        wanted, found = divisions_of(table, "true", "true_parent"), divisions_of(table)
        assert found <= wanted
        true, right = true + len(wanted), right + len(wanted & found)
    assert true >= 10
    assert right >= recall * true


def test_without_splitting_there_are_no_parents(assays):
    table = LapTracker()({"dataframe": cells_of(assays[0], "cancer")})["dataframe"]
    assert (table["parent_track_id"] == -1).all()


@pytest.mark.parametrize("divisions", [False, True])
def test_overlap_finds_the_links_of_slow_cells(assays, divisions):
    task = OverlapTracker(divisions=divisions)
    tables = []
    for assay in assays:
        names = assay.tracks.rename(
            columns={"track_id": "true", "parent_track_id": "true_parent"}
        ).query("cell_type == 'cancer'")
        names = names.assign(label=names["true"])
        data = {"label": assay.cancer_labels, "dataframe": names}
        tables.append(task(data)["dataframe"])
    recall, precision = recall_and_precision(tables)
    assert recall >= 0.98
    assert precision >= 0.98
    if not divisions:
        assert not any(map(divisions_of, tables))
        return
    for table in tables:
        assert divisions_of(table) == divisions_of(table, "true", "true_parent")
