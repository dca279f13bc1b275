"""Labels from images of masks."""

from __future__ import annotations

from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from cyto.errors import TaskInputError

Array = NDArray[Any]
HIGHEST = np.iinfo(np.uint32).max


def as_labels(movie: Array, task: str, first: int = 0) -> Array:
    """Give (T, Y, X) *movie* as uint16 or uint32, its values unchanged; *first* is its number.

    Raises
    ------
    TaskInputError
        A value is no label.
    """
    labels: Array = np.zeros(movie.shape, np.uint16)
    for index, frame in enumerate(movie):
        _check(frame, first + index, task)
        if frame.size and frame.max() > np.iinfo(labels.dtype).max:
            labels = labels.astype(np.uint32)
        labels[index] = frame
    return labels


def _check(frame: Array, index: int, task: str) -> None:
    wrong = np.zeros(frame.shape, bool)
    if frame.dtype.kind == "f":
        wrong = ~np.isfinite(frame) | (frame != np.round(frame))
    if frame.dtype.kind in "if":
        wrong |= frame < 0
    if frame.dtype.itemsize > 4 or (frame.dtype.kind == "f" and frame.dtype.itemsize == 4):
        wrong |= frame > HIGHEST
    if not wrong.any():
        return
    y, x = np.argwhere(wrong)[0]
    raise TaskInputError(
        f"holds {frame[y, x]:g} in frame {index} at (y, x) = ({y}, {x}), which is no label",
        task=task,
        key="image",
        hint="labels are whole numbers from 0 (background); for a mask write mode: components, "
        "for a picture of cells use a segmentation such as Watershed",
    )


def components(movie: Array, connectivity: int) -> Array:
    """Label the connected pieces of every frame of (T, Y, X) *movie*."""
    labels: Array = np.zeros(movie.shape, np.uint16)
    for index, frame in enumerate(movie):
        if frame.size == 0:
            continue
        mask = np.ascontiguousarray(np.nan_to_num(frame, nan=0) != 0, np.uint8)
        number, found = cv2.connectedComponents(mask, connectivity=connectivity, ltype=cv2.CV_32S)
        if number > np.iinfo(np.uint16).max:
            labels = labels.astype(np.uint32)
        labels[index] = by_first_pixel(np.asarray(found, np.int32), number)
    return labels


def by_first_pixel(found: NDArray[np.int32], number: int) -> NDArray[np.int32]:
    """Give pieces the numbers 1 … *number* - 1 by their first pixels; OpenCV's order varies."""
    at = np.flatnonzero(found)
    first = np.zeros(number, np.int64)
    first[found.ravel()[at[::-1]]] = at[::-1]  # the last one written stays: the first pixel
    name = np.zeros(number, np.int32)
    name[1 + np.argsort(first[1:])] = np.arange(1, number)
    return name[found]
