"""Results of nodes as files for people, written when they are not there yet."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from cyto.core.movie import frames
from cyto.engine.outcomes import Finding
from cyto.engine.plan import Export
from cyto.engine.store import Entry
from cyto.io.exports import export_value
from cyto.runners import exchange

_STAMP = ".exported.json"


def export_entry(entry: Entry, folder: Path, how: Export) -> tuple[Finding, ...]:
    """Write all outputs of *entry* into *folder* as *how* says; what is there is left alone.

    Returns
    -------
    What was found, with the path of each file.
    """
    stamp = folder / _STAMP
    known = _read_stamp(stamp)
    # a node that was forced has another result under the same key
    made = {"key": entry.key, "run": entry.facts.get("run"), "how": vars(how)}
    if {name: known.get(name) for name in made} == made and all(
        _unchanged(f) for f in known["findings"]
    ):
        return tuple(Finding(**_finding(found)) for found in known["findings"])
    folder.mkdir(parents=True, exist_ok=True)
    findings = tuple(_export(entry, key, folder, how) for key in entry.outputs)
    written = {
        **made,
        "findings": [{**vars(found), **_identity(Path(found.path))} for found in findings],
    }
    part = stamp.with_suffix(".part")
    part.write_text(json.dumps(written), encoding="utf-8")
    part.replace(stamp)
    return findings


def export_folders(output_dir: Path) -> list[Path]:
    """Find the folders that something was exported into."""
    return [stamp.parent for stamp in output_dir.glob(f"*/{_STAMP}")]


def exported_files(folder: Path) -> tuple[str, list[Path]]:
    """Name the files that `export_entry` wrote into *folder* and that nobody has changed since.

    Returns
    -------
    The key of their result, and their paths, the stamp last; an empty key where nothing was
    exported.
    """
    stamp = folder / _STAMP
    known = _read_stamp(stamp)
    if folder.is_symlink() or not known:
        return "", []
    files: list[Path] = []
    for found in known["findings"]:
        path = folder / Path(found["path"]).name  # the output folder may have moved
        if path.name not in {"", ".."} and _unchanged({**found, "path": str(path)}):
            files.append(path)
            beside = path.with_suffix(".parquet")
            if beside != path and beside.exists() and _is_ours(beside, stamp, known):
                files.append(beside)
    return str(known["key"]), [*files, stamp]


def _is_ours(parquet: Path, stamp: Path, known: Mapping[str, Any]) -> bool:
    asked = bool((known.get("how") or {}).get("parquet"))
    return asked and parquet.stat().st_mtime_ns <= stamp.stat().st_mtime_ns


def _export(entry: Entry, key: str, folder: Path, how: Export) -> Finding:
    ref = entry.outputs[key]
    value = exchange.load(ref)
    context: dict[str, Any] = {
        name: entry.context.get(name) for name in ("pixel_size_um", "frame_interval_s", "channel")
    }
    path = export_value(
        value,
        ref.kind,
        folder,
        key,
        parquet=how.parquet,
        form=how.images,
        compression=how.compression,
        **context,
    )
    return Finding(key=key, path=str(path), text=describe(value, ref.kind))


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


def _read_stamp(stamp: Path) -> dict[str, Any]:
    try:
        data = json.loads(stamp.read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return {}
    whole = isinstance(data, dict) and "key" in data and isinstance(data.get("findings"), list)
    return data if whole else {}


def _identity(path: Path) -> dict[str, int]:
    stat = path.stat()
    return {"size": stat.st_size, "mtime_ns": stat.st_mtime_ns}


def _unchanged(found: dict[str, Any]) -> bool:
    try:
        now = _identity(Path(found["path"]))
    except OSError:
        return False
    return now == {"size": found["size"], "mtime_ns": found["mtime_ns"]}


def _finding(found: dict[str, Any]) -> dict[str, Any]:
    return {name: found[name] for name in ("key", "path", "text")}
