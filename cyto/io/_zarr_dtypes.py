"""Types and ranges of pixels as OME-Zarr has them."""

from __future__ import annotations

from typing import Any

import numpy as np

from cyto.errors import TaskOutputError
from cyto.io._pixels import Array, value_range


def zarr_dtype(frames: Array, name: str, label: bool) -> np.dtype[Any]:
    """Give the type in which a movie is written: one that viewers know.

    Raises
    ------
    TaskOutputError
        A label is negative.
    """
    dtype: np.dtype[Any] = frames.dtype.newbyteorder("=")
    if dtype.kind == "b":
        return np.dtype(np.uint8)
    if dtype.kind == "f" and dtype.itemsize not in {4, 8}:
        return np.dtype(np.float32 if dtype.itemsize < 4 else np.float64)
    if label and dtype.kind == "i":
        low = value_range(frames)[0]
        if low < 0:
            raise TaskOutputError(
                f"holds the negative label {low}", key=name, hint="number the objects from 1"
            )
        return np.dtype(f"u{dtype.itemsize}")
    return dtype


def widened(low: float, high: float, frame: Array) -> tuple[float, float]:
    """Widen a range by the finite pixels of *frame*."""
    values = frame[np.isfinite(frame)] if frame.dtype.kind == "f" else frame
    if not values.size:
        return low, high
    return min(low, values.min().item()), max(high, values.max().item())


def window(dtype: np.dtype[Any], low: float, high: float) -> tuple[float, float, float, float]:
    """Give what viewers need to choose a contrast: range of the pixels, range of the type."""
    if low > high:
        low, high = 0.0, 1.0  # nothing finite
    if dtype.kind == "f":
        return low, high, low, high
    return low, high, int(np.iinfo(dtype).min), int(np.iinfo(dtype).max)
