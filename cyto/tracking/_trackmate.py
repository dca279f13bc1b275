"""Tracks as TrackMate knows them, and its file.

What TrackMate needs to open a file: https://github.com/trackmate-sc/TrackMate, TmXmlReader.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Optional
from xml.etree import ElementTree as ET

import numpy as np

from cyto.tracking._links import lap_links
from cyto.tracking._spots import read_spots
from cyto.tracking._tracks import number_tracks

if TYPE_CHECKING:
    import pandas as pd
    from numpy.typing import NDArray

    from cyto.tracking._links import Limits

    Index = NDArray[np.int64]

NONE = -1
VERSION = "7.0.0"
"""Of TrackMate: the form of the file is that of this version."""
_SPOT = {
    "QUALITY": ("Quality", "QUALITY", False),
    "POSITION_X": ("X", "POSITION", False),
    "POSITION_Y": ("Y", "POSITION", False),
    "POSITION_Z": ("Z", "POSITION", False),
    "POSITION_T": ("T", "TIME", False),
    "FRAME": ("Frame", "NONE", True),
    "RADIUS": ("Radius", "LENGTH", False),
    "VISIBILITY": ("Visibility", "NONE", True),
}
_EDGE = {
    "SPOT_SOURCE_ID": ("Source spot ID", "NONE", True),
    "SPOT_TARGET_ID": ("Target spot ID", "NONE", True),
    "LINK_COST": ("Edge cost", "COST", False),
}
_TRACK = {
    "TRACK_INDEX": ("Track index", "NONE", True),
    "TRACK_ID": ("Track ID", "NONE", True),
    "NUMBER_SPOTS": ("Number of spots in track", "NONE", True),
}


@dataclass(frozen=True)
class Tracked:
    """A table with its tracks.

    *table*: with ``TrackID``. *rows*: positions in it of the cells that were looked at, in the
    order of frame and label. *track*: their tracks, -1 for none.
    """

    table: pd.DataFrame
    rows: Index
    track: Index


def track(
    table: pd.DataFrame, limits: Limits, sizes: tuple[Optional[float], Optional[float]], task: str
) -> Tracked:
    """Track the cells of *table* whose size is between *sizes*."""
    low, high = sizes
    keep = np.ones(len(table), bool)
    if low is not None:
        keep &= (table["size"] > low).to_numpy()
    if high is not None:
        keep &= (table["size"] < high).to_numpy()
    spots = read_spots(table[keep], task)
    ids = number_tracks(lap_links(spots.frame, spots.yx, limits), len(spots.frame)).track_id
    rows = np.flatnonzero(keep)[spots.order]
    tracks = _without_single(ids)
    column = np.full(len(table), np.nan)
    column[rows[tracks != NONE]] = tracks[tracks != NONE]
    return Tracked(table.assign(TrackID=column), rows, tracks)


def _without_single(ids: Index) -> Index:
    """Give tracks of two cells and more numbers from 0, and -1 to the others."""
    kept = np.bincount(ids, minlength=1) > 1
    number = np.where(kept, np.cumsum(kept) - 1, NONE)
    return np.asarray(number[ids] if len(ids) else ids, np.int64)


def write_xml(
    found: Tracked,
    limits: Limits,
    shape: Optional[tuple[int, ...]],
    spacing_um: Optional[tuple[float, float]],
    channel: str,
) -> str:
    """Give the text of a TrackMate file.

    Parameters
    ----------
    shape
        Frames, height and width of the movie.
    spacing_um
        Width and height of a pixel, when positions are in µm; ``None`` when they are in px.
    channel
        The image's name in the file.
    """
    root = ET.Element("TrackMate", version=VERSION)
    unit = "pixel" if spacing_um is None else "micron"
    model = ET.SubElement(root, "Model", spatialunits=unit, timeunits="frame")
    declared = ET.SubElement(model, "FeatureDeclarations")
    for kind, features in (("Spot", _SPOT), ("Edge", _EDGE), ("Track", _TRACK)):
        _declare(ET.SubElement(declared, f"{kind}Features"), features)
    _spots(model, found)
    _tracks(model, found)
    _settings(root, limits, shape, spacing_um or (1.0, 1.0), channel)
    ET.SubElement(root, "GUIState", state="ConfigureViews")
    ET.indent(root)
    return '<?xml version="1.0" encoding="UTF-8"?>\n' + ET.tostring(root, "unicode") + "\n"


def _declare(parent: ET.Element, features: dict[str, tuple[str, str, bool]]) -> None:
    for key, (name, dimension, whole) in features.items():
        ET.SubElement(
            parent,
            "Feature",
            feature=key,
            name=name,
            shortname=name,
            dimension=dimension,
            isint=_bool(whole),
        )


def _spots(model: ET.Element, found: Tracked) -> None:
    """Write the cells; a spot's ID is its row in the table."""
    cells = found.table.iloc[found.rows]
    every = ET.SubElement(model, "AllSpots", nspots=str(len(cells)))
    inside: dict[int, ET.Element] = {}
    radius = cells["feret_radius"] if "feret_radius" in cells else np.sqrt(cells["size"] / np.pi)
    columns = (found.rows, cells["frame"], cells["y"], cells["x"], radius)
    for row, frame, y, x, r in zip(*(np.asarray(column).tolist() for column in columns)):
        number = int(frame)
        if number not in inside:
            inside[number] = ET.SubElement(every, "SpotsInFrame", frame=str(number))
        ET.SubElement(
            inside[number],
            "Spot",
            ID=str(row),
            name=f"ID{row}",
            QUALITY="1.0",
            POSITION_T=f"{number:.1f}",
            POSITION_X=repr(float(x)),
            POSITION_Y=repr(float(y)),
            POSITION_Z="0.0",
            FRAME=str(number),
            RADIUS=repr(float(r)),
            VISIBILITY="1",
        )


