"""Places for the boxes of a graph: in layers from left to right, with few crossings.

A short form of the method of Sugiyama and others: layers by the longest path, crossings lowered
by sorting each layer by the mean place of its neighbours, long arrows led between the boxes.

References
----------
Sugiyama, Tagawa and Toda, IEEE Trans. Syst. Man Cybern. 11, 109 (1981),
doi:10.1109/TSMC.1981.4308636.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from cyto.report.folding import Box, depths

_CHAR_PX, _SMALL_CHAR_PX = 7.3, 6.0
_PADDING_PX = 30
_WIDTH_PX = (104, 216)
_COUNTED_PX = 172
_HEIGHT_PX, _CHANNEL_PX, _BEND_PX = 56, 28, 10
_GAP_X_PX, _GAP_Y_PX = 42, 16
_MARGIN_PX = 6
_SWEEPS = 12
_MOST_BENDS = 4000


@dataclass(kw_only=True)
class Place:
    """Where one box is, in px from the picture's top left corner."""

    x: float
    y: float
    width: float
    height: float


@dataclass(frozen=True, kw_only=True)
class Drawing:
    """A graph with its places.

    Parameters
    ----------
    width, height
        Of the whole, in px.
    places
        By the box's key.
    arrows
        From, to, and the points that it goes through.
    """

    width: float
    height: float
    places: Mapping[str, Place]
    arrows: Sequence[tuple[str, str, Sequence[tuple[float, float]]]]


@dataclass(kw_only=True)
class _Dot:
    """A box, or the point where a long arrow passes a layer."""

    key: str
    height: float
    left: list[_Dot] = field(default_factory=list)
    right: list[_Dot] = field(default_factory=list)
    rank: float = 0.0
    y: float = 0.0


def draw(boxes: Sequence[Box]) -> Drawing:
    """Place boxes and their arrows; the same boxes always get the same places.

    Notes
    -----
    A thousand boxes take well under a second.
    """
    depth = _late_channels(boxes, depths({box.key: box.before for box in boxes}))
    layers: list[list[_Dot]] = [[] for _ in range(max(depth.values(), default=-1) + 1)]
    dots: dict[str, _Dot] = {}
    for box in boxes:
        dots[box.key] = _Dot(key=box.key, height=_HEIGHT_PX if box.nodes else _CHANNEL_PX)
        layers[depth[box.key]].append(dots[box.key])
    chains = _connect(boxes, depth, dots, layers)
    _order(layers)
    _place(layers)
    widths = [_width(layer) for layer in _boxes_by_layer(boxes, depth, len(layers))]
    lefts = [_MARGIN_PX + sum(widths[:i]) + _GAP_X_PX * i for i in range(len(widths))]
    places = {
        box.key: Place(
            x=lefts[depth[box.key]],
            y=dots[box.key].y - dots[box.key].height / 2,
            width=widths[depth[box.key]],
            height=dots[box.key].height,
        )
        for box in boxes
    }
    arrows = [
        (start, end, _points(start, end, bends, places, depth, lefts, widths))
        for (start, end), bends in chains.items()
    ]
    lowest = max((dot.y + dot.height / 2 for layer in layers for dot in layer), default=0.0)
    height = lowest + _MARGIN_PX
    width = lefts[-1] + widths[-1] + _MARGIN_PX if widths else 0.0
    return Drawing(width=width, height=height, places=places, arrows=arrows)


def _late_channels(boxes: Sequence[Box], depth: dict[str, int]) -> dict[str, int]:
    """Put a channel right before the first that reads it, not at the far left."""
    first: dict[str, int] = {}
    for box in boxes:
        for before in box.before:
            first[before] = min(first.get(before, depth[box.key]), depth[box.key])
    late = {b.key: max(0, first[b.key] - 1) for b in boxes if not b.nodes and b.key in first}
    return {**depth, **late}


def _connect(
    boxes: Sequence[Box],
    depth: Mapping[str, int],
    dots: Mapping[str, _Dot],
    layers: list[list[_Dot]],
) -> dict[tuple[str, str], list[_Dot]]:
    """Join the dots, with one in every layer that an arrow passes; give those by arrow."""
    pairs = [(b, box.key) for box in boxes for b in box.before if b in dots and b != box.key]
    pairs = [(a, b) for a, b in pairs if depth[a] < depth[b]]
    bends = sum(depth[b] - depth[a] - 1 for a, b in pairs)
    chains: dict[tuple[str, str], list[_Dot]] = {}
    for start, end in pairs:
        chain: list[_Dot] = []
        last = dots[start]
        for layer in range(depth[start] + 1, depth[end]) if bends <= _MOST_BENDS else ():
            dot = _Dot(key="", height=_BEND_PX)
            layers[layer].append(dot)
            _join(last, dot)
            chain.append(dot)
            last = dot
        _join(last, dots[end])
        chains[start, end] = chain
    return chains


def _join(left: _Dot, right: _Dot) -> None:
    left.right.append(right)
    right.left.append(left)


