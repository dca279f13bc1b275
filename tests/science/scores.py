"""How well found cells agree with the truth."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np


@dataclass(frozen=True)
class Score:
    """*matched* pairs of *true* and *found* cells; an IoU above 0.5 makes a pair unique."""

    matched: int
    true: int
    found: int

    @property
    def f1(self) -> float:
        return 2 * self.matched / max(1, self.true + self.found)

    def __add__(self, other: Score) -> Score:
        return Score(self.matched + other.matched, self.true + other.true, self.found + other.found)


def score(truth: np.ndarray, found: np.ndarray) -> Score:
    """Compare two label frames (Y, X) at an IoU of 0.5, pair by pair."""
    true_ids, found_ids = np.unique(truth[truth > 0]), np.unique(found[found > 0])
    matched = 0
    for i in true_ids:
        mine = truth == i
        for j in np.unique(found[mine]):
            other = found == j
            matched += bool(j) and (mine & other).sum() > 0.5 * (mine | other).sum()
    return Score(int(matched), len(true_ids), len(found_ids))


def same_partition(a: np.ndarray, b: np.ndarray) -> bool:
    """Tell whether two label images hold the same cells, whatever their numbers."""
    pairs = np.unique(np.stack([a.ravel().astype(np.int64), b.ravel().astype(np.int64)]), axis=1)
    sides = [len(np.unique(side)) == pairs.shape[1] for side in pairs]
    return all(sides) and not np.any((pairs[0] == 0) != (pairs[1] == 0))
