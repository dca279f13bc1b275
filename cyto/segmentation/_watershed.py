"""Threshold and watershed of single frames, as pure functions of arrays."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Callable

import cv2
import numpy as np
import skimage.morphology
import skimage.segmentation

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Image = NDArray[np.float32]
    Mask = NDArray[np.uint8]
    Labels = NDArray[np.int32]

_flood_from: Callable[..., Any] = skimage.segmentation.watershed
_local_maxima: Callable[..., Any] = skimage.morphology.local_maxima

BINS = 4096
"""Of the histogram that thresholds are computed from."""
SQUARE = np.ones((3, 3), np.uint8)
"""A pixel and its eight neighbours."""


@dataclass(frozen=True)
class Settings:
    """How to segment; see `cyto.segmentation.watershed.Watershed` for each field."""

    diameter_px: float
    smoothing_px: float
    threshold_method: str
    threshold_factor: float
    threshold_offset: float
    local_window_px: float
    min_contrast: float
    seeds: str
    seed_distance_px: float
    seed_depth_px: float
    min_area_px2: float
    max_area_px2: float
    max_hole_px2: float
    clear_border: bool


def segment(frame: NDArray[np.generic], settings: Settings) -> Labels:
    """Label the cells of one frame.

    Parameters
    ----------
    frame
        (Y, X) numbers; not finite ones count as the darkest.
    settings
        How.

    Returns
    -------
    (Y, X) int32, 0 background, 1 … n in the order of each cell's first pixel.
    """
    image = smooth(_finite(frame), settings.smoothing_px)
    if image.size == 0 or image.min() == image.max():
        return np.zeros(image.shape, np.int32)
    mask = foreground(image, settings)
    fill_holes(mask, settings.max_hole_px2)
    return _tidy(split(mask, image, settings), settings)


def smooth(image: Image, sigma_px: float) -> Image:
    """Blur by a Gaussian of *sigma_px*, edges reflected."""
    if sigma_px <= 0 or image.size == 0:
        return image
    return np.asarray(
        cv2.GaussianBlur(image, (0, 0), sigma_px, borderType=cv2.BORDER_REFLECT), np.float32
    )


def foreground(image: Image, settings: Settings) -> Mask:
    """Give 1 where *image* is above the threshold, else 0."""
    if settings.threshold_method == "local":
        background = smooth(image, settings.local_window_px / 2)
        level = background * np.float32(settings.threshold_factor)
        level += np.float32(settings.threshold_offset)
    else:
        method = {"otsu": otsu, "li": li}[settings.threshold_method]
        number = method(image) * settings.threshold_factor + settings.threshold_offset
        level = np.array(number, np.float32)
    mask: Mask = (image > level).astype(np.uint8)
    if settings.min_contrast > 0 and _contrast(image, mask) < settings.min_contrast:
        mask[:] = 0
    return mask


def _contrast(image: Image, mask: Mask) -> float:
    inside = mask > 0
    if inside.all() or not inside.any():
        return 0.0
    return float(image[inside].mean(dtype=np.float64) - image[~inside].mean(dtype=np.float64))


def _histogram(image: Image) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Give counts and centres of equal bins from the darkest to the brightest pixel."""
    low, high = float(image.min()), float(image.max())
    top = np.nextafter(np.float32(high), np.float32(np.inf))  # OpenCV leaves the upper end out
    counts = cv2.calcHist([image], [0], None, [BINS], [low, float(top)]).ravel().astype(np.float64)
    edges = np.linspace(low, high, BINS + 1)
    return counts, (edges[:-1] + edges[1:]) / 2


def otsu(image: Image) -> float:
    """Give the level that separates two classes with the greatest variance between them.

    References
    ----------
    Otsu, IEEE Trans. Syst. Man Cybern. 9, 62 (1979), doi:10.1109/TSMC.1979.4310076.
    """
    counts, centres = _histogram(image)
    below, above = np.cumsum(counts), np.cumsum(counts[::-1])[::-1]
    mean_below = np.cumsum(counts * centres) / np.maximum(below, 1)
    mean_above = np.cumsum((counts * centres)[::-1])[::-1] / np.maximum(above, 1)
    between = below[:-1] * above[1:] * (mean_below[:-1] - mean_above[1:]) ** 2
    return float(centres[int(np.argmax(between))])


def li(image: Image) -> float:
    """Give the level of minimum cross-entropy between the image and its two classes.

    References
    ----------
    Li and Tam, Pattern Recognit. Lett. 19, 771 (1998), doi:10.1016/S0167-8655(98)00057-9.
    """
    counts, centres = _histogram(image)
    origin = centres[0] - (centres[1] - centres[0])
    values = centres - origin  # logarithms need numbers above 0
    weight, moment = np.cumsum(counts), np.cumsum(counts * values)
    level, tolerance = moment[-1] / weight[-1], values[0] / 2
    for _ in range(1000):
        place = min(int(np.searchsorted(values, level, side="right")), BINS - 1) - 1
        below = moment[place] / weight[place]
        above = (moment[-1] - moment[place]) / (weight[-1] - weight[place])
        previous, level = level, (above - below) / (np.log(above) - np.log(below))
        if abs(level - previous) <= tolerance:
            break
    return float(level + origin)


def fill_holes(mask: Mask, max_hole_px2: float) -> None:
    """Set to 1, in place, what is enclosed by foreground and no larger than *max_hole_px2*."""
    if max_hole_px2 <= 0:
        return
    _, parts, stats, _ = cv2.connectedComponentsWithStats(
        1 - mask, connectivity=4, ltype=cv2.CV_32S
    )
    hole = stats[:, cv2.CC_STAT_AREA] <= max_hole_px2
    hole[0] = False
    hole[np.unique(_edge(np.asarray(parts, np.int32)))] = False
    if hole.any():
        mask |= hole[parts].astype(np.uint8)


