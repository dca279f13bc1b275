"""Who goes with whom: the one-to-one assignment of greatest total gain, on sparse candidates."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
from scipy.sparse import csr_array
from scipy.sparse.csgraph import connected_components, min_weight_full_bipartite_matching

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Index = NDArray[np.int64]
    Numbers = NDArray[np.float64]
    Mask = NDArray[np.bool_]

BATCH = 500
"""Rows solved at once: SciPy's time grows with the square, a call costs 0.2 ms."""


def best_matching(rows: Index, columns: Index, gain: Numbers) -> Mask:
    """Choose the candidates with the greatest total gain, each row and column at most once.

    This is the linear assignment problem of Jaqaman et al. without its auxiliary blocks: linking
    i to j spares both "no link" costs b and d and costs C_ij and the corresponding element of
    the lower right block, so its gain is b + d - C_ij - C_lower_right.

    Parameters
    ----------
    rows, columns
        The candidates, (n,), ≥ 0, no pair twice.
    gain
        What each is worth, (n,); those that are not above 0 are never chosen.

    Returns
    -------
    (n,) true where chosen. Ties are decided by the order of the candidates, always the same.

    Notes
    -----
    Candidates without a rival are taken at once. The rest falls apart into groups that share no
    row and no column, which go through the shortest augmenting paths of SciPy in batches.
    """
    chosen = gain > 0
    rivals = chosen & ~((_degree(rows, chosen) == 1) & (_degree(columns, chosen) == 1))
    crowd = np.flatnonzero(rivals)
    if len(crowd):
        row, column = _renumber(rows[crowd]), _renumber(columns[crowd])
        for part in _batches(row, column):
            some = crowd[part]
            chosen[some] = _solve(rows[some], columns[some], gain[some])
    return chosen


def _degree(ends: Index, counted: Mask) -> Index:
    """Count the candidates at each candidate's row (or column)."""
    return np.bincount(ends[counted], minlength=int(ends.max(initial=-1)) + 1)[ends]


def _renumber(ends: Index) -> NDArray[np.int32]:
    """Give the numbers that occur the names 0 … n - 1; older SciPy takes int32 only."""
    _, place = np.unique(ends, return_inverse=True)
    return place.astype(np.int32)


def _batches(row: NDArray[np.int32], column: NDArray[np.int32]) -> list[Index]:
    """Part candidates into batches that share no row and no column."""
    height = int(row.max()) + 1
    if height <= BATCH:
        return [np.arange(len(row))]
    size = height + int(column.max()) + 1
    graph = csr_array((np.ones(len(row), np.int8), (row, height + column)), shape=(size, size))
    groups, group = connected_components(graph, directed=False)
    rows_in = np.bincount(group[:height], minlength=groups)
    batch = ((np.cumsum(rows_in) - rows_in) // BATCH)[group[row]]
    order = np.argsort(batch, kind="stable")
    return np.split(order, np.flatnonzero(np.diff(batch[order])) + 1)


def _solve(rows: Index, columns: Index, gain: Numbers) -> Mask:
    """Match as `best_matching` does; every row may also stay alone, in a column of its own."""
    row, column = _renumber(rows), _renumber(columns)
    height, width = int(row.max()) + 1, int(column.max()) + 1
    alone = np.arange(height, dtype=np.int32)
    free = 2 * float(gain.max())  # the cost of no link, so that all costs are above 0
    costs = csr_array(
        (
            np.concatenate([free - gain, np.full(height, free)]),
            (np.concatenate([row, alone]), np.concatenate([column, width + alone])),
        ),
        shape=(height, width + height),
    )
    found_rows, found_columns = min_weight_full_bipartite_matching(costs)
    partner = np.empty(height, np.int64)
    partner[found_rows] = found_columns
    mask: Mask = partner[row] == column
    return mask
