"""The tables of a run that plots are made of: which there are, and their columns as numbers."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any

from cyto.core.request import Ref
from cyto.engine.store import Entry
from cyto.engine.view import NodeView, RunView
from cyto.report.details import Details
from cyto.report.folding import sources

_KINDS = {"halffloat": "f2", "float": "f4", "double": "f8"}
STAGE_BASED = {"track_id": "TrackID", "y": "j", "x": "i"}
"""Our columns by the names that they have in tables of stage-based pipelines; places are in px."""
_ROWS = 5_000_000
"""A table with more rows is not plotted: the page would wait for it."""


@dataclass(frozen=True, kw_only=True)
class Table:
    """One table of a node.

    Parameters
    ----------
    node, key
        Who made it, and its name among the node's outputs.
    group
        The condition that its sample has, where samples are told apart by one.
    population
        The cells that it is about, in a word.
    ref
        Where it lies.
    interval_s
        Seconds between frames, as they are known of what it was made of; 0 where they are not.
    """

    node: NodeView
    key: str
    group: str
    population: str
    ref: Ref
    interval_s: float = 0.0
    read: dict[str, Any] = field(default_factory=dict, compare=False)

    def has(self, *columns: str) -> bool:
        """Tell whether it has all of these columns."""
        known = set(self.ref.columns or ())
        return {self._names.get(name, name) for name in columns} <= known

    @cached_property
    def _names(self) -> Mapping[str, str]:
        return names_in(self.ref.columns or ())

    @cached_property
    def rows(self) -> int | None:
        """How many rows it has; ``None`` where it cannot be read."""
        try:
            return int(self._stored().num_rows)
        except (OSError, ValueError):
            return None

    def column(self, name: str) -> Any:
        """Give a column: numbers as float64 with NaN for what is missing, else a list."""
        if name not in self.read:
            self.read[name] = _values(self._arrow()[self._names.get(name, name)])
        return self.read[name]

    def _arrow(self) -> Any:
        table = self._stored()
        if table.num_rows > _ROWS:
            raise ValueError(f"{table.num_rows:,} rows are too many for a plot")
        return table

    def _stored(self) -> Any:
        if "" not in self.read:
            import pyarrow as pa

            with pa.memory_map(self.ref.path) as source:
                self.read[""] = pa.ipc.open_file(source).read_all()
        return self.read[""]


def names_in(columns: Iterable[str]) -> Mapping[str, str]:
    """Give the names of our columns that are others in a table with *columns*."""
    return STAGE_BASED if set(STAGE_BASED.values()) <= set(columns) else {}


def _values(column: Any) -> Any:
    import numpy as np
    import pyarrow as pa

    kind = column.type
    if pa.types.is_boolean(kind) or pa.types.is_integer(kind) or pa.types.is_floating(kind):
        parts = [_numbers(chunk) for chunk in column.chunks]
        return np.concatenate(parts) if parts else np.array([])
    return column.to_pylist()


def _numbers(array: Any) -> Any:
    """Give an Arrow array as float64; Arrow's own way would import pandas, a third of a second.

    References
    ----------
    https://arrow.apache.org/docs/format/Columnar.html: a buffer of values, and one of bits that
    tell which of them are there.
    """
    import numpy as np

    start, stop = array.offset, array.offset + len(array)
    valid, data = array.buffers()
    if str(array.type) == "bool":
        values = _bits(data)[start:stop].astype(float)
    else:
        kind = _KINDS.get(str(array.type), str(array.type))
        values = np.frombuffer(data, kind, stop)[start:].astype(float)
    if valid is not None and array.null_count:
        values[_bits(valid)[start:stop] == 0] = np.nan
    return values


def _bits(buffer: Any) -> Any:
    import numpy as np

    return np.unpackbits(np.frombuffer(buffer, np.uint8), bitorder="little")


class Tables:
    """Find the tables of a run.

    Parameters
    ----------
    view, details
        The run, and what reads its results.
    """

    def __init__(self, view: RunView, details: Details) -> None:
        self._view, self._details = view, details
        self._channels = view.started.get("channels", {})
        self._condition = _condition(view.started.get("samples", {}))
        self._entries: dict[str, Entry | None] = {}

    def all(self) -> list[Table]:
        """Give all tables that were stored, in the order of the nodes."""
        return list(self._all())

    def feeds(self) -> dict[str, set[str]]:
        """Give for each node those that make its inputs, by the names of the pipeline file."""
        nodes = self._view.nodes.values()
        return {n.plain: {s.rpartition("/")[2] for s in self._sources(n).values()} for n in nodes}

    def _all(self) -> Iterator[Table]:
        for node in self._view.nodes.values():
            entry = self._entry(node)
            if entry is None:
                continue
            seconds: Any = entry.context.get("frame_interval_s")
            for key, ref in entry.outputs.items():
                if ref.kind == "dataframe" and ref.format == "arrow":
                    yield Table(
                        node=node,
                        key=key,
                        group=self._group(node),
                        population=self._population(node),
                        ref=ref,
                        interval_s=float(seconds or 0.0),
                    )

    def _entry(self, node: NodeView) -> Entry | None:
        if node.name not in self._entries:
            self._entries[node.name] = self._details.entry(node)
        return self._entries[node.name]

    def _sources(self, node: NodeView) -> dict[str, str]:
        return sources(node, self._channels)

    def _group(self, node: NodeView) -> str:
        conditions = self._view.started.get("samples", {}).get(node.sample, {})
        return str(conditions[self._condition]) if self._condition in conditions else ""

    def _population(self, node: NodeView) -> str:
        """Name the channel that a node's cells were found in: the first up the way with one."""
        seen, here = set[str](), node
        while here.name not in seen:
            seen.add(here.name)
            entry = self._entry(here)
            channel = entry.context.get("channel") if entry is not None else None
            if channel:
                return str(channel)
            known = self._sources(here)
            before = known.get("dataframe") or known.get("label") or next(iter(known.values()), "")
            if before not in self._view.nodes:
                break
            here = self._view.nodes[before]
        return node.plain


def _condition(samples: Mapping[str, Mapping[str, Any]]) -> str:
    """Choose the condition that samples are told apart by: the first with few values."""
    names = dict.fromkeys(name for given in samples.values() for name in given)
    for name in names:
        values = {str(given.get(name)) for given in samples.values()}
        if 2 <= len(values) <= 4 and len(values) < len(samples):
            return name
    return ""
