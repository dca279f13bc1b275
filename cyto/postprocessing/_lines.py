"""Lines between cells, drawn."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    import networkx as nx
    from numpy.typing import NDArray


def draw_edges(graph: nx.Graph[Any], shape: tuple[int, ...]) -> NDArray[np.uint8]:
    """Draw the edges of a network over a movie of *shape*, (T, Y, X); 1 on lines.

    Nodes tell ``frame``, ``y`` and ``x`` (px). What lies outside of the frames is left out.
    """
    image = np.zeros(shape, np.uint8)
    nodes = graph.nodes
    for a, b in graph.edges():
        frame = nodes[a]["frame"]
        if frame < len(image):
            _draw(image[frame], *((nodes[end]["y"], nodes[end]["x"]) for end in (a, b)))
    return image


def _draw(frame: NDArray[np.uint8], start: tuple[float, float], end: tuple[float, float]) -> None:
    """Draw one line, a pixel for each step along its longer side."""
    first, last = np.rint(start).astype(int), np.rint(end).astype(int)
    steps = int(np.abs(last - first).max()) + 1
    y, x = (np.rint(np.linspace(first[i], last[i], steps)).astype(int) for i in (0, 1))
    inside = (y >= 0) & (y < frame.shape[0]) & (x >= 0) & (x < frame.shape[1])
    frame[y[inside], x[inside]] = 1
