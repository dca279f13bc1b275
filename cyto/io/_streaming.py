"""Frames of an array one after the other, also of one that does not fit into memory."""

from __future__ import annotations

import mmap
from collections.abc import Iterator
from typing import Any

import numpy as np
import numpy.typing as npt

Array = npt.NDArray[Any]


def streamed(frames: Array, dtype: np.dtype[Any]) -> Iterator[Array]:
    """Give frame after frame, C-contiguous and of *dtype*.

    Lets go of what was read of a memory-mapped file.
    """
    root: object = frames
    while isinstance(root, np.ndarray):
        root = root.base
    for frame in frames:
        yield np.ascontiguousarray(frame, dtype=dtype)
        # pages that were written to would be lost
        if isinstance(root, mmap.mmap) and memoryview(root).readonly:
            root.madvise(mmap.MADV_DONTNEED)
