"""Filters of single frames, each made by a function of its parameters."""

from __future__ import annotations

from typing import Any, Callable

import cv2
import numpy as np
from numpy.typing import NDArray

from cyto.core.movie import Frames
from cyto.preprocessing._background import blur
from cyto.preprocessing._movie import collect, darkest_for_nothing, frames, to_dtype

Array = NDArray[Any]
Filter = Callable[[Array], Array]
_NOISE = np.array([[1, -2, 1], [-2, 4, -2], [1, -2, 1]], np.float32)
"""Answers to nothing that is flat, sloped or a straight edge."""


def every_frame(movie: Array, smooth: Filter) -> Frames:
    """Filter each frame of (T, Y, X) *movie*; gives its own type."""
    dtype = movie.dtype
    if movie.size == 0:
        return collect(movie, movie.shape, dtype)
    return collect((to_dtype(smooth(frame), dtype) for frame in frames(movie)), movie.shape, dtype)


def gaussian(sigma_px: float) -> Filter:
    """Blur."""
    return lambda frame: blur(darkest_for_nothing(frame), sigma_px)


def median(radius_px: int) -> Filter:
    """Take the middle of a square window, edges repeated."""
    width = 2 * radius_px + 1

    def middle(frame: Array) -> Array:
        if frame.dtype.kind == "f":
            frame = darkest_for_nothing(frame)
        quick = (np.uint8,) if width > 5 else (np.uint8, np.uint16, np.float32)
        if frame.dtype in quick:
            return np.asarray(cv2.medianBlur(np.ascontiguousarray(frame), width))
        from scipy import ndimage

        return np.asarray(ndimage.median_filter(frame, width, mode="nearest"))

    return middle


def nlm(strength: float, patch_px: int, search_px: int) -> Filter:
    """Average pixels with similar surroundings."""

    def averaged(frame: Array) -> Array:
        image = darkest_for_nothing(frame)
        noise = noise_sd(image)
        low, high = float(image.min()), float(image.max())
        if noise == 0 or high <= low:
            return frame
        exact = frame.dtype.kind == "u" and frame.dtype.itemsize <= 2
        low, scale = (0.0, 1.0) if exact else (low, 65535 / (high - low))
        found = cv2.fastNlMeansDenoising(
            np.rint((image - low) * scale).astype(np.uint16),
            [strength * noise * scale],
            None,
            2 * patch_px + 1,
            2 * search_px + 1,
            cv2.NORM_L1,
        )
        return np.asarray(found, np.float32) / scale + low

    return averaged


def noise_sd(image: NDArray[np.float32]) -> float:
    """Estimate the standard deviation of the noise in (Y, X) *image*: the middle answer's size."""
    answer = np.abs(cv2.filter2D(image, cv2.CV_32F, _NOISE))
    return float(np.median(answer)) / 0.6745 / 6
