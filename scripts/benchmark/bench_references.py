"""What others offer for the same work, as one would write it with them."""

from __future__ import annotations

from typing import Any

import cv2
import numpy as np
import pandas as pd
import skimage.feature
import skimage.filters
import skimage.graph
import skimage.measure
import skimage.morphology
import skimage.registration
import skimage.restoration
import skimage.segmentation
import skimage.transform
from numpy.typing import NDArray
from scipy import ndimage
from scipy.spatial import cKDTree

Array = NDArray[Any]
PROPERTIES = (
    *("label", "centroid", "area", "bbox", "axis_major_length", "axis_minor_length"),
    *("eccentricity", "orientation", "perimeter", "solidity"),
    *("intensity_mean", "intensity_median", "intensity_std", "intensity_min", "intensity_max"),
)
"""Those of scikit-image that RegionFeatures gives too, but for the Feret diameter."""


def features(labels: Array, image: Array, *, feret: bool) -> dict[str, Array]:
    """Measure with scikit-image."""
    more = ("feret_diameter_max",) if feret else ()
    found: dict[str, Array] = skimage.measure.regionprops_table(
        labels, image, properties=(*PROPERTIES, *more)
    )
    return found


def boundary_graph(labels: Array, *, lengths: bool) -> list[tuple[int, int]]:
    """Find the neighbours of each label with scikit-image's region adjacency graph.

    With *lengths*, its edges know how many pixels they are long.
    """
    if lengths:
        graph = skimage.graph.rag_boundary(labels, np.ones(labels.shape), connectivity=2)
    else:
        graph = skimage.graph.RAG(labels, connectivity=2)
    return [(a, b) for a, b in graph.edges if a and b]


def near_pairs(labels: Array, radius_px: float) -> Array:
    """Find pairs of labels with a KD-tree of all boundary pixels; gives a << 32 | b."""
    inner = skimage.segmentation.find_boundaries(labels, connectivity=1, mode="inner")
    places = np.argwhere(inner)
    own = labels[inner].astype(np.int64)
    tree = cKDTree(places)
    i, j = tree.query_pairs(radius_px, output_type="ndarray").T
    apart = own[i] != own[j]
    i, j = i[apart], j[apart]
    square = ((places[i] - places[j]) ** 2).sum(axis=1)
    keys = np.minimum(own[i], own[j]) << 32 | np.maximum(own[i], own[j])
    pairs, at = np.unique(keys, return_inverse=True)
    least = np.full(len(pairs), np.iinfo(np.int64).max)
    np.minimum.at(least, at, square)
    return pairs


def watershed(image: Array, diameter_px: float) -> Array:
    """Segment with scikit-image and scipy alone."""
    smooth = skimage.filters.gaussian(image, 1.0, preserve_range=True)
    mask = smooth > skimage.filters.threshold_otsu(smooth)
    mask = ndimage.binary_fill_holes(mask)
    depth = ndimage.gaussian_filter(ndimage.distance_transform_edt(mask), 1.0)
    return _flooded(depth, mask, diameter_px)


def watershed_opencv(image: Array, diameter_px: float) -> Array:
    """Segment with OpenCV, and scikit-image where OpenCV has nothing as good."""
    smooth = cv2.GaussianBlur(image, (0, 0), 1.0, borderType=cv2.BORDER_REFLECT)
    _, mask = cv2.threshold(smooth, 0, 1, cv2.THRESH_BINARY + cv2.THRESH_OTSU)
    depth = cv2.distanceTransform(mask.astype(np.uint8), cv2.DIST_L2, cv2.DIST_MASK_PRECISE)
    depth = cv2.GaussianBlur(depth, (0, 0), 1.0, borderType=cv2.BORDER_REFLECT)
    return _flooded(depth, mask > 0, diameter_px)


def _flooded(depth: Array, mask: Array, diameter_px: float) -> Array:
    peaks = skimage.feature.peak_local_max(
        depth, min_distance=max(1, round(diameter_px / 4)), labels=mask, exclude_border=False
    )
    seeds = np.zeros(depth.shape, np.int32)
    seeds[tuple(peaks.T)] = np.arange(1, len(peaks) + 1)
    found: Array = skimage.segmentation.watershed(-depth, seeds, mask=mask)
    return found


def rolling_ball(image: Array, radius_px: float) -> Array:
    """Subtract scikit-image's rolling ball."""
    image = image.astype(np.float32)
    return image - skimage.restoration.rolling_ball(image, radius=radius_px)


def rolling_ball_small(image: Array, radius_px: float, shrink: int = 4) -> Array:
    """Subtract the same of an image whose pixels are means, enlarged again."""
    image = image.astype(np.float32)
    small = skimage.transform.downscale_local_mean(image, (shrink, shrink))
    kernel = skimage.restoration.ellipsoid_kernel([2 * radius_px / shrink] * 2, 2 * radius_px)
    level = skimage.restoration.rolling_ball(small, kernel=kernel)
    return image - skimage.transform.resize(level, image.shape, order=1, preserve_range=True)


def drift(first: Array, second: Array, order: int) -> tuple[Array, Array]:
    """Find the drift to 0.1 px with scikit-image and move it back with scipy."""
    back, _, _ = skimage.registration.phase_cross_correlation(first, second, upsample_factor=10)
    moved = ndimage.shift(second.astype(np.float32), back, order=order, mode="nearest")
    return -back, moved


def laptrack_links(table: pd.DataFrame, reach_px: float) -> Array:
    """Link with laptrack; gives (n, 2) rows."""
    from laptrack import LapTrack

    tracker = LapTrack(
        cutoff=reach_px**2,
        gap_closing_cutoff=reach_px**2,
        gap_closing_max_frame_count=2,
        splitting_cutoff=False,
        merging_cutoff=False,
    )
    rows = [some.index.to_numpy() for _, some in table.groupby("frame")]
    yx = table[["y", "x"]].to_numpy()
    edges = tracker.predict([yx[some] for some in rows]).edges()
    found = [(rows[a][i], rows[b][j]) for (a, i), (b, j) in edges]
    return np.array(found, np.int64).reshape(-1, 2)


def trackpy_tracks(table: pd.DataFrame, reach_px: float) -> Array:
    """Link with trackpy; gives each row's track."""
    import trackpy

    trackpy.quiet()
    found = trackpy.link(table, reach_px, pos_columns=["y", "x"], memory=1)
    return found.sort_index()["particle"].to_numpy()
