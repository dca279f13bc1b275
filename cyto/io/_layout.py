"""How the pixels of a channel lie in its files, and which of them are wanted."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Literal

import numpy as np

Reader = Literal["tiff", "zarr", "bioio"]


@dataclass(frozen=True, kw_only=True)
class Raw:
    """Pixels that lie in one file as plain numbers.

    Parameters
    ----------
    path
        The file.
    dtype
        NumPy's dtype string with the file's byte order.
    offset
        Position of the first pixel, in bytes.
    strides
        Bytes from one pixel to the next along every dimension of `shape`.
    shape
        Pixels along every dimension.
    """

    path: str
    dtype: str
    offset: int
    shape: tuple[int, ...]
    strides: tuple[int, ...]

    @property
    def is_mappable(self) -> bool:
        """Whether the pixels can be used where they are: native byte order, aligned."""
        dtype = np.dtype(self.dtype)
        return dtype.isnative and not any(n % dtype.alignment for n in (self.offset, *self.strides))


@dataclass(frozen=True, kw_only=True)
class Source:
    """One image file, or folder of a Zarr image, that was looked at.

    Parameters
    ----------
    path
        The file or folder that was opened.
    files
        All files that hold its pixels (an OME-TIFF may point to others).
    axes
        One letter of ``TCZYX`` for every dimension of `shape`.
    shape
        Pixels along every dimension, in the order of the file.
    dtype
        NumPy's dtype string of a decoded pixel, native byte order.
    page_ndim
        How many of the last dimensions one page of the file holds.
    raw
        Where the pixels are, if they need no decoding.
    pixel_size_um, frame_interval_s
        What the file says; ``None`` when it says nothing.
    channel_names
        One name for every channel; empty when the file has none.
    reader
        What reads its pixels.
    folder
        Where `files` lie when their names say which pixels they hold (Zarr); else empty.
    scene
        Which image of a file with several; ``None`` is the only one.
    """

    path: str
    files: tuple[str, ...]
    axes: str
    shape: tuple[int, ...]
    dtype: str
    page_ndim: int
    raw: Raw | None = None
    pixel_size_um: float | None = None
    frame_interval_s: float | None = None
    channel_names: tuple[str, ...] = ()
    reader: Reader = "tiff"
    folder: str = ""
    scene: int | None = None

    def named(self, names: Sequence[str]) -> Source:
        """Give the same source with the names of its channels."""
        return replace(self, channel_names=tuple(names))

    def size(self, axis: str) -> int:
        """Give the number of pixels along *axis*; 1 when the file does not have it."""
        return self.shape[self.axes.index(axis)] if axis in self.axes else 1

    @property
    def dtype_name(self) -> str:
        """Give the dtype as people write it, as in ``uint16``."""
        return str(np.dtype(self.dtype).name)

    @property
    def lead(self) -> tuple[int, ...]:
        """Sizes of the dimensions that count pages."""
        return self.shape[: len(self.shape) - self.page_ndim]


@dataclass(frozen=True, kw_only=True)
class Selection:
    """The part of the files that makes the channel.

    Parameters
    ----------
    channel
        Index along C.
    frames
        ``(start, stop, step)`` along T over all files.
    y, x
        ``(start, stop)`` in pixels.
    """

    channel: int
    frames: tuple[int, int, int]
    y: tuple[int, int]
    x: tuple[int, int]

    @property
    def shape(self) -> tuple[int, int, int]:
        """Give the selected (T, Y, X)."""
        return len(range(*self.frames)), self.y[1] - self.y[0], self.x[1] - self.x[0]

    def of_one_frame(self, index: int) -> Selection:
        """Give the same part of a single frame."""
        return replace(self, frames=(index, index + 1, 1))


def c_strides(shape: Sequence[int], itemsize: int) -> tuple[int, ...]:
    """Give the strides of a C-ordered array, in bytes."""
    return tuple(itemsize * math.prod(shape[i + 1 :]) for i in range(len(shape)))


def select_raw(axes: str, raw: Raw, part: Selection) -> Raw:
    """Reduce plain pixels to the (T, Y, X) of *part*: offsets and strides only."""
    stride = dict(zip(axes, raw.strides, strict=True))
    shape = part.shape
    y, x = stride.get("Y", 0), stride.get("X", 0)
    offset = raw.offset + part.channel * stride.get("C", 0) + part.y[0] * y + part.x[0] * x
    if "T" in stride:
        step = stride["T"] * part.frames[2]
        offset += part.frames[0] * stride["T"]
    else:
        step = shape[1] * y
    return replace(raw, offset=offset, shape=shape, strides=(step, y, x))
