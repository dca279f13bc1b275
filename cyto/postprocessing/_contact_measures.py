"""Contacts between the cells of two populations, frame by frame."""

from __future__ import annotations

from typing import Any, NamedTuple

import networkx as nx
import numpy as np
import pandas as pd
from numpy.typing import NDArray
from scipy.spatial import cKDTree

Array = NDArray[Any]
Int = NDArray[np.int64]


class Population(NamedTuple):
    """Cells: their *name*, *label* movie, *table*, and the table's columns of their places, px."""

    name: str
    label: Array
    table: pd.DataFrame
    row: str
    column: str

    def cells(self, frame: int) -> Cells:
        """Give the cells of one frame, ordered by label."""
        part = self.table[(self.table["frame"] == frame).to_numpy()]
        part = part.sort_values("label")
        places = part[[self.row, self.column]].to_numpy(np.float64)
        return Cells(part.index.to_numpy(), part["label"].to_numpy(np.int64), places)


class Cells(NamedTuple):
    """Cells of one frame: *rows* of the table, *ids*, and *places*, (n, 2) as (y, x)."""

    rows: Array
    ids: Int
    places: NDArray[np.float64]


def measure(first: Population, second: Population) -> tuple[pd.DataFrame, nx.Graph[Any]]:
    """Find the contacts; see `cyto.postprocessing.contact_measures.CrossCellContactMeasures`.

    Returns
    -------
    The first table with its new columns, and the network.
    """
    table = first.table.reset_index(drop=True)
    first = first._replace(table=table)
    touched: list[list[int]] = [[] for _ in range(len(table))]
    nearest = np.full(len(table), np.nan)
    graph: nx.Graph[Any] = nx.Graph(frames=len(first.label))
    for frame in range(len(first.label)):
        one, other = first.cells(frame), second.cells(frame)
        _add_nodes(graph, frame, first.name, one)
        _add_nodes(graph, frame, second.name, other)
        if len(one.ids) and len(other.ids):
            nearest[one.rows] = cKDTree(other.places).query(one.places)[0]
        a, b, shared = _overlaps(first.label[frame], second.label[frame])
        for i, j, area in zip(_find(one.ids, a), _find(other.ids, b), shared.tolist()):
            if i >= 0 and j >= 0:
                touched[int(one.rows[i])].append(int(other.ids[j]))
                ends = (
                    f"{frame}:{first.name}:{one.ids[i]}",
                    f"{frame}:{second.name}:{other.ids[j]}",
                )
                length = float(np.hypot(*(one.places[i] - other.places[j])))
                graph.add_edge(*ends, frame=frame, length_px=length, overlap_px2=area)
    result = table.assign(
        **{
            "contact": np.array([bool(labels) for labels in touched], bool),
            "contacting cell labels": pd.Series(touched, dtype=object),
            "closest cell dist": nearest,
        }
    )
    return result, graph


def _add_nodes(graph: nx.Graph[Any], frame: int, name: str, cells: Cells) -> None:
    for cell, (y, x) in zip(cells.ids.tolist(), cells.places.tolist()):
        graph.add_node(f"{frame}:{name}:{cell}", frame=frame, population=name, id=cell, y=y, x=x)


def _overlaps(a: Array, b: Array) -> tuple[Int, Int, Int]:
    """Give the pairs of labels that share pixels, ordered, and how many they share."""
    shared = (a != 0) & (b != 0)
    pairs = np.stack([a[shared], b[shared]], axis=1).astype(np.int64)
    found, count = np.unique(pairs, axis=0, return_counts=True)
    found = found.reshape(-1, 2)
    return found[:, 0], found[:, 1], np.asarray(count, np.int64)


def _find(ids: Int, wanted: Int) -> Int:
    """Give the places of *wanted* in the ascending *ids*; -1 for what is not there."""
    if not len(ids):
        return np.full(len(wanted), -1, np.int64)
    at = np.minimum(np.searchsorted(ids, wanted), len(ids) - 1)
    return np.where(ids[at] == wanted, at, -1)
