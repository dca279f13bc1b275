"""Which labels of a frame stay, and what their holes are filled with."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Optional

import cv2
import numpy as np
from numpy.typing import NDArray

Array = NDArray[Any]
TABLE = 1 << 22
"""Labels below it are looked up in a table."""


@dataclass(frozen=True)
class Rules:
    """What to do; see `cyto.segmentation.label_filter.LabelFilter` for each field."""

    least_px2: Optional[float] = None
    most_px2: Optional[float] = None
    clear_border: bool = False
    fill_holes: bool = False
    relabel: bool = False


def filtered(movie: Array, rules: Rules) -> Array:
    """Filter every frame of (T, Y, X) labels; gives their type, unsigned."""
    labels: Array = np.zeros(movie.shape, f"u{movie.dtype.itemsize}")
    for index, frame in enumerate(movie):
        if frame.size:
            labels[index] = filter_frame(np.array(frame, labels.dtype), rules)
    return labels


def filter_frame(label: Array, rules: Rules) -> Array:
    """Filter one (Y, X) frame; may change it."""
    if rules.fill_holes:
        _fill_holes(label)
    ids, cell, dense = _numbered(label)
    if not rules.relabel and rules == Rules(fill_holes=rules.fill_holes):
        return label
    area = np.bincount(cell.ravel(), minlength=len(ids))
    keep = ids > 0
    if rules.least_px2 is not None:
        keep &= area >= rules.least_px2
    if rules.most_px2 is not None:
        keep &= area <= rules.most_px2
    if rules.clear_border:
        keep[np.concatenate([cell[0], cell[-1], cell[:, 0], cell[:, -1]])] = False
    if dense:
        keep &= area > 0
    name = np.where(keep, np.cumsum(keep) if rules.relabel else ids, 0).astype(label.dtype)
    return np.asarray(name[cell])


def _numbered(label: Array) -> tuple[Array, Array, bool]:
    """Give labels, ascending, each pixel's place among them, and whether some have no pixel."""
    top = int(label.max())
    if top < TABLE:
        return np.arange(top + 1), label, True
    ids, cell = np.unique(label, return_inverse=True)
    return ids, cell.reshape(label.shape), False


def _fill_holes(label: Array) -> None:
    """Fill, in place, background that touches one label alone and not the image's edge."""
    number, hole = cv2.connectedComponents(
        (label == 0).astype(np.uint8), connectivity=4, ltype=cv2.CV_32S
    )
    hole = np.asarray(hole, np.int32)
    open_ = np.zeros(number, bool)
    open_[np.concatenate([hole[0], hole[-1], hole[:, 0], hole[:, -1]])] = True
    open_[0] = True
    if open_.all():
        return
    low = np.full(number, np.iinfo(label.dtype).max, label.dtype)
    high = np.zeros(number, label.dtype)
    closed = ~open_
    for axis in (0, 1):
        one, two = (slice(None, -1), slice(1, None)) if axis == 0 else (np.s_[:, :-1], np.s_[:, 1:])
        for here, there in ((one, two), (two, one)):
            at = closed[hole[here]] & (label[there] != 0)
            np.minimum.at(low, hole[here][at], label[there][at])
            np.maximum.at(high, hole[here][at], label[there][at])
    fill = np.where(closed & (low == high), high, 0).astype(label.dtype)
    label += fill[hole]
