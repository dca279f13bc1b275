"""Drift by phase cross-correlation, and movies moved by fractions of a pixel."""

from __future__ import annotations

from typing import Any, Optional

import cv2
import numpy as np
import pandas as pd
import scipy.fft
from numpy.typing import NDArray

from cyto.core.movie import Frames
from cyto.preprocessing._movie import collect, darkest_for_nothing, frames, to_dtype

Array = NDArray[Any]
Image = NDArray[np.float32]
Spectrum = NDArray[np.complex64]
Drift = NDArray[np.float64]
STEP_PX, REACH_PX = 0.1, 1.0
"""Spacing and half width of the grid of shifts around the best whole pixel."""
LEAST_OVERLAP_PX = 16
"""Of two frames, along each axis, to be compared once more where they overlap."""


class Correlator:
    """Find the shift between frames of one size.

    Parameters
    ----------
    shape
        (Y, X) of the frames.
    smoothing_px
        Standard deviation of the Gaussian that the correlation is blurred by.
    """

    def __init__(self, shape: tuple[int, ...], smoothing_px: float) -> None:
        self._shape = [scipy.fft.next_fast_len(max(1, length), real=True) for length in shape]
        # towards the edges less counts: what is cut off there differs from frame to frame
        y, x = (np.hanning(length + 2)[1:-1].astype(np.float32) for length in shape)
        self._window = np.outer(y, x)
        f_y, f_x = np.fft.fftfreq(self._shape[0]), np.fft.rfftfreq(self._shape[1])
        reach = 2 * (np.pi * smoothing_px) ** 2
        self._weight = np.outer(np.exp(-reach * f_y**2), np.exp(-reach * f_x**2)).astype(np.float32)
        twice = np.full(len(f_x), 2.0)  # real images: the other half of the spectrum is the same
        twice[0] = 1
        if self._shape[1] % 2 == 0:
            twice[-1] = 1
        self._f_y, self._f_x, self._twice = f_y, f_x, twice
        self._whole = float((self._weight * twice).sum())

    def spectrum(self, frame: Array) -> Optional[Spectrum]:
        """Transform a frame; ``None`` for one without contrast."""
        image = darkest_for_nothing(frame)
        if image.size == 0 or image.min() == image.max():
            return None
        image = (image - image.mean()) * self._window
        return np.asarray(scipy.fft.rfft2(image, self._shape), np.complex64)

    def shift(
        self, first: Spectrum, second: Spectrum, around: Drift, max_step_px: Optional[float]
    ) -> tuple[Drift, float]:
        """Give how far *second* lies from *first*, (y, x) px, and the peak's height, 0 to 1."""
        product = second * first.conj()
        product *= self._weight / np.maximum(np.abs(product), np.finfo(np.float32).tiny)
        surface = scipy.fft.irfft2(product, self._shape)
        rows, columns = (
            _near(length, centre, max_step_px) for length, centre in zip(self._shape, around)
        )
        if len(rows) < surface.shape[0] or len(columns) < surface.shape[1]:
            surface = surface[np.ix_(rows, columns)]
        y, x = np.unravel_index(int(np.argmax(surface)), surface.shape)
        best = [_signed(rows[y], self._shape[0]), _signed(columns[x], self._shape[1])]
        return self._refined(product, np.array(best, np.float64))

    def _refined(self, product: Spectrum, best: Drift) -> tuple[Drift, float]:
        """Look on a fine grid around *best*, and between its points by a parabola."""
        grid = np.arange(-REACH_PX, REACH_PX + STEP_PX / 2, STEP_PX)
        wave_y = np.exp(2j * np.pi * np.outer(best[0] + grid, self._f_y)).astype(np.complex64)
        wave_x = np.exp(2j * np.pi * np.outer(self._f_x, best[1] + grid)) * self._twice[:, None]
        surface = (wave_y @ product @ wave_x.astype(np.complex64)).real / self._whole
        y, x = map(int, np.unravel_index(int(np.argmax(surface)), surface.shape))
        fine = [grid[y] + _between(surface[:, x], y), grid[x] + _between(surface[y], x)]
        return best + fine, float(np.clip(surface[y, x], 0, 1))


def _signed(place: int, length: int) -> int:
    return place - length if place > length // 2 else place


