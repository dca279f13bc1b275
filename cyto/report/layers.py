"""What there is to look at of a run: images, labels and tracks, as layers of a viewer."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, Literal

from cyto._typing import JSON
from cyto.core.layout import RunLayout
from cyto.core.request import Ref
from cyto.engine.record import read_events
from cyto.engine.store import Entry, Store
from cyto.errors import ConfigError, CytoError, Problem, UnavailableError, nearest
from cyto.report.tables import names_in

Kind = Literal["image", "labels", "tracks"]
_ORDER: tuple[Kind, ...] = ("image", "labels", "tracks")
_TRACKED = ("track_id", "frame", "y", "x")


@dataclass(frozen=True, kw_only=True)
class Layer:
    """One layer; its pixels or rows are not read yet.

    Parameters
    ----------
    kind
        As a viewer has them.
    name
        Unique: a channel's, or ``node.key``, with the sample before it where there are several.
    ref
        Where its data are.
    scale
        Size of a step along (T, Y, X) in seconds and micrometres; 1 where it is not known.
    units
        Of the scale: ``s`` or ``frame``, ``µm`` or ``px``.
    visible
        Whether it is shown at once: images that nodes made lie over those that they were made of.
    metadata
        What else is known.
    """

    kind: Kind
    name: str
    ref: Ref
    scale: tuple[float, float, float] = (1.0, 1.0, 1.0)
    units: tuple[str, str, str] = ("frame", "px", "px")
    visible: bool = True
    metadata: Mapping[str, JSON] = field(default_factory=dict)


@dataclass(frozen=True, kw_only=True)
class View:
    """The layers of a run, those at the bottom first, and what could not be shown."""

    layers: tuple[Layer, ...]
    lacking: tuple[str, ...] = ()


def collect_layers(layout: RunLayout, *, sample: str | None = None) -> View:
    """Find the layers of a run: channels, then images, labels and tracks that nodes made.

    Parameters
    ----------
    sample
        Whose; ``None`` for the first of several.

    Raises
    ------
    UnavailableError
        There is nothing to look at.
    ConfigError
        There is no such sample.
    """
    events = list(read_events(layout.record))
    started = next((event for event in events if event["event"] == "run_started"), None)
    if started is None:
        raise UnavailableError(f"{layout.record} does not say how the run began")
    chosen = _sample(list(started.get("samples") or ()), sample)
    lacking: list[str] = []
    found = list(_channels(layout, started.get("channels") or {}, chosen, lacking))
    ends = {e["node"]: e.get("key") for e in events if e["event"] == "node_finished"}
    keys = {name: str(ends[name]) for name in started["nodes"] if ends.get(name)}
    made = list(_products(layout, keys, chosen, lacking))
    found += _original(made, started["nodes"])
    if not found:
        hint = "; ".join(lacking) or "no node made an image, labels or tracks"
        raise UnavailableError(f"there is nothing to look at in {layout.output_dir}", hint=hint)
    found.sort(key=lambda layer: _ORDER.index(layer.kind))  # stable: the pipeline's order within
    return View(layers=tuple(hidden_below(found)), lacking=tuple(lacking))


def _original(layers: list[Layer], nodes: Mapping[str, Any]) -> Iterator[Layer]:
    """Leave out tables that were given their tracks, and hide labels that a node made anew."""
    kinds = {layer.name: layer.kind for layer in layers}
    makes: dict[str, set[str]] = {}
    for layer in layers:
        makes.setdefault(str(layer.metadata["node"]), set()).add(layer.kind)
    given = {node: set(facts["inputs"].values()) for node, facts in nodes.items()}
    renewed = {
        name for node, names in given.items() for name in names if "labels" in makes.get(node, ())
    }
    for layer in layers:
        came = {kinds.get(name) for name in given.get(str(layer.metadata["node"]), ())}
        if layer.kind == "tracks" and "tracks" in came:
            continue
        yield replace(layer, visible=not (layer.kind == "labels" and layer.name in renewed))


def hidden_below(layers: list[Layer]) -> Iterator[Layer]:
    """Hide images that nodes made where the channels are there to look at.

    Channels in µm do not lie under labels of which no pixel size is known.
    """
    found = {layer.units for layer in layers if layer.kind == "labels"}
    under = {
        layer.name
        for layer in layers
        if layer.kind == "image" and not layer.metadata and (not found or layer.units in found)
    }
    for layer in layers:
        image, made = layer.kind == "image", bool(layer.metadata)
        shown = not image or (not under if made else layer.name in under)
        yield replace(layer, visible=layer.visible and shown)


def _sample(known: list[str], asked: str | None) -> str | None:
    if asked is None:
        return known[0] if known else None
    if asked not in known:
        message = f"there is no sample {asked!r} in this run"
        raise ConfigError([Problem(message, nearest(asked, known, what="sample"), file="--sample")])
    return asked


def _of(name: str, sample: str | None) -> bool:
    """Tell whether a channel or node belongs to a sample, or to all of them."""
    return "/" not in name or name.startswith(f"{sample}/")


def _channels(
    layout: RunLayout, specs: Mapping[str, Any], sample: str | None, lacking: list[str]
) -> Iterator[Layer]:
    from cyto.engine.inputs import ChannelReader
    from cyto.io.channels import Channel, ChannelSpec, inspect_channel

    channels: dict[str, Channel] = {}
    for name, facts in specs.items():
        if _of(name, sample):
            try:
                channels[name] = inspect_channel(ChannelSpec(**facts["spec"]))
            except CytoError as error:
                lacking.append(str(error))
    reader = ChannelReader(channels, layout.store)
    for name in channels:
        try:
            ref, _ = reader.read(name)
        except (CytoError, OSError) as error:
            lacking.append(f"channel {name!r}: {error}")
            continue
        scale, units = calibrated(reader.context(name))
        yield Layer(kind="image", name=name, ref=ref, scale=scale, units=units)


def _products(
    layout: RunLayout, keys: Mapping[str, str], sample: str | None, lacking: list[str]
) -> Iterator[Layer]:
    store = Store(layout.store)
    for node, key in keys.items():
        if _of(node, sample):
            try:
                entry = store.look(key)
            except ValueError as error:
                lacking.append(f"{node}: {error}")
                continue
            if entry is None:
                lacking.append(f"{node}: its result is in the store no more; run again")
            else:
                yield from _layers(node, entry)


def _layers(node: str, entry: Entry) -> Iterator[Layer]:
    scale, units = calibrated(entry.context)
    for key, ref in entry.outputs.items():
        kind = _kind(ref)
        if kind is not None:
            yield Layer(
                kind=kind,
                name=f"{node}.{key}",
                ref=ref,
                scale=scale,
                units=units,
                metadata={"task": entry.facts.get("task"), "node": node},
            )


def _kind(ref: Ref) -> Kind | None:
    if ref.kind == "image":
        return "image"
    if ref.kind == "label":
        return "labels"
    columns = set(ref.columns or ())
    wanted = {names_in(columns).get(name, name) for name in _TRACKED}
    tracked = ref.kind == "dataframe" and columns >= wanted
    return "tracks" if tracked else None


def calibrated(
    context: Mapping[str, Any],
) -> tuple[tuple[float, float, float], tuple[str, str, str]]:
    """Give scale and units along (T, Y, X) from what travels with data."""
    pixel, interval = context.get("pixel_size_um"), context.get("frame_interval_s")
    scale = (interval or 1.0, pixel or 1.0, pixel or 1.0)
    space = "µm" if pixel else "px"
    return scale, ("s" if interval else "frame", space, space)


def track_rows(table: Any) -> tuple[Any, dict[int, list[int]]]:
    """Give tracks as napari has them.

    Parameters
    ----------
    table
        With the columns ``track_id``, ``frame``, ``y``, ``x`` (px), or with ``TrackID``, ``j``,
        ``i``, and perhaps ``parent_track_id``, -1 or missing where there is none.

    Returns
    -------
    (N, 4) float64, the columns track, frame, y, x, in the order of tracks and frames; and the
    parents of each daughter. Rows without a track or a place are left out, and parents that are
    not among the tracks.
    """
    import numpy as np

    names = names_in(table.columns)
    rows = table[[names.get(name, name) for name in _TRACKED]].astype(np.float64)
    rows.columns = list(_TRACKED)
    rows = rows[np.isfinite(rows).all(axis=1) & (rows["track_id"] >= 0)]
    rows = rows.sort_values(["track_id", "frame"], kind="stable")
    known = {int(track) for track in rows["track_id"].unique()}
    graph: dict[int, list[int]] = {}
    if "parent_track_id" in table.columns:
        pairs = table.loc[rows.index, ["track_id", "parent_track_id"]].dropna().drop_duplicates()
        for child, parent in pairs.astype(np.int64).itertuples(index=False):
            if parent in known and parent != child:
                graph.setdefault(int(child), []).append(int(parent))
    return rows.to_numpy(), graph


def output_of(view: View) -> list[dict[str, Any]]:
    """Give layers as plain data, for a program."""
    return [
        {
            "kind": layer.kind,
            "name": layer.name,
            "path": layer.ref.path and str(Path(layer.ref.path)),
            "scale": list(layer.scale),
            "units": list(layer.units),
            "visible": layer.visible,
        }
        for layer in view.layers
    ]
