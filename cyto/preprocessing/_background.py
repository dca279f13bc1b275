"""Smooth backgrounds of single frames."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from cyto.core.movie import Frames
from cyto.preprocessing._movie import collect, darkest_for_nothing, frames, to_dtype

Array = NDArray[Any]
Image = NDArray[np.float32]


@dataclass(frozen=True)
class Smoothing:
    """How; see `cyto.preprocessing.background.BackgroundSubtraction` for each field."""

    ball: bool
    radius_px: float
    height: float
    shrink: int


def subtract(movie: Array, how: Smoothing, *, keep_dtype: bool) -> Frames:
    """Subtract its background from every frame of (T, Y, X) *movie*."""
    dtype = movie.dtype if keep_dtype else np.dtype(np.float32)

    def cleared(frame: Array) -> Array:
        return to_dtype(frame - background(darkest_for_nothing(frame), how), dtype)

    return collect((cleared(frame) for frame in frames(movie)), movie.shape, dtype)


def background(image: Image, how: Smoothing) -> Image:
    """Estimate the background of (Y, X) *image*."""
    if image.size == 0:
        return image
    shrink = min(how.shrink, *image.shape)
    small = image
    if shrink > 1:
        size = tuple(-(-length // shrink) for length in reversed(image.shape))
        small = np.asarray(cv2.resize(image, size, interpolation=cv2.INTER_AREA), np.float32)
    radius_px = how.radius_px / shrink
    level = opening(small, radius_px, how.height) if how.ball else blur(small, radius_px)
    if shrink > 1:
        size = (image.shape[1], image.shape[0])
        level = np.asarray(cv2.resize(level, size, interpolation=cv2.INTER_LINEAR), np.float32)
    return level


def blur(image: Image, sigma_px: float) -> Image:
    """Give the Gaussian mean of each pixel's neighbourhood, edges reflected."""
    return np.asarray(
        cv2.GaussianBlur(image, (0, 0), sigma_px, borderType=cv2.BORDER_REFLECT), np.float32
    )


def opening(image: Image, radius_px: float, height: float) -> Image:
    """Give the upper surface of all balls that fit under *image*, *height* counts high.

    Outside the image nothing holds a ball down.
    """
    eroded = _slide(image, radius_px, height, up=False)
    return _slide(eroded, radius_px, height, up=True)


def _slide(image: Image, radius_px: float, height: float, *, up: bool) -> Image:
    """Erode (or, *up*, dilate) by a ball, one of its pixels after the other."""
    reach = int(radius_px)
    rows, columns = image.shape
    outside = np.float32(-np.inf if up else np.inf)
    framed = np.full((rows + 2 * reach, columns + 2 * reach), outside)
    framed[reach : reach + rows, reach : reach + columns] = image
    move, choose = (np.subtract, np.maximum) if up else (np.add, np.minimum)
    result: Image = image.copy()
    room = np.empty_like(image)
    for y in range(-reach, reach + 1):
        for x in range(-reach, reach + 1):
            inside = 1 - (y * y + x * x) / radius_px**2
            if inside >= 0:
                drop = np.float32(height * (1 - inside**0.5))
                part = framed[reach + y : reach + y + rows, reach + x : reach + x + columns]
                choose(result, move(part, drop, out=room), out=result)
    return result