def _near(length: int, centre: float, reach: Optional[float]) -> NDArray[np.int64]:
    """Give the places of the shifts within *reach* of *centre*; the surface is periodic."""
    places = np.arange(length)
    if reach is None:
        return places
    away = (places - centre + length / 2) % length - length / 2
    return np.asarray(places[np.abs(away) <= max(reach, 0.5)])


def _between(values: Array, place: int) -> float:
    """Give how far beside *place* the parabola through its neighbours peaks, px."""
    if not 0 < place < len(values) - 1:
        return 0.0
    before, here, after = (float(values[place + step]) for step in (-1, 0, 1))
    bend = before - 2 * here + after
    return 0.0 if bend >= 0 else STEP_PX * float(np.clip((before - after) / bend / 2, -0.5, 0.5))


def measure(
    movie: Array, *, previous: bool, smoothing_px: float, max_step_px: Optional[float]
) -> Drift:
    """Give drift along y and x, px, and correlation of each frame, (T, 3)."""
    correlator = Correlator(movie.shape[1:], smoothing_px)
    found = np.zeros((len(movie), 3))
    reference: Optional[tuple[Array, Spectrum]] = None
    start = drift = np.zeros(2)  # of the reference, of the last frame
    for index, frame in enumerate(frames(movie)):
        spectrum = correlator.spectrum(frame)
        height = 0.0
        if spectrum is not None and reference is not None:
            moved, height = correlator.shift(reference[1], spectrum, drift - start, max_step_px)
            moved, height = _once_more(reference[0], frame, moved, height, smoothing_px)
            reach = np.inf if max_step_px is None else max_step_px
            drift = np.clip(start + moved, drift - reach, drift + reach)
        elif spectrum is not None:
            height = float(index == 0)
        found[index] = *drift, height
        if spectrum is not None and (previous or reference is None):
            reference, start = (np.array(frame), spectrum), drift
    return found


def _once_more(
    first: Array, second: Array, moved: Drift, height: float, smoothing_px: float
) -> tuple[Drift, float]:
    """Compare two frames where they overlap, or their windows would pull the shift towards 0."""
    whole = np.rint(moved).astype(int)
    overlap = [length - abs(step) for length, step in zip(first.shape, whole)]
    if not whole.any() or min(overlap) < LEAST_OVERLAP_PX:
        return moved, height
    here = tuple(slice(max(0, -w), max(0, -w) + n) for w, n in zip(whole, overlap))
    there = tuple(slice(max(0, w), max(0, w) + n) for w, n in zip(whole, overlap))
    correlator = Correlator(tuple(overlap), smoothing_px)
    one, other = correlator.spectrum(first[here]), correlator.spectrum(second[there])
    if one is None or other is None:
        return moved, height
    rest, height = correlator.shift(one, other, np.zeros(2), 2.0)
    return whole + rest, height


def move_back(movie: Array, drift: Drift) -> Frames:
    """Move each frame of (T, Y, X) *movie* by less its drift."""
    moved = (_moved(frame, -y, -x) for frame, (y, x, _) in zip(frames(movie), drift))
    return collect(moved, movie.shape, movie.dtype)


def _moved(frame: Array, y: float, x: float) -> Array:
    if frame.size == 0 or (y == 0 and x == 0):
        return frame
    known = (np.uint8, np.uint16, np.int16, np.float32, np.float64)
    kind = next((kind for kind in known if np.can_cast(frame.dtype, kind, "safe")), np.float64)
    matrix = np.array([[1, 0, x], [0, 1, y]], np.float64)
    found = cv2.warpAffine(
        np.ascontiguousarray(frame, kind),
        matrix,
        (frame.shape[1], frame.shape[0]),
        flags=cv2.INTER_CUBIC,
        borderMode=cv2.BORDER_REPLICATE,
    )
    return to_dtype(np.asarray(found), frame.dtype)


def table(drift: Drift, pixel_size_um: Any, frame_interval_s: Any) -> pd.DataFrame:
    """Give one row per frame; see `cyto.preprocessing.registration.Registration`."""
    columns: dict[str, Array] = {"frame": np.arange(len(drift))}
    if frame_interval_s is not None:
        columns["t_s"] = columns["frame"] * float(frame_interval_s)
    columns["drift_y"], columns["drift_x"] = drift[:, 0], drift[:, 1]
    if pixel_size_um is not None:
        for name in ("drift_y", "drift_x"):
            columns[f"{name}_um"] = columns[name] * float(pixel_size_um)
    columns["correlation"] = drift[:, 2]
    found: pd.DataFrame = pd.DataFrame(columns)
    return found
