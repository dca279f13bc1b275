"""Arrays of any dimensions that other libraries read, as the (T, Y, X) of a channel."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import replace

import numpy as np
import numpy.typing as npt

from cyto.io._layout import Selection, Source

Frame = npt.NDArray[np.generic]


def where(source: Source, shape: Sequence[int], part: Selection) -> tuple[slice, ...] | None:
    """Give one slice for each dimension of an array of *shape*, that together hold *part*.

    ``None`` when the array is not the one that *source* describes.
    """
    kept = _kept(source, shape)
    if kept is None:
        return None
    at = {"T": slice(*part.frames), "C": slice(part.channel, part.channel + 1)}
    at.update(Y=slice(*part.y), X=slice(*part.x))
    index = [slice(0, 1)] * len(shape)
    for letter, position in zip(source.axes, kept, strict=True):
        index[position] = at.get(letter, slice(0, 1))
    return tuple(index)


def as_frames(source: Source, shape: Sequence[int], block: Frame) -> Frame:
    """Turn what `where` chose of an array of *shape* into (T, Y, X), C-contiguous."""
    kept = _kept(source, shape) or ()
    block = block.reshape([block.shape[position] for position in kept])
    order = [source.axes.index(letter) for letter in "TYX" if letter in source.axes]
    rest = [i for i in range(block.ndim) if i not in order]
    block = block.transpose(rest + order)[(0,) * len(rest)]
    block = block if "T" in source.axes else block[None]
    return np.ascontiguousarray(block, dtype=source.dtype)


def blocks(
    source: Source, part: Selection, frames: Iterable[int], length: int
) -> Iterator[Selection]:
    """Split *frames*, at equal steps, where a multiple of *length* is passed."""
    step, several = part.frames[2], "T" in source.axes
    group: list[int] = []
    for t in frames:
        if group and (not several or t // length != group[0] // length):
            yield replace(part, frames=(group[0], group[-1] + 1, step))
            group = []
        group.append(t)
    if group:
        yield replace(part, frames=(group[0], group[-1] + 1, step))


def position_of(source: Source, shape: Sequence[int], axis: str) -> int | None:
    """Say which dimension of an array of *shape* is *axis*; ``None`` if it has none."""
    kept = _kept(source, shape)
    return None if kept is None or axis not in source.axes else kept[source.axes.index(axis)]


def _kept(source: Source, shape: Sequence[int]) -> tuple[int, ...] | None:
    """Say which dimensions of *shape* the source has; the others must be of size 1."""
    kept: list[int] = []
    for position, size in enumerate(shape):
        if len(kept) < len(source.shape) and size == source.shape[len(kept)]:
            kept.append(position)
        elif size != 1:
            return None
    return tuple(kept) if len(kept) == len(source.shape) else None
