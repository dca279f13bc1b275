"""What OME-Zarr metadata say: axes, pixel size, frame interval, channel names."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from cyto.errors import ChannelError
from cyto.io._axes import KNOWN
from cyto.io._calibration import Calibration
from cyto.io._zarr_nodes import Image

_UM = {
    "micrometer": 1.0, "nanometer": 1e-3, "picometer": 1e-6, "angstrom": 1e-4,
    "millimeter": 1e3, "centimeter": 1e4, "decimeter": 1e5, "meter": 1e6, "inch": 25400.0,
    # not of the specification, but written
    "micron": 1.0, "um": 1.0, "µm": 1.0, "μm": 1.0, "nm": 1e-3, "mm": 1e3,
}  # fmt: skip
_S = {
    "second": 1.0, "decisecond": 0.1, "centisecond": 1e-2, "millisecond": 1e-3,
    "microsecond": 1e-6, "nanosecond": 1e-9, "minute": 60.0, "hour": 3600.0, "day": 86400.0,
    "kilosecond": 1e3, "s": 1.0, "ms": 1e-3, "min": 60.0, "h": 3600.0,
}  # fmt: skip
_TYPES = {"time": "T", "channel": "C"}
_BEFORE_AXES = {"0.1", "0.2"}  # all images were TCZYX
NAMELESS = "Q"


@contextmanager
def understood(folder: Path) -> Iterator[None]:
    """Turn what goes wrong while metadata are followed into a `ChannelError` that says so."""
    try:
        yield
    except (AttributeError, IndexError, KeyError, TypeError, ValueError) as error:
        raise ChannelError(
            f"the OME-Zarr metadata of {folder} are damaged: {type(error).__name__}: {error}",
            path=str(folder),
            hint="they do not follow the specification: export the image again",
        ) from error


def axes_of(image: Image, ndim: int) -> str:
    """Give one letter for every dimension of an image's array, ``Q`` where nothing is said.

    Raises
    ------
    ChannelError
        As many axes as dimensions are not named, or the version is not known.
    """
    axes = _axes(image)
    if not axes:
        names = image.array.meta.get("dimension_names") or [None] * ndim
        if image.multiscale and str(image.multiscale.get("version", "")) in _BEFORE_AXES:
            names = list("tczyx")
        elif image.multiscale:
            raise ChannelError(
                f"{image.array.folder.parent} names no axes: its version of OME-Zarr is not known",
                hint="pyCyto reads 0.1 to 0.5: convert it, or write axes: beside the path",
            )
        axes = [{"name": name or ""} for name in names]
    if len(axes) != ndim:
        raise ChannelError(
            f"{image.array.folder} has {ndim} dimensions, its metadata name {len(axes)}",
            hint="they are damaged: export the image again",
        )
    return "".join(_letter(axis) for axis in axes)


def calibration_of(image: Image) -> Calibration:
    """Read scales and units: those of the level, then those of all levels."""
    axes = _axes(image)
    scale = [1.0] * len(axes)
    for entry in (image.dataset, image.multiscale):
        for step in entry.get("coordinateTransformations") or ():
            if step.get("type") == "scale" and len(step.get("scale") or ()) == len(axes):
                scale = [a * float(b) for a, b in zip(scale, step["scale"], strict=True)]
    found = {}
    for axis, size in zip(axes, scale, strict=True):
        letter, unit = _letter(axis), str(axis.get("unit") or "").strip()
        factor = (_S if letter == "T" else _UM).get(unit)
        found[letter] = size * factor if factor and 0 < size < math.inf else None
    return Calibration(x_um=found.get("X"), y_um=found.get("Y"), frame_interval_s=found.get("T"))


def channel_names_of(image: Image, count: int) -> tuple[str, ...]:
    """Give the names of *count* channels; none if the file has more or fewer names."""
    channels = image.omero.get("channels") or ()
    names = tuple(str(channel.get("label") or "") for channel in channels)
    return names if len(names) == count and any(names) else ()


def _axes(image: Image) -> Sequence[Mapping[str, Any]]:
    axes = image.multiscale.get("axes") or ()
    return [axis if isinstance(axis, Mapping) else {"name": axis} for axis in axes]  # 0.3: text


def _letter(axis: Mapping[str, Any]) -> str:
    name = str(axis.get("name") or "").upper()
    if name in KNOWN and len(name) == 1:
        return name
    return _TYPES.get(str(axis.get("type")), NAMELESS)
