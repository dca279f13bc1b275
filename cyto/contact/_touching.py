"""Pairs of cells that touch or overlap in one frame, with the length of their contact."""

from __future__ import annotations

from typing import Any, NamedTuple, Optional

import numpy as np
import pandas as pd
from numpy.typing import NDArray

Array = NDArray[Any]
Int = NDArray[np.int64]
Float = NDArray[np.float64]

STRAIGHT, DIAGONAL = ((0, 1), (1, 0)), ((1, 1), (1, -1))
"""Steps (y, x) to four of a pixel's neighbours; the other four are the same steps backwards."""


class Touching(NamedTuple):
    """Pairs of one frame, ordered by ``a``, then ``b``.

    *a*, *b*: labels. *length_px*: of the contact. *overlap_px2*: number of shared pixels.
    """

    a: Int
    b: Int
    length_px: Float
    overlap_px2: Int


class _Masks(NamedTuple):
    """Which populations have a cell at a pixel, (Y, X) uint8.

    *here*: bit 0 is set for the first, bit 1 for the second. *swapped*: the other way round.
    *shared*: 1 where both have one.
    """

    here: Array
    swapped: Array
    shared: Array


class _Found(NamedTuple):
    """Sightings of pairs: a key (``a << 32 | b``) and how much each counts."""

    keys: Int
    counts: Int


def touching(labels: Array, other: Optional[Array] = None) -> Touching:
    """Find all pairs within (Y, X) *labels*, or between *labels* and *other*.

    Every pixel is compared with four of its neighbours by shifting the whole frame, so the cost
    is that of a few passes over it, however many cells there are. Labels are below 2³¹.
    """
    if other is None:
        cell = labels != 0
        straight, diagonal = (
            _join([_within(labels, cell, step) for step in steps]) for steps in (STRAIGHT, DIAGONAL)
        )
        return _count(straight, diagonal, _join([]))
    masks = _masks(labels, other)
    straight, diagonal = (
        _join([_between(labels, other, masks, step) for step in steps])
        for steps in (STRAIGHT, DIAGONAL)
    )
    return _count(straight, diagonal, _overlap(labels, other, masks.shared.astype(bool)))


def shifted(step: tuple[int, int]) -> tuple[tuple[slice, slice], tuple[slice, slice]]:
    """Give the parts of a frame that hold all neighbours by *step*: here, and there."""
    dy, dx = step
    rows = slice(None, -dy or None), slice(dy, None)
    columns = slice(max(0, -dx), -dx if dx > 0 else None), slice(max(0, dx), dx if dx < 0 else None)
    return (rows[0], columns[0]), (rows[1], columns[1])


def _within(labels: Array, cell: Array, step: tuple[int, int]) -> _Found:
    """Find neighbours that belong to two cells, the lower label first; each counts 2."""
    here, there = shifted(step)
    hit = labels[here] != labels[there]
    hit &= cell[here]
    hit &= cell[there]
    at = _places(hit)
    p, q = labels[here][at], labels[there][at]
    keys = _keys(np.minimum(p, q), np.maximum(p, q))
    return _Found(keys, np.full(len(keys), 2))


def _masks(a: Array, b: Array) -> _Masks:
    in_a, in_b = (a != 0).view(np.uint8), (b != 0).view(np.uint8)
    return _Masks(in_a | in_b << 1, in_b | in_a << 1, in_a & in_b)


def _between(a: Array, b: Array, masks: _Masks, step: tuple[int, int]) -> _Found:
    """Find neighbours across a contact: 2 where cells only touch, 1 at the edge of an overlap."""
    here, there = shifted(step)
    near = masks.here[here] & masks.swapped[there]
    near |= masks.shared[here]
    near |= masks.shared[there]
    change = a[here] != a[there]
    change |= b[here] != b[there]
    change &= near != 0
    at = _places(change)
    a1, a2, b1, b2 = a[here][at], a[there][at], b[here][at], b[there][at]
    apart = (a1 != a2) & (b1 != b2)
    return _join([_pick(a1, b2, 2, apart), _pick(a2, b1, 2, apart), _pick(a1, b1), _pick(a2, b2)])


def _places(hit: Array) -> tuple[Int, Int]:
    """Give what `numpy.nonzero` gives, several times faster where little is hit."""
    y, x = np.divmod(np.flatnonzero(hit), max(1, hit.shape[1]))
    return y, x


def _pick(a: Array, b: Array, count: int = 1, where: Optional[Array] = None) -> _Found:
    keep = (a != 0) & (b != 0)
    keep = keep if where is None else keep & where
    keys = _keys(a[keep], b[keep])
    return _Found(keys, np.full(len(keys), count))


def _overlap(a: Array, b: Array, shared: Array) -> _Found:
    """Find the shared pixels, one sighting for each run of them along x."""
    start, end = shared.copy(), shared.copy()
    change = a[:, 1:] != a[:, :-1]
    change |= b[:, 1:] != b[:, :-1]
    start[:, 1:] &= change
    end[:, :-1] &= change
    first, last = np.flatnonzero(start), np.flatnonzero(end)
    return _Found(_keys(a[start], b[start]), last - first + 1)


def _keys(a: Array, b: Array) -> Int:
    keys: Int = a.astype(np.int64) << 32 | b.astype(np.int64)
    return keys


def _join(parts: list[_Found]) -> _Found:
    none = np.zeros(0, np.int64)
    keys = np.concatenate([none, *(part.keys for part in parts)])
    return _Found(keys, np.concatenate([none, *(part.counts for part in parts)]))


def _count(straight: _Found, diagonal: _Found, overlap: _Found) -> Touching:
    """Add up sightings; lengths by Crofton's formula for lines in four directions.

    Lines along x and y lie 1 px apart, diagonal ones 1/√2 px. A crossing counts 2, the edge of
    an overlap 1: seen from outside, a thin overlap has two edges and is one contact.
    """
    everything = _join([straight, diagonal, overlap])
    codes, pairs = pd.factorize(everything.keys, sort=True)
    ends = np.cumsum([len(straight.keys), len(diagonal.keys)])
    n, d, area = (
        np.bincount(code, count, len(pairs)).astype(np.int64)
        for code, count in zip(np.split(codes, ends), np.split(everything.counts, ends))
    )
    return Touching(pairs >> 32, pairs & 0xFFFFFFFF, np.pi / 16 * (n + d / np.sqrt(2)), area)
