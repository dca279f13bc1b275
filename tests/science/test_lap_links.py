"""The linear assignments against a dense reference, TrackMate's own edges, and laptrack."""

from __future__ import annotations

import itertools

import numpy as np
import pandas as pd
import pytest
from scipy.optimize import linear_sum_assignment

from cyto.simulation import simulate_assay
from cyto.tracking import _matching
from cyto.tracking._links import GAP, MERGE, SPLIT, Limits, lap_links
from cyto.tracking._matching import best_matching

NEVER = 1e9


def edges_of(links):
    return set(zip(links.source.tolist(), links.target.tolist(), strict=True))


def full_matrix(costs, alternative, lower_right):
    """Complete the upper left block of Jaqaman et al. 2008, fig. 1b."""
    height, width = costs.shape
    full = np.full((height + width, width + height), NEVER)
    full[:height, :width] = costs
    full[np.arange(height), width + np.arange(height)] = alternative
    full[height + np.arange(width), np.arange(width)] = alternative
    full[height:, width:] = np.where(costs.T < NEVER, lower_right, NEVER)
    return full


def assign(costs, alternative, lower_right):
    rows, columns = linear_sum_assignment(full_matrix(costs, alternative, lower_right))
    inside = (rows < costs.shape[0]) & (columns < costs.shape[1])
    return list(zip(rows[inside].tolist(), columns[inside].tolist(), strict=True))


def squared(a, b, radius):
    cost = ((a[:, None] - b[None]) ** 2).sum(axis=2)
    return np.where(cost <= radius**2, cost, NEVER)


def slow_links(frame, yx, limits):
    """Do what `lap_links` does, with loops and dense matrices."""
    edges = set()
    for time in range(frame.max()):
        now, then = np.flatnonzero(frame == time), np.flatnonzero(frame == time + 1)
        costs = squared(yx[now], yx[then], limits.linking_px)
        if (costs < NEVER).any():
            some = costs[costs < NEVER]
            found = assign(costs, 1.05 * some.max(), some.min())
            edges |= {(int(now[i]), int(then[j])) for i, j in found}
    rows = range(len(frame))
    ends = [i for i in rows if i not in {a for a, _ in edges}]
    starts = [i for i in rows if i not in {b for _, b in edges}]
    costs = np.full((2 * len(frame), 2 * len(frame)), NEVER)
    shift = len(frame)

    def consider(sources, targets, radius, gap, down, right):
        for i, j in itertools.product(sources, targets):
            cost = ((yx[i] - yx[j]) ** 2).sum()
            if radius and 1 <= frame[j] - frame[i] <= gap and cost <= radius**2:
                costs[i + down, j + right] = cost

    consider(ends, starts, limits.gap_px, limits.max_frame_gap, 0, 0)
    consider(rows, starts, limits.splitting_px, 1, shift, 0)
    consider(ends, rows, limits.merging_px, 1, 0, shift)
    some = costs[costs < NEVER]
    if len(some):
        alternative = limits.factor * np.percentile(some, limits.percentile, method="lower")
        edges |= {(i % shift, j % shift) for i, j in assign(costs, alternative, alternative)}
    return edges


@pytest.mark.parametrize("seed", range(12))
@pytest.mark.parametrize("branching", [{}, {"splitting_px": 18.0, "merging_px": 22.0}])
def test_equals_the_dense_reference(seed, branching):
    rng = np.random.default_rng(seed)
    frame = np.sort(rng.integers(0, 5, 60))
    yx = rng.uniform(0, [60, 90], (60, 2))
    limits = Limits(14.0, 17.0, 3, **branching)
    assert edges_of(lap_links(frame, yx, limits)) == slow_links(frame, yx, limits)


@pytest.mark.parametrize("seed", range(20))
def test_matching_is_worth_as_much_as_the_dense_one(seed, monkeypatch):
    monkeypatch.setattr(_matching, "BATCH", 1 + seed % 4)
    rng = np.random.default_rng(seed)
    dense = np.where(rng.random((15, 20)) < 0.15, rng.integers(1, 5, (15, 20)), 0)  # many ties
    rows, columns = np.nonzero(dense)
    gain = dense[rows, columns].astype(float)
    chosen = best_matching(rows, columns, gain)
    assert gain[chosen].sum() == dense[linear_sum_assignment(-dense)].sum()
    assert len(set(rows[chosen])) == len(set(columns[chosen])) == chosen.sum()


