"""The pairs of a whole movie as a table, and as a network."""

from __future__ import annotations

from collections.abc import Hashable, Mapping
from dataclasses import dataclass
from typing import Any, NamedTuple, Optional

import networkx as nx
import numpy as np
import pandas as pd
from numpy.typing import NDArray

from cyto.contact._nearby import nearby
from cyto.contact._touching import shifted, touching
from cyto.core import movie

Array = NDArray[Any]
Int = NDArray[np.int64]

_UNITS = {"contact_length": ("px", "um"), "overlap": ("px2", "um2"), "distance": ("px", "um")}


@dataclass(frozen=True)
class Calibration:
    """What pixels and frames are in the world; ``None`` where it is not known."""

    pixel_size_um: Optional[float] = None
    frame_interval_s: Optional[float] = None


class Found(NamedTuple):
    """What `find` gives.

    *pairs*: one row per pair per frame. *present*: for each population, its labels, in order.
    """

    pairs: pd.DataFrame
    present: dict[str, Int]


def find(populations: Mapping[str, Array], radius_px: Optional[float], scale: Calibration) -> Found:
    """Find all pairs of one or two (T, Y, X) *populations*; see `CellContacts`."""
    names = list(populations)
    movies = list(populations.values())
    parts = [_frame_pairs(0, [np.zeros((1, 1), np.uint8)], None)]  # the columns' dtypes
    present: dict[str, list[Int]] = {name: [] for name in names}
    for frame, together in enumerate(zip(*map(movie.frames, movies))):
        ids, images = zip(*map(_small, together))
        part = _frame_pairs(frame, list(images), radius_px)
        for side, own in (("a", ids[0]), ("b", ids[-1])):
            part[side] = part[side] if own is None else own[part[side]]
        parts.append(part)
        for name, labels, own in zip(names, images, ids):
            here = _present(labels)
            present[name].append(here if own is None else own[here])
    columns = {key: np.concatenate([part[key] for part in parts]) for key in parts[0]}
    pairs = _table(columns, names, scale)
    return Found(pairs, {name: _all(found) for name, found in present.items()})


def _small(labels: Array) -> tuple[Optional[Int], Array]:
    """Give labels below 2³¹, and what they stand for where that is not themselves."""
    if labels.dtype.kind == "b":
        return None, labels.view(np.uint8)
    if labels.dtype.itemsize <= 2 or not labels.size or int(labels.max()) < 1 << 31:
        return None, labels
    ids, places = np.unique(np.append(labels.ravel(), labels.dtype.type(0)), return_inverse=True)
    return ids.astype(np.int64), places[:-1].reshape(labels.shape).astype(np.int32)


def _present(labels: Array) -> Int:
    """Give the labels in a frame, from the first pixel of each run of them along x."""
    here, there = shifted((0, 1))
    new = labels[there][labels[here] != labels[there]]
    found = np.unique(np.concatenate([labels[:, :1].ravel(), new]))
    return found[found > 0].astype(np.int64)


def _all(found: list[Int]) -> Int:
    return np.unique(np.concatenate([np.zeros(0, np.int64), *found]))


def _frame_pairs(frame: int, labels: list[Array], radius_px: Optional[float]) -> dict[str, Array]:
    first, second = labels[0], labels[1] if len(labels) > 1 else None
    touch = touching(first, second)
    n = len(touch.a)
    columns: dict[str, Array] = {
        "a": touch.a,
        "b": touch.b,
        "contact_length": touch.length_px,
        "overlap": touch.overlap_px2,
        "distance": np.zeros(n),
    }
    if radius_px is not None:
        near = nearby(first, second, radius_px, touch)
        zeros = np.zeros(len(near.a))
        more = (near.a, near.b, zeros, zeros.astype(np.int64), np.sqrt(near.square_px2))
        order = np.lexsort((np.append(touch.b, near.b), np.append(touch.a, near.a)))
        columns = {
            key: np.append(column, extra)[order]
            for (key, column), extra in zip(columns.items(), more)
        }
    return {"frame": np.full(len(columns["a"]), frame, np.int64), **columns}


def _table(columns: Mapping[str, Array], names: list[str], scale: Calibration) -> pd.DataFrame:
    n = len(columns["a"])
    full: dict[str, Any] = {"frame": columns["frame"]}
    if scale.frame_interval_s is not None:
        full["t_s"] = columns["frame"] * scale.frame_interval_s
    full.update(a=columns["a"], b=columns["b"])
    full["a_type"] = pd.Series([names[0]] * n, dtype="str")
    full["b_type"] = pd.Series([names[-1]] * n, dtype="str")
    full["relation"] = pd.Series(
        np.select([columns["overlap"] > 0, columns["distance"] > 0], ["overlap", "near"], "touch"),
        dtype="str",
    )
    for name, (pixels, microns) in _UNITS.items():
        full[f"{name}_{pixels}"] = columns[name]
        if scale.pixel_size_um is not None:
            power = 2 if microns.endswith("2") else 1
            full[f"{name}_{microns}"] = columns[name] * scale.pixel_size_um**power
    table: pd.DataFrame = pd.DataFrame(full)
    return table


def network(found: Found, scale: Calibration) -> nx.Graph[Any]:
    """Make the network of all cells: an edge for each pair, whenever and however often it met."""
    graph: nx.Graph[Any] = nx.Graph()
    several = len(found.present) > 1

    def node(population: str, label: int) -> Hashable:
        return f"{population}:{label}" if several else label

    for population, labels in found.present.items():
        for label in labels.tolist():
            graph.add_node(node(population, label), population=population, id=label)
    names = list(found.present)
    edges = _edges(found.pairs, scale)
    ends = zip(edges.pop("a").tolist(), edges.pop("b").tolist())
    for (a, b), values in zip(ends, edges.to_dict("records")):
        graph.add_edge(
            node(names[0], a),
            node(names[-1], b),
            **{str(key): value for key, value in values.items()},
        )
    return graph


def _edges(pairs: pd.DataFrame, scale: Calibration) -> pd.DataFrame:
    groups = pairs.assign(touch=pairs["relation"] != "near").groupby(["a", "b"])
    edges = groups.agg(
        start_frame=("frame", "min"),
        end_frame=("frame", "max"),
        n_frames=("frame", "size"),
        contact_frames=("touch", "sum"),
        contact_length_px=("contact_length_px", "sum"),
        min_distance_px=("distance_px", "min"),
    )
    edges.insert(2, "duration_frames", edges["end_frame"] - edges["start_frame"] + 1)
    if scale.frame_interval_s is not None:
        for name in ("start", "end", "duration"):
            edges[f"{name}_s"] = edges[f"{name}_frame" + "s" * (name == "duration")] * (
                scale.frame_interval_s
            )
    if scale.pixel_size_um is not None:
        for name in ("contact_length", "min_distance"):
            edges[f"{name}_um"] = edges[f"{name}_px"] * scale.pixel_size_um
    table: pd.DataFrame = edges.reset_index()
    return table
