"""Movies that are larger than memory: read frame by frame, made frame by frame."""

from __future__ import annotations

import mmap
from collections.abc import Iterable, Iterator, Mapping
from typing import Any, Optional

import numpy as np
from numpy.typing import NDArray

from cyto.errors import TaskInputError

Array = NDArray[Any]


def frames(movie: Array) -> Iterator[Array]:
    """Give each frame of (T, Y, X) *movie*, and let go of it when the next is asked for.

    Of a movie mapped from a file, pages that were read would stay with the process until memory
    runs short; they are given back to the system, which still has them when they are read again.
    """
    mapping = _read_only_mapping(movie)
    for frame in movie:
        yield frame
        if mapping is not None:
            mapping.madvise(mmap.MADV_DONTNEED)


def _read_only_mapping(movie: Array) -> Optional[mmap.mmap]:
    """Find the mapped file behind *movie*; none where pages could hold changes of our own."""
    owner: Any = movie
    while isinstance(owner, (np.ndarray, memoryview)):
        if isinstance(owner, np.memmap) and owner.mode != "r":
            return None
        owner = owner.obj if isinstance(owner, memoryview) else owner.base
    if isinstance(owner, mmap.mmap) and hasattr(mmap, "MADV_DONTNEED"):
        return owner
    return None


def collect(results: Iterable[Array], shape: tuple[int, ...], dtype: Any) -> Array:
    """Put *results*, one (Y, X) per frame, into a new movie of *shape* and *dtype*."""
    movie = np.empty(shape, dtype)
    for index, frame in enumerate(results):
        movie[index] = frame
    return movie


def to_dtype(values: Array, dtype: np.dtype[Any]) -> Array:
    """Give *values* as *dtype*: rounded and clipped to its range where that is whole numbers."""
    if dtype.kind == "f":
        return values.astype(dtype, copy=False)
    if dtype.kind == "b":
        return values >= 0.5
    info = np.iinfo(dtype)
    top = float(info.max)
    if top > info.max:  # 2⁶⁴ is no number of 64 bits
        top = float(np.nextafter(top, 0))
    ready = np.rint(values)
    np.clip(ready, info.min, top, out=ready)
    return ready.astype(dtype)


def check_same_shape(movies: Mapping[str, Any], task: str) -> tuple[int, ...]:
    """Give the shape of all *movies*.

    Raises
    ------
    TaskInputError
        There are none, or two differ; shows both.
    """
    if not movies:
        raise TaskInputError(
            "no image was given",
            task=task,
            hint="name its channels under inputs, such as inputs: {tcell: tcell, cancer: cancer}",
        )
    first = next(iter(movies))
    for key, movie in movies.items():
        if movie.shape != movies[first].shape:
            raise TaskInputError(
                f"has the shape {tuple(movie.shape)}, {first!r} has {tuple(movies[first].shape)}",
                task=task,
                key=key,
                hint="all channels must have the same frames and pixels, (T, Y, X)",
            )
    return tuple(movies[first].shape)


def darkest_for_nothing(frame: Array) -> NDArray[np.float32]:
    """Give *frame* as float32, the least finite number where it holds none that is finite."""
    image = np.ascontiguousarray(frame, np.float32)
    if frame.dtype.kind == "f":
        finite = np.isfinite(image)
        if not finite.all():
            image = np.where(finite, image, image[finite].min() if finite.any() else 0)
    return image.astype(np.float32, copy=False)
