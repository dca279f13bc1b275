"""Frames and tracks to time tasks on: random, and the same ones on every machine."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from scipy import ndimage

Array = NDArray[Any]
DRIFT_PX = (3.4, -5.2)
"""How far the content of `Frame.moved` lies from that of `Frame.image`, (y, x)."""
STEP_PX, LOST = 2.0, 0.03
"""Standard deviation of a cell's step along each axis; share of the detections that is missing."""


@dataclass(frozen=True)
class Frame:
    """One frame of cells, some of which touch.

    *labels*: (Y, X) uint16, the truth. *image*: (Y, X) uint16, the cells on uneven light with
    noise. *moved*: the same after a drift, with other noise.
    """

    labels: Array
    image: Array
    moved: Array


def random_frame(size_px: int, cells: int, *, dense: bool = False, seed: int = 0) -> Frame:
    """Draw about *cells* ellipses near the places of a square grid, a third of the frame or half.

    500 in 1024² are 30 px wide on average, *dense* ones 37 px.
    """
    rng = np.random.default_rng(seed)
    side = int(np.ceil(np.sqrt(cells)))
    pitch = size_px / side
    places = rng.permutation(side * side)[:cells]
    centres = (np.stack(np.divmod(places, side), axis=1) + 0.5) * pitch
    centres += rng.uniform(-0.3, 0.3, centres.shape) * pitch
    shortest, longest = (0.32, 0.52) if dense else (0.24, 0.44)
    labels = np.zeros((size_px, size_px), np.uint16)
    best = np.ones((size_px, size_px))
    clean = 200 + 80 * np.add.outer(np.linspace(0, 1, size_px), np.linspace(0, 1, size_px))
    light = clean.copy()
    for label, (y, x) in enumerate(centres, start=1):
        axes = rng.uniform(shortest, longest, 2) * pitch
        angle, level = rng.uniform(0, np.pi), rng.uniform(600, 1200)
        part = _window(y, x, axes.max(), size_px)
        rows, columns = np.ogrid[part]
        along = np.cos(angle) * (rows - y) + np.sin(angle) * (columns - x)
        across = np.cos(angle) * (columns - x) - np.sin(angle) * (rows - y)
        away = (along / axes[0]) ** 2 + (across / axes[1]) ** 2
        own = away < best[part]
        best[part][own] = away[own]
        labels[part][own] = label
        clean[part][own] = light[part][own] + level * (1 - 0.4 * away[own])
    clean = ndimage.gaussian_filter(clean, 1.0)
    moved = ndimage.shift(clean, DRIFT_PX, order=3, mode="reflect")
    return Frame(labels, _noisy(clean, rng), _noisy(moved, rng))


def _window(y: float, x: float, reach: float, size_px: int) -> tuple[slice, slice]:
    low = [max(0, int(place - reach)) for place in (y, x)]
    high = [min(size_px, int(place + reach) + 2) for place in (y, x)]
    return slice(low[0], high[0]), slice(low[1], high[1])


def _noisy(clean: Array, rng: np.random.Generator) -> Array:
    noisy = clean + rng.normal(0, 1, clean.shape) * (10 + 0.5 * np.sqrt(clean))
    return np.clip(np.rint(noisy), 0, 65535).astype(np.uint16)


def flipped(frame: Array) -> Array:
    """Make a movie of eight frames: each cell keeps its label and its neighbours."""
    turned = [frame, frame[::-1], frame[:, ::-1], frame[::-1, ::-1]]
    return np.stack(turned * 2)


def random_tracks(frames: int, cells: int, size_px: float, seed: int = 0) -> pd.DataFrame:
    """Let *cells* walk at random; gives frame, label, y, x, and true, the true track."""
    rng = np.random.default_rng(seed)
    steps = rng.normal(0, STEP_PX, (frames, cells, 2))
    steps[0] = rng.uniform(0, size_px, (cells, 2))
    yx = np.cumsum(steps, axis=0).reshape(-1, 2)
    frame, true = np.divmod(np.arange(frames * cells), cells)
    label = np.concatenate([rng.permutation(cells) + 1 for _ in range(frames)])
    table = pd.DataFrame(
        {"frame": frame, "label": label, "y": yx[:, 0], "x": yx[:, 1], "true": true}
    )
    seen = rng.random(len(table)) >= LOST
    return table[seen].sort_values(["frame", "label"], ignore_index=True)


def links(track: Array, frame: Array) -> Array:
    """Give (n, 2) rows that follow each other in a track."""
    order = np.lexsort((frame, track))
    same = np.diff(track[order]) == 0
    return np.stack([order[:-1][same], order[1:][same]], axis=1)


def right_links(found: Array, table: pd.DataFrame) -> str:
    """Say which share of the true links is found, and which share of the found ones is true."""
    true = links(table["true"].to_numpy(), table["frame"].to_numpy())
    keys = [pairs[:, 0] * len(table) + pairs[:, 1] for pairs in (true, found)]
    right = len(np.intersect1d(*keys))
    return f"recall {right / len(true):.3f}, precision {right / max(1, len(found)):.3f}"


def right_cells(found: Array, labels: Array) -> str:
    """Give the F1 score of *found* at an intersection over union of 0.5."""
    found = found.astype(np.int64)
    both, shared = np.unique(found[labels > 0] << 32 | labels[labels > 0], return_counts=True)
    area, true_area = np.bincount(found.ravel()), np.bincount(labels.ravel())
    mine, true = both >> 32, both & 0xFFFFFFFF
    share = shared / (area[mine] + true_area[true] - shared)
    matched = int((share[mine > 0] > 0.5).sum())
    total = int((area[1:] > 0).sum() + (true_area[1:] > 0).sum())
    return f"F1 {2 * matched / total:.3f}"
