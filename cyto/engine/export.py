"""Results of nodes as files for people, written when they are not there yet."""

from __future__ import annotations

import threading
from collections import defaultdict
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

from cyto.core.movie import frames
from cyto.engine.outcomes import Finding
from cyto.engine.plan import Export
from cyto.engine.stamps import STAMP, Guard, Stamp
from cyto.engine.store import Entry
from cyto.io.leftovers import remove_leftovers
from cyto.io.whole import telling
from cyto.runners import exchange

if TYPE_CHECKING:
    from cyto.io.images import Context

_SHOWN = 80
_SHARED: defaultdict[Path, threading.Lock] = defaultdict(threading.Lock)
"""Held while files appear in a folder that several nodes write into."""


def export_entry(
    entry: Entry, folder: Path, how: Export, where: Path | None = None
) -> tuple[Finding, ...]:
    """Write outputs of *entry* as *how* says; what is there is left alone.

    Other forms of the same thing that were written before are removed. A file that is not as we
    wrote it, or not ours, moves into a folder ``kept`` beside it before another takes its place.

    Parameters
    ----------
    entry
        A node's result.
    folder
        The node's own folder; names that the user gave are inside its parent.
    where
        The file that remembers what was written where the user gave names, as the folder then
        stays unmade; those of other nodes lie beside it. ``None``: one in *folder*, as always
        where he gave none.

    Returns
    -------
    What was found, with the path of each file; files that were kept are the last.
    """
    own = folder / STAMP
    stamp = Stamp(where if where and how.files else own, folder.parent)
    # a node that was forced has another result under the same key
    wanted = {"key": entry.key, "run": entry.facts.get("run"), "how": vars(how)}
    guard = Guard(stamp, lambda: [own, *(where.parent.glob("*.json") if where else ())])
    with _writing(folder, how):
        if not stamp.holds(wanted):
            noted = guard.noted()
            with telling(guard.before):
                findings, made = _written(entry, folder, how, guard)
            stamp.write({**wanted, "findings": [vars(found) for found in findings]}, made, noted)
            kept = guard.kept
            guard.clear()
        else:
            kept = []
            stamp.seen()
    told = [Finding(**found) for found in stamp.known["findings"]]
    if kept:
        more = f", and {len(kept) - 1} more" if len(kept) > 1 else ""
        text = f"was there, or was edited: kept{more}"
        told.append(Finding(key="kept", path=str(kept[0]), text=text))
    return tuple(told)


@contextmanager
def _writing(folder: Path, how: Export) -> Iterator[None]:
    """Clear what a killed run left half written, and keep other nodes out of shared folders."""
    shared = sorted({(folder.parent / name).parent for name in how.files.values()})
    with ExitStack() as stack:
        for each in shared:
            stack.enter_context(_SHARED[each])
        for each in shared or [folder]:
            remove_leftovers(each)
        yield


def _written(
    entry: Entry, folder: Path, how: Export, guard: Guard
) -> tuple[list[Finding], dict[Path, str]]:
    """Write the files; give what was found, and by file what it holds."""
    findings: list[Finding] = []
    made: dict[Path, str] = {}
    if not how.files:
        folder.mkdir(parents=True, exist_ok=True)
        for key in entry.outputs:
            guard.what = key
            findings.append(_export(entry, key, folder, how))
            made |= dict.fromkeys(_files(findings[-1], how), key)
    for key, name in how.files.items():
        if key in entry.outputs:
            guard.what = f"{key} {name}"
            paths = _export_named(entry, key, folder.parent / name, how)
            findings.append(_finding(entry, key, paths))
            made |= dict.fromkeys(paths, guard.what)
    return findings, made


def _export(entry: Entry, key: str, folder: Path, how: Export) -> Finding:
    ref = entry.outputs[key]
    value = exchange.load(ref)
    from cyto.io.exports import export_value  # NumPy comes with it

    path = export_value(
        value,
        ref.kind,
        folder,
        key,
        parquet=how.parquet,
        form=how.images,
        compression=how.compression,
        **vars(_context(entry)),
    )
    return Finding(key=key, path=str(path), text=describe(value, ref.kind))


def _export_named(entry: Entry, key: str, path: Path, how: Export) -> list[Path]:
    from cyto.io.named import export_named

    ref = entry.outputs[key]
    return export_named(exchange.load(ref), ref.kind, path, _context(entry), how.compression)


def _finding(entry: Entry, key: str, made: list[Path]) -> Finding:
    ref = entry.outputs[key]
    text = describe(exchange.load(ref), ref.kind)
    if len(made) > 1:
        text = f"{len(made)} files, {text}"
    if ref.kind == "value" and len(text) > _SHOWN:
        text = f"{len(text):,} characters"
    return Finding(key=key, path=str(made[0]) if made else "", text=text)


def _context(entry: Entry) -> Context:
    from cyto.io.images import Context

    told: dict[str, Any] = {
        name: entry.context.get(name) for name in ("pixel_size_um", "frame_interval_s", "channel")
    }
    return Context(**told)


def describe(value: Any, kind: str) -> str:
    """Say in a few words what a value holds."""
    if kind in {"image", "label"} and getattr(value, "ndim", 0) == 3:
        count, height, width = value.shape
        text = f"{count} frame{'s' * (count != 1)}, {height} × {width}"
        return f"{text}, {_cells(value)} cells per frame" if kind == "label" else text
    if kind == "dataframe":
        return f"{len(value):,} rows, {len(value.columns)} columns"
    if kind == "network":
        return f"{value.number_of_nodes():,} nodes, {value.number_of_edges():,} edges"
    return str(value) if isinstance(value, (int, float, str)) else kind


def _cells(labels: Any) -> str:
    import numpy as np

    counts = [int(np.count_nonzero(np.bincount(frame.ravel())[1:])) for frame in frames(labels)]
    return f"{np.mean(counts):.1f}" if counts else "0"


def _files(found: Finding, how: Export) -> list[Path]:
    path = Path(found.path)
    beside = path.with_suffix(".parquet")
    return [path, beside] if how.parquet and beside.exists() else [path]