def test_matching_takes_nothing_that_costs():
    rows, columns = np.array([0, 0, 1]), np.array([0, 1, 1])
    assert best_matching(rows, columns, np.array([-1.0, 0.0, 2.0])).tolist() == [False, False, True]
    assert len(best_matching(rows[:0], columns[:0], np.empty(0))) == 0


@pytest.fixture(scope="module")
def trackmate(shared_data):
    spots = pd.read_csv(shared_data / "trackmate" / "gap_closing_spots.csv")
    edges = pd.read_csv(shared_data / "trackmate" / "gap_closing_edges.csv")
    frame = spots.set_index("id")["frame"]
    pairs = edges[["spot_source_id", "spot_target_id"]].to_numpy()
    return spots, {tuple(sorted(pair, key=frame.get)) for pair in pairs.tolist()}


@pytest.mark.parametrize("seed", range(3))
def test_gives_the_edges_of_trackmate(trackmate, seed):
    spots, wanted = trackmate
    spots = spots.sample(frac=1, random_state=seed)
    yx = spots[["position_y", "position_x"]].to_numpy()
    links = lap_links(spots["frame"].to_numpy(), yx, Limits(15.0, 15.0, 2))
    names = spots["id"].to_numpy()
    found = zip(names[links.source].tolist(), names[links.target].tolist(), strict=True)
    assert set(found) == wanted
    assert (links.kind == GAP).sum() == 1


def laptrack_edges(frame, yx, limits):
    laptrack = pytest.importorskip("laptrack")
    rows = [np.flatnonzero(frame == time) for time in range(frame.max() + 1)]

    def square(radius):
        return radius**2 if radius else False

    tree = laptrack.LapTrack(
        cutoff=limits.linking_px**2,
        gap_closing_cutoff=square(limits.gap_px),
        gap_closing_max_frame_count=limits.max_frame_gap,
        splitting_cutoff=square(limits.splitting_px),
        merging_cutoff=square(limits.merging_px),
    ).predict([yx[some] for some in rows])
    return {(int(rows[a][i]), int(rows[b][j])) for (a, i), (b, j) in tree.edges()}


@pytest.mark.filterwarnings("default")
@pytest.mark.parametrize("seed", range(3))
@pytest.mark.parametrize(
    "limits",
    [
        Limits(15.0, None, 0),
        Limits(15.0, 15.0, 2),
        Limits(15.0, 20.0, 4),
        Limits(15.0, 15.0, 2, splitting_px=20.0),
        Limits(15.0, 15.0, 2, merging_px=20.0),
        Limits(15.0, 15.0, 3, splitting_px=20.0, merging_px=18.0),
    ],
    ids=["linking", "gaps", "long gaps", "splitting", "merging", "all"],
)
def test_gives_the_edges_of_laptrack(seed, limits):
    tracks = simulate_assay(12, (256, 256), 20, 15, seed).tracks
    seen = tracks[np.random.default_rng(seed).random(len(tracks)) > 0.06]
    frame, yx = seen["frame"].to_numpy(), seen[["y", "x"]].to_numpy()
    links = lap_links(frame, yx, limits)
    assert edges_of(links) == laptrack_edges(frame, yx, limits)
    assert (limits.splitting_px is None) == (SPLIT not in links.kind)
    assert limits.merging_px is not None or MERGE not in links.kind


def test_reach_is_inclusive_and_gaps_count_frame_numbers():
    frame, yx = np.array([0, 1, 3]), np.array([[0.0, 0.0], [9.0, 12.0], [9.0, 12.0]])
    assert edges_of(lap_links(frame, yx, Limits(15.0, 15.0, 2))) == {(0, 1), (1, 2)}
    assert edges_of(lap_links(frame, yx, Limits(15.0, 15.0, 1))) == {(0, 1)}
    assert edges_of(lap_links(frame, yx, Limits(14.999, None, 0))) == set()


@pytest.mark.parametrize("radius", [1e-3, 1e6, np.inf])
def test_any_reach_will_do_for_cells_that_rest(radius):
    frame, yx = np.array([5, 6, 8]), np.zeros((3, 2))
    links = lap_links(frame, yx, Limits(radius, radius, 2, radius, radius))
    assert edges_of(links) == {(0, 1), (1, 2)}
