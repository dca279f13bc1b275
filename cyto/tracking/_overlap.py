"""Linking the cells of a label movie by how much they overlap."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd
from scipy.sparse import coo_array

from cyto.core.movie import frames
from cyto.tracking._links import GAP, LINK, SPLIT, Links, tidy
from cyto.tracking._matching import best_matching
from cyto.tracking._movie import as_numbers, replace, unique_labels

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Index = NDArray[np.int64]
    Numbers = NDArray[np.float64]
    Edges = tuple[Index, Index, Index]


@dataclass(frozen=True)
class Rules:
    """When cells are the same; see `cyto.tracking.overlap.OverlapTracker`."""

    min_iou: float
    max_frame_gap: int
    divisions: bool
    min_daughter_overlap: float


@dataclass
class Frame:
    """The cells of one frame, numbered 0 … n - 1 by label."""

    number: int
    first: int
    """Row of its first cell among the cells of all frames."""
    label: Index
    pixels: NDArray[np.int32]
    """(Y, X), the cells' numbers plus one, 0 background."""
    area: Numbers
    open: NDArray[np.bool_] = field(init=False)
    """Whether a cell has no successor yet."""

    def __post_init__(self) -> None:
        self.open = np.ones(len(self.label), bool)


def overlap_links(movie: NDArray[Any], rules: Rules) -> tuple[pd.DataFrame, Links]:
    """Link the cells of *movie*, frame by frame.

    Parameters
    ----------
    movie
        (T, Y, X) whole numbers ≥ 0; read frame by frame.
    rules
        When cells are the same.

    Returns
    -------
    The cells (``frame``, ``label``, ``y``, ``x``, ``area``; by frame, then label) and the edges
    between their rows.
    """
    tables: list[pd.DataFrame] = []
    edges: list[Edges] = []
    recent: list[Frame] = []
    count = 0
    for number, pixels in enumerate(map(as_numbers, frames(movie))):
        frame = _frame(pixels, number, count)
        count += len(frame.label)
        tables.append(_measure(frame))
        edges += _link(recent, frame, rules)
        recent = [*recent, frame][-rules.max_frame_gap :]
    none = np.empty(0, np.int64)
    source, target, kind = (np.concatenate([none, *part]) for part in _columns(edges))
    table = pd.concat(tables, ignore_index=True) if tables else _measure(_no_frame())
    return table, tidy(source, target, kind, count=count)


def _columns(edges: list[Edges]) -> tuple[list[Index], list[Index], list[Index]]:
    return [e[0] for e in edges], [e[1] for e in edges], [e[2] for e in edges]


def _frame(pixels: NDArray[Any], number: int, first: int) -> Frame:
    label = unique_labels(pixels)
    numbered = replace(pixels, label, np.arange(1, len(label) + 1, dtype=np.int32))
    area = np.bincount(numbered.ravel(), minlength=len(label) + 1)[1:].astype(float)
    return Frame(number, first, label, numbered, area)


def _no_frame() -> Frame:
    return _frame(np.zeros((0, 0), np.uint8), 0, 0)


def _measure(frame: Frame) -> pd.DataFrame:
    place = np.flatnonzero(frame.pixels)
    cell = frame.pixels.ravel()[place]
    width = max(1, frame.pixels.shape[1])
    y, x = (
        np.bincount(cell, axis, len(frame.label) + 1)[1:] / frame.area
        for axis in (place // width, place % width)
    )
    table: pd.DataFrame = pd.DataFrame(
        {
            "frame": np.full(len(frame.label), frame.number, np.int64),
            "label": frame.label,
            "y": y,
            "x": x,
            "area": frame.area.astype(np.int64),
        }
    )
    return table


def _link(recent: list[Frame], frame: Frame, rules: Rules) -> list[Edges]:
    """Link *frame* to the latest frame first, then what is left over gaps."""
    found = []
    new = np.ones(len(frame.label), bool)
    for earlier in reversed(recent):
        i, j, kind = _link_pair(earlier, frame, new, rules)
        earlier.open[i] = False
        new[j] = False
        found.append((i + earlier.first, j + frame.first, kind))
    return found


def _link_pair(earlier: Frame, frame: Frame, new: NDArray[np.bool_], rules: Rules) -> Edges:
    """Give the edges between the open cells of *earlier* and the *new* ones of *frame*."""
    i, j, shared = _shared(earlier, frame)
    free = earlier.open[i] & new[j]
    i, j, shared = i[free], j[free], shared[free]
    iou = shared / (earlier.area[i] + frame.area[j] - shared)
    chosen = best_matching(i, j, np.where(iou >= rules.min_iou, iou, 0.0))
    adjacent = frame.number - earlier.number == 1
    kind = np.full(len(i), LINK if adjacent else GAP)
    if adjacent and rules.divisions:
        inside = shared / frame.area[j]
        daughters = _daughters(i, j, inside, chosen, rules.min_daughter_overlap)
        kind[daughters & ~chosen] = SPLIT
        chosen |= daughters
    return i[chosen], j[chosen], kind[chosen]


def _shared(earlier: Frame, frame: Frame) -> tuple[Index, Index, Numbers]:
    """Give each pair of cells that overlap and by how many pixels, ordered by pair."""
    both = np.flatnonzero((earlier.pixels > 0) & (frame.pixels > 0))
    i, j = earlier.pixels.ravel()[both] - 1, frame.pixels.ravel()[both] - 1
    shape = (len(earlier.label), len(frame.label))
    counts = coo_array((np.ones(len(both), np.int64), (i, j)), shape=shape).tocsr()
    counts.sum_duplicates()
    pairs = counts.tocoo()
    return pairs.row.astype(np.int64), pairs.col.astype(np.int64), pairs.data.astype(float)


def _daughters(
    i: Index, j: Index, inside: Numbers, chosen: NDArray[np.bool_], least: float
) -> NDArray[np.bool_]:
    """Mark the pairs of a mother and her two daughters.

    A daughter lies in the mother's place by *least* of her area, more than in another cell's,
    and is linked to no other cell; of more than two, the linked one and then the largest shares
    are taken.
    """
    taken = np.zeros(int(j.max(initial=-1)) + 1, bool)
    taken[j[chosen]] = True
    able = (inside >= least) & (chosen | ~taken[j])
    order = np.lexsort((i, -inside, ~chosen, j))  # each daughter's best mother first
    order = order[able[order]]
    order = order[np.diff(j[order], prepend=-1) != 0]
    order = order[np.lexsort((j[order], -inside[order], ~chosen[order], i[order]))]
    mother = i[order]
    rank = np.arange(len(order)) - np.searchsorted(mother, mother)
    two = np.bincount(mother, minlength=1)[mother] >= 2 if len(mother) else rank > 0
    marked = np.zeros(len(i), bool)
    marked[order[(rank < 2) & two]] = True
    # a mother whose linked cell is no daughter goes on and does not divide
    linked = np.zeros(int(i.max(initial=-1)) + 1, bool)
    linked[i[chosen & ~marked]] = True
    return marked & ~linked[i]
