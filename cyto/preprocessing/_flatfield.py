"""How bright an even sample looks in each pixel."""

from __future__ import annotations

from typing import Any, Optional

import numpy as np
from numpy.typing import NDArray

from cyto.core.movie import Frames
from cyto.preprocessing._background import blur
from cyto.preprocessing._movie import collect, frames, to_dtype

Array = NDArray[Any]
Image = NDArray[np.float64]
MOST_FRAMES, MOST_BYTES, ROWS = 64, 256e6, 32
"""Of the sample that a flat image is estimated from, and rows whose medians are found at once."""
DIMMEST = 0.01
"""Of the mean: the least that is divided by."""


def correct(movie: Array, flat: Image, dark: Image, *, keep_dtype: bool) -> Frames:
    """Make every frame of (T, Y, X) *movie* even, given (Y, X) *flat* and *dark* images."""
    dtype = movie.dtype if keep_dtype else np.dtype(np.float32)
    light = flat - dark
    if light.size:
        light = np.maximum(light / light.mean(), DIMMEST)
    gain, level = (1 / light).astype(np.float32), dark.astype(np.float32)
    even = (to_dtype((frame - level) * gain, dtype) for frame in frames(movie))
    return collect(even, movie.shape, dtype)


def mean_frame(movie: Array) -> Image:
    """Give the mean over time."""
    total = np.zeros(movie.shape[1:])
    for frame in frames(movie):
        total += frame
    return total / len(movie)


def no_light(movie: Array) -> Image:
    """Give a dark image of zeros."""
    return np.zeros(movie.shape[1:])


def estimate(movie: Array, sigma_px: Optional[float]) -> Image:
    """Estimate the flat image from a sample of frames: their median, blurred."""
    if movie.size == 0:
        return np.ones(movie.shape[1:])
    affordable = max(1, int(MOST_BYTES // movie[0].nbytes))
    number = min(len(movie), MOST_FRAMES, affordable)
    chosen = np.unique(np.linspace(0, len(movie) - 1, number).round().astype(int))
    sample = np.stack([movie[index] for index in chosen])
    bands = np.array_split(sample, -(-movie.shape[1] // ROWS), axis=1)
    middle = np.concatenate([np.median(band, axis=0) for band in bands])
    sigma_px = sigma_px or min(movie.shape[1:]) / 8
    return blur(middle.astype(np.float32), sigma_px).astype(np.float64)
