"""The metadata of OME-Zarr 0.5, as they are written.

References
----------
https://ngff.openmicroscopy.org/0.5/
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from cyto.io.images import Context

VERSION = "0.5"
AXES = "tcyx"
_METHODS = {
    False: ("mean", "mean of 2 x 2 pixels, an odd last row or column repeated"),
    True: ("nearest", "the first of 2 x 2 pixels"),
}


def image_attributes(
    name: str, levels: int, context: Context, ends: tuple[float, float, float, float] | None
) -> dict[str, Any]:
    """Give the attributes of an image's group.

    Parameters
    ----------
    name
        What the image is called.
    levels
        How many sizes there are.
    context
        Calibration and channel.
    ends
        Least and greatest pixel, least and greatest of the type; ``None`` for labels.
    """
    meta: dict[str, Any] = {
        "version": VERSION,
        "multiscales": [_multiscale(name, levels, context, label=ends is None)],
    }
    if ends is not None:
        meta["omero"] = _omero(context.channel, ends)
    return {"ome": meta}


def label_attributes(name: str, levels: int, context: Context, *, source: bool) -> dict[str, Any]:
    """Give the attributes of a label image's group; *source* when its image is around it."""
    attributes = image_attributes(name, levels, context, None)
    about: dict[str, Any] = {"version": VERSION}
    if source:
        about["source"] = {"image": "../../"}
    attributes["ome"]["image-label"] = about
    return attributes


def labels_attributes(names: Sequence[str]) -> dict[str, Any]:
    """Give the attributes of the group ``labels``, which lists them."""
    return {"ome": {"version": VERSION, "labels": list(names)}}


def _multiscale(name: str, levels: int, context: Context, *, label: bool) -> dict[str, Any]:
    kind, method = _METHODS[label]
    return {
        "name": name,
        "axes": _axes(context),
        "datasets": [
            {"path": str(n), "coordinateTransformations": _transformations(n, context)}
            for n in range(levels)
        ],
        "type": kind,
        "metadata": {"description": method, "method": "pycyto"},
    }


def _axes(context: Context) -> list[dict[str, str]]:
    time = {"name": "t", "type": "time"}
    if context.frame_interval_s:
        time["unit"] = "second"
    space = [{"name": name, "type": "space"} for name in "yx"]
    if context.pixel_size_um:
        space = [axis | {"unit": "micrometer"} for axis in space]
    return [time, {"name": "c", "type": "channel"}, *space]


def _transformations(level: int, context: Context) -> list[dict[str, Any]]:
    """Scale, and move by what lies between the centres of a pixel and of the first it holds."""
    interval, size = context.frame_interval_s or 1.0, context.pixel_size_um or 1.0
    factor = 1 << level
    steps: list[dict[str, Any]] = [
        {"type": "scale", "scale": [float(interval), 1.0, size * factor, size * factor]}
    ]
    if level:
        moved = size * (factor - 1) / 2
        steps.append({"type": "translation", "translation": [0.0, 0.0, moved, moved]})
    return steps


def _omero(channel: str | None, ends: tuple[float, float, float, float]) -> dict[str, Any]:
    start, end, low, high = ends
    about: dict[str, Any] = {
        "active": True,
        "coefficient": 1,
        "color": "FFFFFF",
        "family": "linear",
        "inverted": False,
        "window": {"start": start, "end": end, "min": low, "max": high},
    }
    if channel:
        about["label"] = channel
    return {"channels": [about], "rdefs": {"defaultT": 0, "defaultZ": 0, "model": "greyscale"}}