def _order(layers: list[list[_Dot]]) -> None:
    """Sort each layer by the mean place of its neighbours, to and fro; keep the best order."""
    best, fewest = [list(layer) for layer in layers], _crossings(layers)
    for sweep in range(_SWEEPS):
        for layer in layers[1:] if sweep % 2 == 0 else layers[-2::-1]:
            places = {id(dot): float(place) for place, dot in enumerate(layer)}
            for dot in layer:
                near = dot.left if sweep % 2 == 0 else dot.right
                ranks = [other.rank for other in near]
                dot.rank = sum(ranks) / len(ranks) if ranks else places[id(dot)]
            layer.sort(key=lambda dot: dot.rank)
            for place, dot in enumerate(layer):
                dot.rank = float(place)
        count = _crossings(layers)
        if count < fewest:
            best, fewest = [list(layer) for layer in layers], count
        if not fewest:
            break
    for layer, kept in zip(layers, best, strict=True):
        layer[:] = kept


def _crossings(layers: list[list[_Dot]]) -> int:
    """Count how often arrows between neighbouring layers cross."""
    total = 0
    for layer in layers:
        for place, dot in enumerate(layer):
            dot.rank = float(place)
    for layer in layers[:-1]:
        ends = [other.rank for dot in layer for other in sorted(dot.right, key=lambda d: d.rank)]
        total += _inversions(ends)
    return total


def _inversions(values: list[float]) -> int:
    """Count the pairs in the wrong order, by merging."""
    if len(values) < 2:
        return 0
    middle = len(values) // 2
    left, right = values[:middle], values[middle:]
    count = _inversions(left) + _inversions(right)
    left.sort()
    right.sort()
    place = 0
    for value in right:
        while place < len(left) and left[place] <= value:
            place += 1
        count += len(left) - place
    return count


def _place(layers: list[list[_Dot]]) -> None:
    """Give each dot its height: near its neighbours, apart from those above and below."""
    for layer in layers:
        _pack(layer, [0.0] * len(layer))
    for sweep in range(8):
        for layer in layers if sweep % 2 == 0 else reversed(layers):
            _pack(layer, [_wish(dot) for dot in layer])
    top = min((d.y - d.height / 2 for layer in layers for d in layer), default=0.0)
    for layer in layers:
        for dot in layer:
            dot.y += _MARGIN_PX - top


def _wish(dot: _Dot) -> float:
    near = sorted(other.y for other in (*dot.left, *dot.right))
    if not near:
        return dot.y
    middle = len(near) // 2
    return near[middle] if len(near) % 2 else (near[middle - 1] + near[middle]) / 2


def _pack(layer: list[_Dot], wishes: list[float]) -> None:
    """Place dots as near to their wishes as their order and their gaps allow.

    Dots that push each other form a block, which lies where the mean of their wishes is.
    """
    blocks: list[tuple[float, float, int, list[_Dot]]] = []  # sum of wishes, height, count, dots
    for dot, wish in zip(layer, wishes, strict=True):
        size = dot.height + _GAP_Y_PX
        blocks.append((wish - size / 2, size, 1, [dot]))
        while len(blocks) > 1 and _top(blocks[-2]) + blocks[-2][1] > _top(blocks[-1]):
            total, below, count, dots = blocks.pop()
            wanted, above, number, others = blocks.pop()
            # each wish is for the block's top, so those further down ask for less
            wanted += total - above * count
            blocks.append((wanted, above + below, number + count, others + dots))
    for block in blocks:
        y = _top(block)
        for dot in block[3]:
            dot.y = y + (dot.height + _GAP_Y_PX) / 2
            y += dot.height + _GAP_Y_PX


def _top(block: tuple[float, float, int, list[_Dot]]) -> float:
    return block[0] / block[2]


def _boxes_by_layer(boxes: Sequence[Box], depth: Mapping[str, int], count: int) -> list[list[Box]]:
    layers: list[list[Box]] = [[] for _ in range(count)]
    for box in boxes:
        layers[depth[box.key]].append(box)
    return layers


def _width(boxes: Sequence[Box]) -> float:
    texts = [max(len(box.name) * _CHAR_PX, len(box.under) * _SMALL_CHAR_PX) for box in boxes]
    # a box for many nodes says how many ended how
    least = _COUNTED_PX if any(len(box.nodes) > 1 for box in boxes) else _WIDTH_PX[0]
    return min(max([least, *(text + _PADDING_PX for text in texts)]), _WIDTH_PX[1])


def _points(
    start: str,
    end: str,
    bends: Sequence[_Dot],
    places: Mapping[str, Place],
    depth: Mapping[str, int],
    lefts: Sequence[float],
    widths: Sequence[float],
) -> list[tuple[float, float]]:
    """List the points of an arrow; in a layer that it passes it runs level."""
    first, last = places[start], places[end]
    points = [(first.x + first.width, first.y + first.height / 2)]
    for layer, dot in enumerate(bends, start=depth[start] + 1):
        points += [(lefts[layer], dot.y), (lefts[layer] + widths[layer], dot.y)]
    points.append((last.x, last.y + last.height / 2))
    return points
