"""From edges between cells to numbered tracks."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from cyto.tracking._links import MERGE, Links

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Index = NDArray[np.int64]

NONE = -1
"""Stands for no track, as in the truth tables of `cyto.simulation`."""


@dataclass(frozen=True)
class Tracks:
    """The track of every row, each (n,) int64.

    Parameters
    ----------
    track_id
        From 1, in the order of the tracks' first rows.
    parent_track_id
        The mother's track, the same for all rows of a track; -1 without.
    merged_into
        The track that this one ends in, likewise; -1 without.
    """

    track_id: Index
    parent_track_id: Index
    merged_into: Index


def number_tracks(links: Links, count: int) -> Tracks:
    """Give each unbranched chain of edges a number.

    A cell with two successors ends its track, and both start tracks with that parent. Of two
    cells that become one, the one that merges ends its track, and the other's goes on.

    Parameters
    ----------
    links
        Edges between *count* rows, forward in time.
    count
        Number of rows, in the order of time.
    """
    outgoing = np.bincount(links.source, minlength=count)
    incoming = np.bincount(links.target, minlength=count)
    into_other = (links.kind == MERGE) & (incoming[links.target] > 1)
    before = np.full(count, NONE)
    before[links.target[~into_other]] = links.source[~into_other]
    has_parent = before >= 0
    goes_on = has_parent & (outgoing[before] == 1)  # [-1] is never read: has_parent is false
    first = _roots(np.where(goes_on, before, np.arange(count)))
    track_id = np.cumsum(~goes_on)[first]
    parent = np.where(has_parent, track_id[before] if count else NONE, NONE)[first]
    merged = np.full(int(track_id.max(initial=0)) + 1, NONE)
    merged[track_id[links.source[into_other]]] = track_id[links.target[into_other]]
    return Tracks(track_id, parent, merged[track_id])


def _roots(before: Index) -> Index:
    """Follow *before* to where it points to itself, halving what is left each time."""
    while True:
        further = before[before]
        if np.array_equal(further, before):
            return before
        before = further
