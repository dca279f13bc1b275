"""Functions of single pixels: powers, and sums of channels."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any, Optional

import numpy as np
from numpy.typing import NDArray

from cyto.core.movie import Frames
from cyto.preprocessing._movie import collect, frames, to_dtype

Array = NDArray[Any]


def gamma(movie: Array, power: float, gain: float) -> Frames:
    """Raise (T, Y, X) *movie* to a power; see `cyto.preprocessing.gamma.GammaCorrection`."""
    dtype = movie.dtype
    top = float(np.iinfo(dtype).max) if dtype.kind in "ui" else 1.0

    def corrected(values: Array) -> Array:
        wide = np.float32 if dtype.kind == "f" and dtype.itemsize <= 4 else np.float64
        scaled = np.maximum(values.astype(wide) / wide(top), 0)
        return to_dtype(scaled ** wide(power) * wide(gain * top), dtype)

    if dtype.kind == "u" and dtype.itemsize <= 2:
        table = corrected(np.arange(np.iinfo(dtype).max + 1))
        return collect((table[frame] for frame in frames(movie)), movie.shape, dtype)
    return collect((corrected(frame) for frame in frames(movie)), movie.shape, dtype)


def merge(channels: Mapping[str, Array], weights: Mapping[str, float]) -> Frames:
    """Add up *channels* of one shape (T, Y, X), each times its weight; gives float32."""
    shape = next(iter(channels.values())).shape

    def merged() -> Iterator[Array]:
        for together in zip(*(frames(movie) for movie in channels.values())):
            total = np.zeros(shape[1:], np.float32)
            for key, frame in zip(channels, together):
                total += np.multiply(frame, weights[key], dtype=np.float32)
            yield total

    return collect(merged(), shape, np.float32)


def balanced_weights(channels: Mapping[str, Array]) -> dict[str, Optional[float]]:
    """Give weights in proportion to 1 / mean, of sum 1; ``None`` where the mean is below 0.

    A channel without any light gets 0.
    """
    means = {key: mean(movie) for key, movie in channels.items()}
    inverse = {key: 1 / value if value > 0 else 0.0 for key, value in means.items()}
    total = sum(inverse.values()) or 1.0
    return {key: None if means[key] < 0 else inverse[key] / total for key in channels}


def mean(movie: Array) -> float:
    """Give the mean of all finite numbers in *movie*, read frame by frame; 0 for none."""
    total, number = 0.0, 0
    for frame in frames(movie):
        finite = frame[np.isfinite(frame)] if frame.dtype.kind == "f" else frame
        total += float(finite.sum(dtype=np.float64))
        number += finite.size
    return total / number if number else 0.0
