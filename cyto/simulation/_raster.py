"""From cells to exact labels, and from labels to what they say (NumPy only)."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    from cyto.simulation._world import Cell


class Layer(NamedTuple):
    """One population in one frame.

    *labels*: (Y, X) uint16, a cell's track id. *glow*: (Y, X) float32, how bright a cell of
    brightness 1 is at each pixel.
    """

    labels: NDArray[np.uint16]
    glow: NDArray[np.float32]


def rasterise(cells: Sequence[Cell], size: tuple[int, int], frame: int) -> Layer:
    """Draw the cells of one population so that none overlaps another.

    An outline is a circle with Fourier modes; where two outlines would overlap, a straight line
    between the two centres parts them, so each cell stays star-shaped, hence in one piece.
    """
    labels = np.zeros(size, np.uint16)
    glow = np.zeros(size, np.float32)
    centre = np.array([[cell.y, cell.x] for cell in cells]).reshape(-1, 2)
    radius = np.array([cell.size(frame) for cell in cells])
    reach = radius * np.array([1 + cell.waves[0].sum() for cell in cells])
    for i, cell in enumerate(cells):
        window = _window(centre[i], reach[i], size)
        dy, dx = _offsets(centre[i], window)
        inside, shine = _draw(cell, radius[i], dy, dx)
        away = centre - centre[i]
        distance = np.hypot(away[:, 0], away[:, 1])
        for j in np.flatnonzero((distance < reach + reach[i]) & (distance > 0)):
            line = distance[j] * radius[i] / (radius[i] + radius[j])
            inside &= (dy * away[j, 0] + dx * away[j, 1]) < line * distance[j]
        inside &= labels[window] == 0  # the parting lines agree but for rounding
        labels[window][inside] = cell.track_id
        glow[window][inside] = shine[inside]
    return Layer(labels, glow)


def _window(
    centre: NDArray[np.float64], reach: float, size: tuple[int, int]
) -> tuple[slice, slice]:
    start = np.maximum(np.floor(centre - reach), 0).astype(int)
    stop = np.minimum(np.ceil(centre + reach) + 1, size).astype(int)
    return slice(start[0], stop[0]), slice(start[1], stop[1])


def _offsets(
    centre: NDArray[np.float64], window: tuple[slice, slice]
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    y = np.arange(window[0].start, window[0].stop) - centre[0]
    x = np.arange(window[1].start, window[1].stop) - centre[1]
    return y[:, None], x[None, :]


def _draw(
    cell: Cell, radius: float, dy: NDArray[np.float64], dx: NDArray[np.float64]
) -> tuple[NDArray[np.bool_], NDArray[np.float64]]:
    """Give which pixels lie inside the outline, and the marker's profile with its texture."""
    angle = np.arctan2(dy, dx) - cell.heading * (cell.kind == "tcell")
    modes = np.arange(2, 6)
    outline = 1 + np.tensordot(
        cell.waves[0], np.cos(modes[:, None, None] * angle + cell.waves[1][:, None, None]), 1
    )
    depth = np.hypot(dy, dx) / (radius * outline)
    texture = sum(np.cos((ky * dy + kx * dx) / radius + phase) for ky, kx, phase in cell.grain)
    return depth < 1, (1 - 0.35 * depth**2) * (1 + 0.08 * texture)


def table_rows(
    labels: NDArray[np.uint16], cells: Sequence[Cell], frame: int
) -> list[tuple[int, int, int, float, float, str, bool]]:
    """Give the rows of the tracks table of one population in one frame, ordered by track."""
    y, x = np.nonzero(labels)
    ids = labels[y, x]
    area = np.bincount(ids)
    at_y, at_x = np.bincount(ids, y), np.bincount(ids, x)
    return [
        (i, cell.parent, frame, at_y[i] / area[i], at_x[i] / area[i], cell.kind, cell.alive(frame))
        for i, cell in sorted((cell.track_id, cell) for cell in cells)
        if i < len(area) and area[i]
    ]


def contacts_between(
    tcells: NDArray[np.uint16], cancer: NDArray[np.uint16]
) -> list[tuple[int, int]]:
    """Give the pairs (T cell, cancer cell) that overlap or are 8-neighbours, sorted."""
    around = np.pad(cancer, 1)
    y, x = np.nonzero(tcells)
    mine = tcells[y, x].astype(np.int64)
    pairs = [(mine << 16) | around[y + dy, x + dx] for dy in range(3) for dx in range(3)]
    found = np.unique(np.concatenate(pairs))
    return [(int(p >> 16), int(p & 0xFFFF)) for p in found if p & 0xFFFF]