def _tracks(model: ET.Element, found: Tracked) -> None:
    every = ET.SubElement(model, "AllTracks")
    shown = ET.SubElement(model, "FilteredTracks")
    order = np.argsort(found.track, kind="stable")  # cells are in the order of time
    rows, ids = found.rows[order], found.track[order]
    yx = found.table[["y", "x"]].to_numpy(np.float64)
    names, begins = np.unique(ids, return_index=True)
    for name, part in zip(names.tolist(), np.split(rows, begins[1:])):
        if name == NONE:
            continue
        cells = part.tolist()
        track = ET.SubElement(
            every,
            "Track",
            name=f"Track_{name}",
            TRACK_ID=str(name),
            TRACK_INDEX=str(name),
            NUMBER_SPOTS=str(len(cells)),
        )
        for source, target in zip(cells, cells[1:]):
            cost = float(((yx[source] - yx[target]) ** 2).sum())
            ends = {"SPOT_SOURCE_ID": str(source), "SPOT_TARGET_ID": str(target)}
            ET.SubElement(track, "Edge", {**ends, "LINK_COST": repr(cost)})
        ET.SubElement(shown, "TrackID", TRACK_ID=str(name))


def _settings(
    root: ET.Element,
    limits: Limits,
    shape: Optional[tuple[int, ...]],
    spacing: tuple[float, float],
    channel: str,
) -> None:
    settings = ET.SubElement(root, "Settings")
    frames, height, width = shape or (0, 0, 0)
    wide, high = (repr(float(size)) for size in spacing)
    image: dict[str, Any] = {"filename": f"{channel}.tif", "folder": ""}
    image.update(width=str(width), height=str(height), nslices="1", nframes=str(frames))
    image.update(pixelwidth=wide, pixelheight=high, voxeldepth="1.0", timeinterval="1.0")
    ET.SubElement(settings, "ImageData", image)
    ends = {"x": width, "y": height, "z": 1, "t": frames}
    crop = {f"{axis}start": "0" for axis in ends}
    crop.update({f"{axis}end": str(max(0, end - 1)) for axis, end in ends.items()})
    ET.SubElement(settings, "BasicSettings", crop)
    ET.SubElement(settings, "DetectorSettings", DETECTOR_NAME="MANUAL_DETECTOR", RADIUS="2.5")
    ET.SubElement(settings, "InitialSpotFilter", feature="QUALITY", value="0.0", isabove="true")
    ET.SubElement(settings, "SpotFilterCollection")
    _tracker(settings, limits)
    ET.SubElement(settings, "TrackFilterCollection")
    analyzers = ET.SubElement(settings, "AnalyzerCollection")
    for kind in ("Spot", "Edge", "Track"):
        ET.SubElement(analyzers, f"{kind}Analyzers")


def _tracker(settings: ET.Element, limits: Limits) -> None:
    tracker = ET.SubElement(
        settings,
        "TrackerSettings",
        TRACKER_NAME="SIMPLE_SPARSE_LAP_TRACKER",
        CUTOFF_PERCENTILE=repr(limits.percentile / 100),
        ALTERNATIVE_LINKING_COST_FACTOR=repr(limits.factor),
        BLOCKING_VALUE="Infinity",
    )
    gap = {
        "ALLOW_GAP_CLOSING": _bool(limits.gap_px is not None),
        "GAP_CLOSING_MAX_DISTANCE": repr(float(limits.gap_px or 0)),
        "MAX_FRAME_GAP": str(limits.max_frame_gap),
    }
    parts = {
        "Linking": {"LINKING_MAX_DISTANCE": repr(float(limits.linking_px))},
        "GapClosing": gap,
        "TrackSplitting": {"ALLOW_TRACK_SPLITTING": "false", "SPLITTING_MAX_DISTANCE": "15.0"},
        "TrackMerging": {"ALLOW_TRACK_MERGING": "false", "MERGING_MAX_DISTANCE": "15.0"},
    }
    for name, values in parts.items():
        ET.SubElement(ET.SubElement(tracker, name, values), "FeaturePenalties")


def _bool(value: bool) -> str:
    return "true" if value else "false"
