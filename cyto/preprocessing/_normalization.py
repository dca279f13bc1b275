"""Percentiles of movies that are larger than memory, and the stretch between them."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Optional

import numpy as np
from numpy.typing import NDArray

from cyto.core.movie import Frames
from cyto.preprocessing._movie import collect, frames

Array = NDArray[Any]
DIGIT_BITS = 16


def stretch(
    movie: Array, percent: tuple[float, float], *, per_frame: bool, keep_dtype: bool
) -> Frames:
    """Map the values at two percentiles of (T, Y, X) *movie* to the ends of the output's range."""
    movie = movie.view(np.uint8) if movie.dtype.kind == "b" else movie
    dtype = movie.dtype if keep_dtype else np.dtype(np.float32)
    ends = None if per_frame else percentiles(movie, percent)
    found = ((frame, ends or percentiles(frame[None], percent)) for frame in frames(movie))
    mapped = (_map(frame, low, high, dtype) for frame, (low, high) in found)
    return collect(mapped, movie.shape, dtype)


def _map(frame: Array, low: float, high: float, dtype: np.dtype[Any]) -> Array:
    """Give *frame* with *low* as the least and *high* as the greatest value of *dtype*'s range."""
    wide = np.float32 if frame.dtype.itemsize <= 2 and dtype.itemsize <= 4 else np.float64
    values = frame.astype(wide)
    if not high > low:
        return np.where(np.isnan(values), values, 0).astype(dtype)
    values -= wide(low)
    values /= wide(high - low)
    np.clip(values, 0, 1, out=values)
    if dtype.kind == "f":
        return values.astype(dtype, copy=False)
    info = np.iinfo(dtype)
    scaled = np.rint(values.astype(np.float64) * (float(info.max) - float(info.min)) + info.min)
    top = np.nextafter(float(info.max), 0) if float(info.max) > info.max else float(info.max)
    return np.minimum(scaled, top).astype(dtype)


def percentiles(movie: Array, percent: Sequence[float]) -> tuple[float, ...]:
    """Give exact percentiles of all finite numbers in *movie*, as `numpy.percentile` does.

    Parameters
    ----------
    movie
        (T, Y, X) of any real dtype; read frame by frame.
    percent
        0 to 100.

    Returns
    -------
    One per percentile; 0 where there is no finite number at all.

    Notes
    -----
    Values are numbered in their order (`_ordered`), and the one at a rank is found digit by
    digit from histograms of 16 bits: a radix selection.
    """
    first = _histogram(movie, max(0, movie.dtype.itemsize * 8 - DIGIT_BITS), None)
    number = int(first.sum())
    if number == 0:
        return (0.0,) * len(percent)
    found = []
    for part in percent:
        place = part / 100 * (number - 1)
        below = int(np.floor(place))
        low = _at_rank(movie, first, below)
        high = low if place == below else _at_rank(movie, first, below + 1)
        # as numpy.lerp: exact at both ends
        found.append(low + (high - low) * (place - below) if high > low else low)
    return tuple(found)


def _at_rank(movie: Array, first: NDArray[np.int64], rank: int) -> float:
    """Give the value of *rank*, 0 for the least; *first* is the histogram of the top digit."""
    shift = max(0, movie.dtype.itemsize * 8 - DIGIT_BITS)
    prefix, counts = 0, first
    while True:
        upto = np.cumsum(counts)
        digit = int(np.searchsorted(upto, rank, side="right"))
        rank -= int(upto[digit - 1]) if digit else 0
        prefix = prefix << DIGIT_BITS | digit
        if shift == 0:
            return _value(prefix, movie.dtype)
        shift -= DIGIT_BITS
        counts = _histogram(movie, shift, prefix)


def _histogram(movie: Array, shift: int, prefix: Optional[int]) -> NDArray[np.int64]:
    """Count the digits above bit *shift* of the keys whose higher digits are *prefix*."""
    counts = np.zeros(1 << DIGIT_BITS, np.int64)
    for frame in frames(movie):
        keys = _ordered(frame)
        kind = keys.dtype.type
        if prefix is not None:
            keys = keys[keys >> kind(shift + DIGIT_BITS) == kind(prefix)]
        digits = (keys >> kind(shift)).astype(np.intp) & ((1 << DIGIT_BITS) - 1)
        counts += np.bincount(digits, minlength=len(counts))
    return counts


def _ordered(frame: Array) -> Array:
    """Give the numbers of *frame* as unsigned integers in the same order, not finite ones left out.

    A float's bits ascend with its magnitude: the sign bit of positive ones is set, and all bits
    of negative ones are flipped. A signed integer is shifted by half its range.
    """
    values = np.ascontiguousarray(frame).ravel()
    if values.dtype.kind == "f":
        values = values[np.isfinite(values)]
    unsigned = np.dtype(f"u{values.dtype.itemsize}")
    keys = values.astype(values.dtype.newbyteorder("="), copy=False).view(unsigned)
    sign = unsigned.type(1 << (unsigned.itemsize * 8 - 1))
    if values.dtype.kind == "f":
        return np.where(keys & sign, ~keys, keys | sign)
    return keys ^ sign if values.dtype.kind == "i" else keys


def _value(key: int, dtype: np.dtype[Any]) -> float:
    """Give the number that `_ordered` turned into *key*."""
    unsigned = np.dtype(f"u{dtype.itemsize}")
    sign = 1 << (dtype.itemsize * 8 - 1)
    if dtype.kind == "f":
        key = key ^ sign if key & sign else ~key & (2 * sign - 1)
    elif dtype.kind == "i":
        key ^= sign
    return float(np.array([key], unsigned).view(dtype.newbyteorder("="))[0])
