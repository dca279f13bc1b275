"""Movies that are larger than memory: read frame by frame, made frame by frame."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from cyto.core.movie import Frames, frames
from cyto.errors import TaskInputError

__all__ = ["Array", "check_same_shape", "collect", "darkest_for_nothing", "frames", "to_dtype"]

Array = NDArray[Any]


def collect(made: Iterable[Array], shape: tuple[int, ...], dtype: Any) -> Frames:
    """Give *made*, one (Y, X) per frame, as a movie of *shape* and *dtype*."""
    return Frames(shape, dtype, made)


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
