"""Pixel size, frame interval and channel names, from what microscopes and ImageJ write."""

from __future__ import annotations

import math
import re
from collections.abc import Mapping
from dataclasses import dataclass
from xml.etree import ElementTree as ET

from cyto.errors import ChannelError

_UM = {
    "µm": 1.0, "μm": 1.0, "um": 1.0, "micron": 1.0, "microns": 1.0, "micrometer": 1.0,
    "nm": 1e-3, "mm": 1e3, "cm": 1e4, "m": 1e6, "inch": 25400.0,
}  # fmt: skip
_S = {
    "s": 1.0, "sec": 1.0, "secs": 1.0, "second": 1.0, "seconds": 1.0, "ms": 1e-3, "msec": 1e-3,
    "min": 60.0, "mins": 60.0, "minute": 60.0, "minutes": 60.0,
    "h": 3600.0, "hr": 3600.0, "hour": 3600.0, "hours": 3600.0,
}  # fmt: skip
_SQUARE = 0.01
_LARGEST_PIXEL_UM = 10.0
_CENTIMETER = 3


@dataclass(frozen=True, kw_only=True)
class Calibration:
    """What a file says about its pixels; ``None`` and empty where it says nothing."""

    x_um: float | None = None
    y_um: float | None = None
    frame_interval_s: float | None = None
    channel_names: tuple[str, ...] = ()

    def pixel_size_um(self) -> float | None:
        """Give the one size of both axes.

        Raises
        ------
        ChannelError
            Pixels are not square.
        """
        if self.x_um is None or self.y_um is None:
            return self.x_um or self.y_um
        if abs(self.x_um - self.y_um) > _SQUARE * self.x_um:
            raise ChannelError(
                f"pixels are not square: {self.x_um:g} µm wide, {self.y_um:g} µm high",
                hint="if that is wrong, write the true pixel_size_um beside the path",
            )
        return self.x_um


def from_ome(xml: str) -> Calibration:
    """Read the first image of OME-XML."""
    try:
        # expat itself refuses exponential entities since 2.4.1
        root = ET.fromstring(xml)  # noqa: S314
    except ET.ParseError:
        return Calibration()
    pixels = next((e for e in root.iter() if _tag(e) == "Pixels"), None)
    if pixels is None:
        return Calibration()
    names = [e.get("Name") or "" for e in pixels if _tag(e) == "Channel"]
    get = pixels.attrib.get
    return Calibration(
        x_um=_scaled(get("PhysicalSizeX"), _UM, get("PhysicalSizeXUnit", "µm")),
        y_um=_scaled(get("PhysicalSizeY"), _UM, get("PhysicalSizeYUnit", "µm")),
        frame_interval_s=_scaled(get("TimeIncrement"), _S, get("TimeIncrementUnit", "s")),
        channel_names=tuple(names) if any(names) else (),
    )


def from_imagej(
    meta: Mapping[str, object], x_resolution: object, y_resolution: object
) -> Calibration:
    """Read ImageJ's description and the resolution tags, in pixels per its unit."""
    unit = str(meta.get("unit", ""))
    labels = meta.get("Labels")
    count = int(str(meta.get("channels", 1)))
    names = [str(n) for n in labels[:count]] if isinstance(labels, (list, tuple)) else []
    return Calibration(
        x_um=_scaled(_inverse(x_resolution), _UM, unit),
        y_um=_scaled(_inverse(y_resolution), _UM, unit),
        frame_interval_s=_scaled(meta.get("finterval"), _S, str(meta.get("tunit", "s"))),
        channel_names=tuple(names) if len(set(names)) == count else (),
    )


def from_tags(unit: object, x_resolution: object, y_resolution: object) -> Calibration:
    """Read plain TIFF resolution tags, where they can be a microscope's.

    Only pixels per centimetre that make pixels of at most 10 µm count: dots per inch are a
    printer's and would be taken for a calibration.
    """
    if unit != _CENTIMETER:
        return Calibration()
    x_um = _scaled(_inverse(x_resolution), _UM, "cm")
    y_um = _scaled(_inverse(y_resolution), _UM, "cm")
    if x_um is None or y_um is None or max(x_um, y_um) > _LARGEST_PIXEL_UM:
        return Calibration()
    return Calibration(x_um=x_um, y_um=y_um)


def _tag(element: ET.Element) -> str:
    return element.tag.rpartition("}")[2]


def _inverse(rational: object) -> float | None:
    """Turn a resolution tag (numerator, denominator) into the size of one pixel."""
    if isinstance(rational, tuple) and len(rational) == 2 and rational[0]:
        return float(rational[1]) / float(rational[0])
    return None


def _scaled(value: object, units: Mapping[str, float], unit: str) -> float | None:
    """Give a positive *value* in our unit; ``None`` for nothing, zero or an unknown unit."""
    unit = re.sub(r"\\u([0-9a-fA-F]{4})", lambda m: chr(int(m[1], 16)), unit).strip()
    factor = units.get(unit) or units.get(unit.lower())
    try:
        number = float(str(value)) * (factor or 0.0)
    except ValueError:
        return None
    return number if math.isfinite(number) and number > 0 else None
