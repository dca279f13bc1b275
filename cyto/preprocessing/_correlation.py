"""Each pixel's share in the correlation of two channels."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from cyto.core.movie import Frames
from cyto.preprocessing._intensities import mean
from cyto.preprocessing._movie import collect, frames, to_dtype
from cyto.preprocessing._normalization import percentiles

Array = NDArray[Any]
NONE = 32768.0
"""What no correlation is shown as."""


def by_frame(a: Array, b: Array, *, scale: float, median: bool) -> Frames:
    """Correlate each frame of (T, Y, X) *a* with *b*'s; gives uint16."""

    def shares(frame_a: Array, frame_b: Array) -> Array:
        away_a = frame_a - _centre(frame_a[None], median=median)
        away_b = frame_b - _centre(frame_b[None], median=median)
        return _shown(away_a, away_b, _square(away_a), _square(away_b), scale)

    pairs = zip(frames(a), frames(b))
    return collect((shares(one, two) for one, two in pairs), a.shape, np.uint16)


def by_movie(a: Array, b: Array, *, scale: float, median: bool) -> Frames:
    """Correlate the whole (T, Y, X) *a* with *b*; gives uint16."""
    centre_a, centre_b = _centre(a, median=median), _centre(b, median=median)
    square_a = sum(_square(frame - centre_a) for frame in frames(a))
    square_b = sum(_square(frame - centre_b) for frame in frames(b))
    shown = (
        _shown(one - centre_a, two - centre_b, square_a, square_b, scale)
        for one, two in zip(frames(a), frames(b))
    )
    return collect(shown, a.shape, np.uint16)


def _centre(movie: Array, *, median: bool) -> float:
    """Give the centre of all finite numbers."""
    return percentiles(_whole(movie), [50])[0] if median else mean(movie)


def _whole(movie: Array) -> Array:
    return movie.view(np.uint8) if movie.dtype.kind == "b" else movie


def _square(away: Array) -> float:
    return float(np.nansum(np.square(away, dtype=np.float64)))


def _shown(away_a: Array, away_b: Array, square_a: float, square_b: float, scale: float) -> Array:
    norm = np.sqrt(square_a) * np.sqrt(square_b)
    share = np.multiply(away_a, away_b, dtype=np.float64)
    share *= scale / norm if norm > 0 else 0.0
    share += NONE
    np.nan_to_num(share, copy=False, nan=NONE)
    return to_dtype(share, np.dtype(np.uint16))
