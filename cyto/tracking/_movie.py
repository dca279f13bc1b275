"""Label movies with one number per track."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from cyto.core.movie import Frames, frames
from cyto.errors import TaskInputError

if TYPE_CHECKING:
    from collections.abc import Iterator

    from numpy.typing import NDArray

    Index = NDArray[np.int64]

TABLE = 1 << 22
"""Labels below it are looked up in a table; higher ones are searched for."""


def relabel(movie: NDArray[Any], frame: Index, label: Index, track_id: Index, task: str) -> Frames:
    """Give *movie* with every cell's label replaced by its track.

    Parameters
    ----------
    movie
        (T, Y, X) whole numbers ≥ 0, perhaps mapped from a file; read frame by frame.
    frame, label, track_id
        (n,) the cells, ordered by frame, then label. Cells that are not among them become 0.

    Returns
    -------
    (T, Y, X) uint16, or uint32 for more than 65535 tracks.

    Raises
    ------
    TaskInputError
        A frame or label is not in the movie.
    """
    dtype = np.uint16 if track_id.max(initial=0) <= np.iinfo(np.uint16).max else np.uint32
    if len(frame) and frame[-1] >= len(movie):
        raise TaskInputError(
            f"has {len(movie)} frames, the table goes up to frame {frame[-1]}",
            task=task,
            key="label",
            hint="give the label movie that the table was measured on",
        )
    bounds = np.searchsorted(frame, np.arange(len(movie) + 1))

    def relabelled() -> Iterator[NDArray[Any]]:
        for index, pixels in enumerate(frames(movie)):
            some = slice(bounds[index], bounds[index + 1])
            _check_present(pixels, label[some], index, task)
            yield replace(pixels, label[some], track_id[some].astype(dtype))

    return Frames(movie.shape, dtype, relabelled())


def replace(pixels: NDArray[Any], old: Index, new: NDArray[Any]) -> NDArray[Any]:
    """Give *pixels* with each of the ascending *old* numbers replaced, all others 0."""
    pixels = as_numbers(pixels)
    old, new = old[old > 0], new[old > 0]
    top = int(pixels.max(initial=0))
    if top < TABLE:
        table = np.zeros(top + 1, new.dtype)
        table[old] = new
        return np.asarray(table[pixels])
    if not len(old):
        return np.zeros(pixels.shape, new.dtype)
    place = np.searchsorted(old, pixels)
    place[place == len(old)] = 0
    found: NDArray[Any] = np.where(old[place] == pixels, new[place], new.dtype.type(0))
    return found


def as_numbers(pixels: NDArray[Any]) -> NDArray[Any]:
    """Give a mask of true and false as labels 0 and 1, in place."""
    return pixels.view(np.uint8) if pixels.dtype.kind == "b" else pixels


def _check_present(pixels: NDArray[Any], label: Index, frame: int, task: str) -> None:
    there = unique_labels(pixels)
    lacking = np.setdiff1d(label, there, assume_unique=True)
    if len(lacking):
        raise TaskInputError(
            f"frame {frame} has no label {lacking[0]}, which the table has "
            f"({len(lacking)} such label{'s' * (len(lacking) > 1)})",
            task=task,
            key="label",
            hint="give the label movie that the table was measured on",
        )


def unique_labels(pixels: NDArray[Any]) -> Index:
    """Give the labels of a frame, ascending, without the background."""
    pixels = as_numbers(pixels)
    top = int(pixels.max(initial=0))
    if top < TABLE:
        seen = np.zeros(top + 1, bool)
        seen[pixels.ravel()] = True
        seen[0] = False
        return np.flatnonzero(seen)
    found = np.unique(pixels).astype(np.int64)
    return found[found > 0]