def split(mask: Mask, image: Image, settings: Settings) -> Labels:
    """Part touching cells of *mask*: one label per seed, at least one per connected piece."""
    _, pieces = cv2.connectedComponents(mask, connectivity=8, ltype=cv2.CV_32S)
    if settings.seeds == "none":
        return np.asarray(pieces, np.int32)
    relief = image if settings.seeds == "intensity" else smooth(_depth(mask), 1.0)
    if settings.seeds == "h_maxima":
        seeds = _h_maxima(_depth(mask), mask, settings.seed_depth_px)
    else:
        seeds = _peaks(relief, mask, settings.seed_distance_px)
    return _flood(relief, seeds, np.asarray(pieces, np.int32))


def _depth(mask: Mask) -> Image:
    """Give each pixel's distance from the background, px; outside the image is background."""
    framed = np.pad(mask, 1)
    depth = cv2.distanceTransform(framed, cv2.DIST_L2, cv2.DIST_MASK_PRECISE)
    return np.ascontiguousarray(depth[1:-1, 1:-1], np.float32)


def _peaks(relief: Image, mask: Mask, distance_px: float) -> Labels:
    """Give numbers to the pixels that are the highest within *distance_px*, ties as one."""
    floor = np.where(mask > 0, relief, np.float32(-np.inf))
    highest = (floor >= cv2.dilate(floor, _disk(distance_px))).astype(np.uint8) & mask
    near = np.asarray(cv2.dilate(highest, _disk(distance_px / 2)), np.uint8) & mask
    _, groups = cv2.connectedComponents(near, connectivity=8, ltype=cv2.CV_32S)
    return np.where(highest > 0, groups, 0).astype(np.int32)


def _disk(radius_px: float) -> Mask:
    radius = max(1, round(radius_px))
    y, x = np.ogrid[-radius : radius + 1, -radius : radius + 1]
    disk: Mask = (y * y + x * x <= max(1.0, radius_px) ** 2).astype(np.uint8)
    return disk


def _h_maxima(depth: Image, mask: Mask, height_px: float) -> Labels:
    """Give numbers to the maxima that stand at least *height_px* above the way to a higher one."""
    # the background fills up to 0 wherever one cell is deeper than the height: it may start so
    lowered = reconstruct(np.maximum(depth - np.float32(height_px), np.float32(0)), depth)
    domes = _local_maxima(lowered, connectivity=2).astype(np.uint8) & mask
    _, seeds = cv2.connectedComponents(domes, connectivity=8, ltype=cv2.CV_32S)
    return np.asarray(seeds, np.int32)


def reconstruct(seed: Image, ceiling: Image) -> Image:
    """Let *seed* flow to all neighbours, under *ceiling*, until nothing moves any more."""
    while True:
        grown = np.minimum(cv2.dilate(seed, SQUARE), ceiling)
        if np.array_equal(grown, seed):
            return seed
        seed = grown


def _flood(relief: Image, seeds: Labels, pieces: Labels) -> Labels:
    """Grow *seeds* down *relief* within their pieces; a piece with one seed or none is one cell."""
    at = np.flatnonzero(seeds)
    pairs = np.unique(pieces.ravel()[at].astype(np.int64) << 32 | seeds.ravel()[at])
    several = np.bincount(pairs >> 32, minlength=int(pieces.max()) + 1) > 1
    if not several.any():
        return pieces
    crowded = several[pieces]
    grown = _flood_from(-relief, np.where(crowded, seeds, 0), connectivity=2, mask=crowded)
    return np.where(crowded, grown + int(pieces.max()), pieces).astype(np.int32)


def _tidy(labels: Labels, settings: Settings) -> Labels:
    """Drop cells of the wrong size or at the border, and number the rest by first pixel."""
    at = np.flatnonzero(labels)
    ids = labels.ravel()[at]
    area = np.bincount(ids, minlength=1)
    keep = (area >= max(1.0, settings.min_area_px2)) & (area <= settings.max_area_px2)
    keep[0] = False
    if settings.clear_border:
        keep[np.unique(_edge(labels))] = False
    first = np.zeros(len(area), np.int64)
    first[ids[::-1]] = at[::-1]  # the last one written stays: the first pixel
    kept = np.flatnonzero(keep)
    number = np.zeros(len(area), np.int32)
    number[kept[np.argsort(first[kept])]] = np.arange(1, len(kept) + 1)
    return number[labels]


def _edge(array: Labels) -> Labels:
    return np.concatenate([array[0], array[-1], array[:, 0], array[:, -1]])


def _finite(frame: NDArray[np.generic]) -> Image:
    image = np.ascontiguousarray(frame, np.float32)
    if frame.dtype.kind == "f":
        finite = np.isfinite(image)
        if not finite.all():
            image = np.where(finite, image, image[finite].min() if finite.any() else 0)
    return image.astype(np.float32, copy=False)


def stack(frames: NDArray[np.generic], **how: Any) -> NDArray[np.unsignedinteger[Any]]:
    """Segment every frame of (T, Y, X); gives uint16, or uint32 for more than 65535 cells."""
    settings = Settings(**how)
    labels: NDArray[np.unsignedinteger[Any]] = np.zeros(frames.shape, np.uint16)
    for index, frame in enumerate(frames):
        found = segment(frame, settings)
        if found.size and found.max() > np.iinfo(labels.dtype).max:
            labels = labels.astype(np.uint32)
        labels[index] = found
    return labels
