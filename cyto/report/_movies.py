"""Pictures of channels and labels: few frames, small, as text that a page can hold."""

from __future__ import annotations

import base64
import io
from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from PIL import Image

from cyto.core.movie import let_go
from cyto.core.request import Ref
from cyto.engine.view import NodeView, RunView
from cyto.report.details import Details
from cyto.report.folding import sources
from cyto.runners import exchange

_BUDGET_BYTES = 5_500_000
"""Of all pictures; as text they take a third more."""
_FRAMES = 24
_SIDE_PX = 448
_OUTLINE_PX = 512
_IMAGES, _LABELS, _SAMPLES = 4, 3, 4
_SAMPLED_PX = 200_000
_QUALITY = 75
_THREADS = 2
# distinct in light and dark, on a dark picture; 0 is clear
_COLORS = (
    (0, 0, 0), (255, 209, 102), (6, 214, 160), (239, 71, 111), (76, 201, 240), (247, 127, 0),
    (199, 125, 255), (128, 237, 153), (255, 158, 193), (144, 190, 255), (255, 255, 130),
    (255, 140, 105), (120, 255, 240),
)  # fmt: skip
_TINTS = ("#46e08a", "#ff5fd2", "#5aa9ff", "#ffd166")


@dataclass(kw_only=True)
class _Layer:
    """A movie that is shown; *context* tells its calibration."""

    name: str
    kind: str
    ref: Ref
    context: Mapping[str, Any]
    node: int | None = None
    on: bool = True
    low: float = 0.0
    high: float = 1.0
    movie: Any = None
    pictures: list[str] = field(default_factory=list)


