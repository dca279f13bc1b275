"""Results of nodes as files for people, written when they are not there yet."""

from __future__ import annotations

import json
import os
import secrets
import shutil
import threading
from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping
from contextlib import ExitStack, contextmanager
from itertools import chain, count
from pathlib import Path
from typing import TYPE_CHECKING, Any

from cyto.core.movie import frames
from cyto.engine.fingerprint import file_digest
from cyto.engine.outcomes import Finding
from cyto.engine.plan import Export
from cyto.engine.store import Entry
from cyto.io.leftovers import remove_leftovers
from cyto.runners import exchange

if TYPE_CHECKING:
    from cyto.io.images import Context

_STAMP = ".exported.json"
_SHOWN = 80
_SHARED: defaultdict[Path, threading.Lock] = defaultdict(threading.Lock)
"""Held while files appear in a folder that several nodes write into."""


def export_entry(
    entry: Entry, folder: Path, how: Export, stamp: Path | None = None
) -> tuple[Finding, ...]:
    """Write outputs of *entry* as *how* says; what is there is left alone.

    Where something else was written before, files of it that have no successor are removed, and one
    that a user has edited gets another name.

    Parameters
    ----------
    entry
        A node's result.
    folder
        The node's own folder; names that the user gave are inside its parent.
    stamp
        The file that remembers what was written; ``None``: one in *folder*. Needed where the user
        gave names, as the folder then stays unmade.

    Returns
    -------
    What was found, with the path of each file; edited files that were kept are the last.
    """
    kept: list[Path] = []
    stamp = stamp or folder / _STAMP
    known, boot = _read_stamp(stamp), _boot()
    # a node that was forced has another result under the same key
    wanted = {"key": entry.key, "run": entry.facts.get("run"), "how": vars(how)}
    with _writing(folder, how):
        if not _holds(known, wanted, boot):
            before = _there(known, folder.parent)
            kept = [_put_aside(path) for path in before if _edited(path, before[path])]
            known = {**wanted, **_written(entry, folder, how)}
            _remove(before.keys() - {Path(path) for path in known["files"]})
        if known.get("boot") != boot:
            stamp.parent.mkdir(parents=True, exist_ok=True)
            part = stamp.with_suffix(".part")
            part.write_text(json.dumps({**known, "boot": boot}), encoding="utf-8")
            part.replace(stamp)
    yours = (Finding(key=p.name, path=str(p), text="edited since it was made: kept") for p in kept)
    return (*(Finding(**found) for found in known["findings"]), *yours)


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


def _written(entry: Entry, folder: Path, how: Export) -> dict[str, Any]:
    if not how.files:
        folder.mkdir(parents=True, exist_ok=True)
        findings = [_export(entry, key, folder, how) for key in entry.outputs]
        paths = [Path(path) for found in findings for path in _files(found, how)]
    else:
        findings, paths = [], []
        for key, name in how.files.items():
            if key in entry.outputs:
                made = _export_named(entry, key, folder.parent / name, how)
                findings.append(_finding(entry, key, made))
                paths += made
    files = {str(path): _identity(path) for path in paths}
    root = str(folder.parent)
    return {"root": root, "files": files, "findings": [vars(found) for found in findings]}


def _holds(known: dict[str, Any], wanted: dict[str, Any], boot: str) -> bool:
    """Tell whether what a stamp says is what is wanted, and its files are still as it says."""
    if "files" not in known or any(known.get(name) != value for name, value in wanted.items()):
        return False
    whole = known.get("boot") == boot
    return all(_unchanged(Path(path), was, whole) for path, was in known["files"].items())


def _there(known: Mapping[str, Any], root: Path) -> dict[Path, list[object]]:
    """Give the files that a stamp tells of and that are there, wherever the folder is now."""
    found = {}
    for written, was in known.get("files", {}).items():
        inside = os.path.relpath(written, str(known.get("root")))
        if not inside.startswith("..") and (root / inside).exists():
            found[root / inside] = was
    return found


def _edited(path: Path, was: list[object]) -> bool:
    """Tell whether somebody wrote into a file; what a power loss took leaves the time as it was."""
    return path.stat().st_mtime_ns != was[1] and file_digest(path) != was[2]


def _put_aside(path: Path) -> Path:
    """Rename ``labels.ome.tif`` to ``labels.edited.ome.tif``, or with a number."""
    stem, dot, endings = path.name.partition(".")
    names = chain(["edited"], (f"edited-{number}" for number in count(2)))
    free = (path.with_name(f"{stem}.{name}{dot}{endings}") for name in names)
    kept = next(each for each in free if not each.exists())
    path.rename(kept)
    return kept


def _remove(paths: Iterable[Path]) -> None:
    for path in paths:
        if path.is_dir():
            shutil.rmtree(path)
        else:
            path.unlink(missing_ok=True)  # edited ones bear another name by now


def export_folders(output_dir: Path) -> list[Path]:
    """Find the folders that something was exported into: a node's, or a node's of a sample."""
    stamps = [stamp for depth in ("*", "*/*") for stamp in output_dir.glob(f"{depth}/{_STAMP}")]
    return [stamp.parent for stamp in stamps]


def exported_files(folder: Path) -> tuple[str, list[Path]]:
    """Name the files that `export_entry` wrote into *folder* and that nobody has changed since.

    Returns
    -------
    The key of their result, and their paths, the stamp last; an empty key where nothing was
    exported.
    """
    stamp = folder / _STAMP
    known = _read_stamp(stamp)
    if folder.is_symlink() or "key" not in known or not isinstance(known.get("files"), dict):
        return "", []
    files: list[Path] = []
    for written, was in known["files"].items():
        path = folder / Path(written).name  # the output folder may have moved
        if path.name not in {"", ".."} and _unchanged(path, was, whole=True):
            files.append(path)
    return str(known["key"]), [*files, stamp]


def named_exports(stamp: Path, root: Path) -> tuple[str, list[Path]]:
    """Name the files inside *root* that *stamp* tells of and that nobody has changed since.

    Returns
    -------
    As `exported_files`.
    """
    known = _read_stamp(stamp)
    if "key" not in known or not isinstance(known.get("files"), dict):
        return "", []
    files: list[Path] = []
    for written, was in known["files"].items():
        inside = os.path.relpath(written, str(known.get("root")))  # the folder may have moved
        if not inside.startswith("..") and _unchanged(root / inside, was, whole=True):
            files.append(root / inside)
    return str(known["key"]), [*files, stamp]


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


def _read_stamp(stamp: Path) -> dict[str, Any]:
    try:
        data = json.loads(stamp.read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return {}
    return data if isinstance(data, dict) else {}


def _files(found: Finding, how: Export) -> list[str]:
    beside = Path(found.path).with_suffix(".parquet")
    return [found.path, *([str(beside)] if how.parquet and beside.exists() else [])]


def _identity(path: Path) -> list[object]:
    stat = path.stat()
    return [stat.st_size, stat.st_mtime_ns, file_digest(path)]


def _unchanged(path: Path, was: list[object], whole: bool) -> bool:
    """Compare a file with what it was; by its contents only when the machine went down since.

    A power loss may leave a file its size and its time, and take what was in it.
    """
    try:
        stat = path.stat()
        same = [stat.st_size, stat.st_mtime_ns] == was[:2]
        return same and (whole or file_digest(path) == was[2])
    except OSError:
        return False


def _boot() -> str:
    """Name the time since this machine was last started."""
    try:
        return Path("/proc/sys/kernel/random/boot_id").read_text(encoding="ascii").strip()
    except OSError:  # not Linux: contents are always compared
        return secrets.token_hex(8)
