"""Arrays made ready to be written: movies of types that image files can hold."""

from __future__ import annotations

from typing import Any, Literal

import numpy as np
import numpy.typing as npt

from cyto.errors import TaskOutputError
from cyto.io._streaming import streamed

Array = npt.NDArray[Any]
Compression = Literal["zstd", "zlib", "none"]


def as_movie(array: Array, name: str) -> Array:
    """Give (T, Y, X) of a (T, Y, X) or (Y, X) array, else raise `TaskOutputError`."""
    frames = array[None] if array.ndim == 2 else array
    if frames.ndim != 3 or not frames.size or frames.dtype.kind not in "buif":
        raise TaskOutputError(
            f"cannot be written as an image: {array.dtype} {array.shape}",
            key=name,
            hint="an image is (T, Y, X) of real numbers, with at least one pixel",
        )
    return frames


def check_label(dtype: np.dtype[Any], name: str) -> None:
    """Raise `TaskOutputError` if object numbers are no integers."""
    if dtype.kind == "f":
        raise TaskOutputError(f"is a label image of {dtype}", key=name, hint="use integers")


def value_range(frames: Array) -> tuple[int, int]:
    """Give the least and the greatest of integers, frame by frame."""
    ends = [(int(frame.min()), int(frame.max())) for frame in streamed(frames, frames.dtype)]
    return min(low for low, _ in ends), max(high for _, high in ends)


def refused_compression(asked: str, name: str, package: str = "") -> TaskOutputError:
    """Say why an image cannot be compressed as asked."""
    if package:
        return TaskOutputError(
            f"cannot be compressed with {asked}: the package {package} is not installed",
            key=name,
            hint="pip install 'pycyto[compression]', or ask for zlib",
        )
    return TaskOutputError(
        f"cannot be compressed with {asked!r}", key=name, hint="write zstd, zlib or none"
    )
