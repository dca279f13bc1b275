"""Delaunay triangulation of the cells of each frame."""

from __future__ import annotations

from typing import Any, Optional

import networkx as nx
import numpy as np
import pandas as pd
import scipy.spatial
from numpy.typing import NDArray

Float = NDArray[np.float64]


def network(
    table: pd.DataFrame, id_column: str, max_length_px: Optional[float], size_um: Optional[float]
) -> nx.Graph[Any]:
    """Connect the neighbours of each frame; see `CellTriangulation`."""
    graph: nx.Graph[Any] = nx.Graph()
    ordered = table.sort_values(["frame", id_column])
    for frame, part in ordered.groupby("frame"):
        places = part[["y", "x"]].to_numpy(np.float64)
        ids = part[id_column].tolist()
        names = [f"{frame}:{cell}" for cell in ids]
        for name, cell, (y, x) in zip(names, ids, places.tolist()):
            graph.add_node(name, frame=int(str(frame)), id=cell, y=y, x=x)
        edges = neighbours(places)
        away = places[edges[:, 0]] - places[edges[:, 1]]
        lengths = np.hypot(away[:, 0], away[:, 1])
        for (i, j), length in zip(edges.tolist(), lengths.tolist()):
            if max_length_px is None or length <= max_length_px * (1 + 1e-9):
                scaled = {} if size_um is None else {"length_um": length * size_um}
                graph.add_edge(
                    names[i], names[j], frame=int(str(frame)), length_px=length, **scaled
                )
    return graph


def neighbours(places: Float) -> NDArray[np.int64]:
    """Give the edges (i < j) of the triangulation of (n, 2) places, in order.

    Places on one line make a chain; cells in the same place are joined to each other.
    """
    unique, first, inverse = np.unique(places, axis=0, return_index=True, return_inverse=True)
    pairs = first[_triangulate(unique)]
    again = np.setdiff1d(np.arange(len(places)), first)
    pairs = np.concatenate([pairs, np.stack([first[inverse.ravel()[again]], again], axis=1)])
    return np.unique(np.sort(pairs, axis=1), axis=0).reshape(-1, 2).astype(np.int64)


def _triangulate(places: Float) -> NDArray[np.int64]:
    """Give the edges between different places, sorted by y, then x."""
    n = len(places)
    chain = np.stack([np.arange(n - 1), np.arange(1, n)], axis=1) if n > 1 else np.zeros((0, 2))
    if np.linalg.matrix_rank(places - places[:1], tol=1e-9 * (1 + np.ptp(places))) < 2:
        return chain.astype(np.int64)
    triangles = scipy.spatial.Delaunay(places).simplices
    edges = np.concatenate([triangles[:, [0, 1]], triangles[:, [1, 2]], triangles[:, [2, 0]]])
    return np.asarray(edges, np.int64)
