"""Images at half, a quarter and less of their size, as viewers want them."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

Array = npt.NDArray[Any]
_SMALLEST_PX = 256


def level_shapes(height: int, width: int) -> tuple[tuple[int, int], ...]:
    """Give (Y, X) of every level, the whole size first, until both are below 256 pixels."""
    shapes = [(height, width)]
    while max(shapes[-1]) >= _SMALLEST_PX:
        shapes.append(((shapes[-1][0] + 1) // 2, (shapes[-1][1] + 1) // 2))
    return tuple(shapes)


def halved(frame: Array, *, label: bool) -> Array:
    """Give a (Y, X) frame at half its size, rounded up, in its own type.

    Images become the means of 2 × 2 pixels, integers rounded half up, the last row and column
    of an odd size repeated. Labels are never mixed: each is that of the first of the 2 × 2.
    """
    if label:
        return np.ascontiguousarray(frame[::2, ::2])
    odd = [(0, n % 2) for n in frame.shape]
    frame = np.pad(frame, odd, mode="edge") if np.any(odd) else frame
    corners = [frame[y::2, x::2] for y in (0, 1) for x in (0, 1)]
    if frame.dtype.kind == "f":
        total = corners[0] * 0.25  # a quarter each: the sum could pass the largest float
        for corner in corners[1:]:
            total += corner * 0.25
        return np.ascontiguousarray(total, dtype=frame.dtype)
    if frame.dtype.itemsize == 8:
        return _mean_of_wide(corners)
    total = corners[0].astype(np.int64 if frame.dtype.itemsize == 4 else np.int32)
    for corner in corners[1:]:
        total += corner
    return np.right_shift(total + 2, 2).astype(frame.dtype)


def _mean_of_wide(corners: list[Array]) -> Array:
    """Average 64-bit integers, whose sum would not fit: whole quarters, then the rests."""
    rests = sum(corner & 3 for corner in corners)
    quarters: Array = sum(corner >> 2 for corner in corners)  # type: ignore[assignment]
    return quarters + ((rests + 2) >> 2)
