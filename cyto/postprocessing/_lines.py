"""Lines between cells, drawn."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

import numpy as np

from cyto.core.movie import Frames

if TYPE_CHECKING:
    import networkx as nx
    from numpy.typing import NDArray

    Place = tuple[float, float]


def draw_edges(graph: nx.Graph[Any], shape: tuple[int, ...]) -> Frames:
    """Draw the edges of a network over a movie of *shape*, (T, Y, X), uint8; 1 on lines.

    Nodes tell ``frame``, ``y`` and ``x`` (px). What lies outside of the frames is left out.
    """
    lines: dict[int, list[tuple[Place, Place]]] = {}
    nodes = graph.nodes
    for a, b in graph.edges():
        start, end = ((nodes[node]["y"], nodes[node]["x"]) for node in (a, b))
        lines.setdefault(nodes[a]["frame"], []).append((start, end))

    def drawn() -> Iterator[NDArray[np.uint8]]:
        for number in range(shape[0]):
            frame = np.zeros(shape[1:], np.uint8)
            for start, end in lines.get(number, ()):
                _draw(frame, start, end)
            yield frame

    return Frames(shape, np.uint8, drawn())


def _draw(frame: NDArray[np.uint8], start: Place, end: Place) -> None:
    """Draw one line, a pixel for each step along its longer side."""
    first, last = np.rint(start).astype(int), np.rint(end).astype(int)
    steps = int(np.abs(last - first).max()) + 1
    y, x = (np.rint(np.linspace(first[i], last[i], steps)).astype(int) for i in (0, 1))
    inside = (y >= 0) & (y < frame.shape[0]) & (x >= 0) & (x < frame.shape[1])
    frame[y[inside], x[inside]] = 1