def make_movies(view: RunView, details: Details) -> tuple[list[dict[str, Any]], list[str]]:
    """Make the pictures of a run.

    Returns
    -------
    For each sample that is shown its frames and layers, and what is left out.

    Notes
    -----
    Reads the chosen frames alone; 24 frames of 2048 × 2048 with five layers take a few seconds.
    """
    samples = list(view.started.get("samples", {})) or [""]
    names = [name for name in samples if _layers(view, details, name)]
    chosen = [names[i] for i in _spread(len(names), _SAMPLES)]
    notes = []
    if len(chosen) < len(names):
        notes.append(f"pictures of {len(names) - len(chosen)} of {len(names)} samples")
    made = []
    for name in chosen:
        layers = _layers(view, details, name)
        try:
            movie, left = _sample(name, layers, _BUDGET_BYTES // len(chosen))
        except (OSError, ValueError) as error:
            notes.append(f"pictures{f' of {name}' if name else ''}: {error}")
            continue
        made.append(movie)
        notes += left
    return made, list(dict.fromkeys(notes))


def _layers(view: RunView, details: Details, sample: str) -> list[_Layer]:
    """List what can be shown of a sample: its channels, images and labels."""
    facts = view.started.get("channels", {})
    channels = [
        _Layer(
            name=name.rpartition("/")[2],
            kind="image",
            ref=Ref.from_json(view.channels[name]),
            context=facts[name],
        )
        for name in facts
        if name.rpartition("/")[0] in {"", sample} and name in view.channels
    ]
    images: list[_Layer] = []
    labels: list[_Layer] = []
    again = set[str]()
    for node in view.nodes.values():
        if node.sample != sample:
            continue
        entry = details.entry(node)
        if entry is None:
            continue
        for key, ref in entry.outputs.items():
            if ref.kind not in {"image", "label"} or len(ref.shape or ()) != 3:
                continue
            layer = _Layer(
                name=f"{node.plain}.{key}",
                kind=ref.kind,
                ref=ref,
                context=entry.context,
                node=node.index,
            )
            (labels if ref.kind == "label" else images).append(layer)
            if ref.kind == "label":
                again |= _relabelled(view, node)
    shown = [layer for layer in labels if layer.name not in again]
    alike = _alike([*channels, *images, *shown])
    of_channels = any(layer.kind == "image" and layer.node is None for layer in alike)
    for layer in alike:
        layer.on = layer.kind == "label" or layer.node is None or not of_channels
    return alike


def _relabelled(view: RunView, node: NodeView) -> set[str]:
    """Name the labels that a node gives again: with tracks, the outlines are the same."""
    known = sources(node, view.started.get("channels", {}))
    return {
        f"{name.rpartition('/')[2]}.{node.facts['inputs'][key].rpartition('.')[2]}"
        for key, name in known.items()
        if key == "label"
    }


def _alike(layers: Sequence[_Layer]) -> list[_Layer]:
    """Keep the layers that have the shape of most of them."""
    shapes = [layer.ref.shape for layer in layers]
    most = max(shapes, key=shapes.count, default=None)
    return [layer for layer in layers if layer.ref.shape == most]


def _spread(count: int, most: int) -> list[int]:
    """Choose up to *most* of *count* things, evenly."""
    if count <= most:
        return list(range(count))
    return [int(place) for place in np.linspace(0, count - 1, most).round()]


def _sample(sample: str, layers: Sequence[_Layer], budget: int) -> tuple[dict[str, Any], list[str]]:
    kept, notes = [], []
    for kind, most in (("image", _IMAGES), ("label", _LABELS)):
        some = [layer for layer in layers if layer.kind == kind]
        kept += some[:most]
        notes += [f"pictures of {layer.name}" for layer in some[most:]]
    kept = [layer for layer in kept if _opened(layer)]
    if not kept:
        raise ValueError("their files are no longer there")
    count = kept[0].movie.shape[0]
    picks = _spread(count, _FRAMES)
    for layer in kept:
        _stretch(layer, picks)
    first = sum(len(_picture(layer, picks[len(picks) // 2])) for layer in kept)
    picks = _spread(count, max(1, min(len(picks), budget // max(first, 1))))
    with ThreadPoolExecutor(_THREADS) as threads:
        for layer in kept:
            jobs = threads.map(lambda frame, layer=layer: _picture(layer, frame), picks)
            layer.pictures = [base64.b64encode(data).decode("ascii") for data in jobs]
    if len(picks) < count:
        notes.append(f"frames: {len(picks)} of {count} have pictures")
    return _json(sample, kept, picks), notes


def _json(sample: str, layers: Sequence[_Layer], picks: Sequence[int]) -> dict[str, Any]:
    _, height, width = layers[0].movie.shape
    size, interval = (_known(layers, key) for key in ("pixel_size_um", "frame_interval_s"))
    tints = iter(_TINTS)
    return {
        "sample": sample,
        "frames": list(picks),
        "count": int(layers[0].movie.shape[0]),
        "interval_s": interval,
        "um": size,
        "width": width,
        "height": height,
        "layers": [
            {
                "name": layer.name,
                "kind": layer.kind,
                "node": layer.node,
                "on": layer.on,
                "tint": next(tints) if layer.kind == "image" else "",
                "range": [round(layer.low, 3), round(layer.high, 3)],
                "type": "image/jpeg" if layer.kind == "image" else "image/png",
                "data": layer.pictures,
            }
            for layer in layers
        ],
    }


def _known(layers: Sequence[_Layer], key: str) -> float | None:
    """Give what those layers say that say something; ``None`` where they do not agree."""
    said = {layer.context.get(key) for layer in layers} - {None}
    return said.pop() if len(said) == 1 else None


def _opened(layer: _Layer) -> bool:
    try:
        layer.movie = exchange.load(layer.ref)
    except (OSError, ValueError):
        return False
    return len(layer.movie.shape) == 3 and min(layer.movie.shape) > 0


def _stretch(layer: _Layer, picks: Sequence[int]) -> None:
    """Choose the values that are black and white, the same in all frames."""
    if layer.kind == "label":
        return
    _, height, width = layer.movie.shape
    step = max(1, int((height * width * len(picks) / _SAMPLED_PX) ** 0.5))
    values = np.concatenate([np.ravel(layer.movie[pick, ::step, ::step]) for pick in picks])
    let_go(layer.movie)
    values = values[np.isfinite(values)] if values.dtype.kind == "f" else values
    if len(values):
        low, high = np.percentile(values, (1.0, 99.8))
        layer.low, layer.high = float(low), float(max(high, low + 1e-9))


def _picture(layer: _Layer, frame: int) -> bytes:
    pixels = np.asarray(layer.movie[frame])
    data = _outlines(pixels) if layer.kind == "label" else _grey(pixels, layer.low, layer.high)
    let_go(layer.movie)
    return data


def _grey(pixels: Any, low: float, high: float) -> bytes:
    step = max(1, max(pixels.shape) // (4 * _SIDE_PX))
    part = pixels[::step, ::step].astype(np.float32)
    scaled = np.nan_to_num((part - low) * (255.0 / (high - low)))
    picture = Image.fromarray(np.clip(scaled, 0, 255).astype(np.uint8))
    picture.thumbnail((_SIDE_PX, _SIDE_PX), Image.Resampling.BOX)
    with io.BytesIO() as file:
        picture.save(file, "JPEG", quality=_QUALITY)  # as small as WebP, twenty times as fast
        return file.getvalue()


def _outlines(labels: Any) -> bytes:
    """Draw each cell's outline in a colour that follows from its number."""
    side = max(labels.shape)
    step, times = max(1, round(side / _OUTLINE_PX)), max(1, _OUTLINE_PX // side)
    part = np.asarray(labels)[::step, ::step]
    part = np.repeat(np.repeat(part, times, axis=0), times, axis=1)
    edge = np.zeros(part.shape, bool)
    edge[:-1] |= part[:-1] != part[1:]
    edge[1:] |= part[1:] != part[:-1]
    edge[:, :-1] |= part[:, :-1] != part[:, 1:]
    edge[:, 1:] |= part[:, 1:] != part[:, :-1]
    colors = np.where(edge & (part != 0), 1 + part.astype(np.uint64) % (len(_COLORS) - 1), 0)
    picture = Image.fromarray(colors.astype(np.uint8), mode="P")
    picture.putpalette([value for color in _COLORS for value in color])
    with io.BytesIO() as file:
        picture.save(file, "PNG", transparency=0, bits=4, compress_level=5)
        return file.getvalue()
