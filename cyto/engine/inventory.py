"""What lies in an output folder: how much room it takes, and whether a run has a use for it."""

from __future__ import annotations

import os
import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal

from cyto.core.layout import ASIDE, RunLayout, cache_folder
from cyto.engine.claims import Claims
from cyto.engine.history import History, read_history
from cyto.engine.stamps import STAMP, export_folders, exported_files
from cyto.engine.store import Entry, Store
from cyto.errors import ConfigError, Problem

Kind = Literal[
    "result", "chunks", "channel", "export", "log", "jobs", "record", "half-written", "cache"
]
_TEMPORARY = re.compile(r"\.[0-9a-f]{16}\.(tmp|old)|\.exported\.part")
_KEY = re.compile(r"[0-9a-f]{32}")


@dataclass(frozen=True, kw_only=True)
class Item:
    """One thing that takes room.

    Parameters
    ----------
    kind
        What it is; ``log`` and ``cache`` are never removed.
    name
        The node, channel or run that it belongs to.
    paths
        Its files and folders.
    size
        Room on the disk in bytes; a file with two names is counted once.
    used
        When a run last made or used it, in seconds since the epoch.
    stale
        Whether the same runs, repeated, would have no use for it.
    key
        Of a result that is a line among others in its file, which is not for it alone.
    """

    kind: Kind
    name: str
    paths: tuple[Path, ...]
    size: int
    used: float
    stale: bool = False
    key: str = ""


def check_output_dir(output_dir: Path) -> RunLayout:
    """Make sure that pyCyto ran in a folder.

    Raises
    ------
    ConfigError
        It has no ``.cyto``; names folders below it that have one.
    """
    layout = RunLayout(output_dir, "")
    if layout.state.is_dir():
        return layout
    below = [p.parent for depth in ("*", "*/*") for p in output_dir.glob(f"{depth}/.cyto")]
    hint = f"did you mean {below[0]}?" if below else "name the output_dir of a pipeline that ran"
    raise ConfigError([Problem(f"{output_dir} is no output folder: it has no .cyto", hint)])


def take_inventory(output_dir: Path) -> list[Item]:
    """List everything that pyCyto keeps for an output folder, and its cache folder.

    Notes
    -----
    Reads the records of all runs, and sizes, not contents, of everything else.
    """
    layout = check_output_dir(output_dir)
    return list(_Inventory(layout, read_history(output_dir)).items())


@dataclass
class _Inventory:
    layout: RunLayout
    history: History
    seen: set[tuple[int, int]] = field(default_factory=set)
    kept: dict[str, Entry] = field(default_factory=dict)

    def items(self) -> Iterator[Item]:
        yield from self._logs()  # first: a job's log is the same file, and goes with the job
        yield from self._results()
        yield from self._chunks()
        yield from self._channels()
        yield from self._exports()
        yield from self._runs()
        yield from self._half_written()
        yield self._item("cache", str(cache_folder()), [cache_folder()])

    def _item(
        self, kind: Kind, name: str, paths: Iterable[Path], used: float = 0.0, stale: bool = False
    ) -> Item:
        paths = tuple(paths)
        size = sum(_room(path, self.seen) for path in paths)
        used = max([used, *(_changed(path) for path in paths)])
        return Item(kind=kind, name=name, paths=paths, size=size, used=used, stale=stale)

    def _results(self) -> Iterator[Item]:
        if not self.layout.store.is_dir():
            return
        store = Store(self.layout.store)
        names: dict[str, list[str]] = {}
        for (_, node), key in self.history.results.items():
            names.setdefault(key, []).append(node)
        for folder in sorted(store.folder.glob("??/*")):
            key = folder.name
            if key in store.values or not _KEY.fullmatch(key) or not folder.is_dir():
                continue
            try:
                entry = store.look(key)
            except ValueError:
                yield self._item("half-written", key, [folder], stale=True)
                continue
            if entry is not None:
                name, stale = self._judged(entry, names)
                used = self.history.used.get(key, 0.0)
                yield self._item("result", name, [folder], used, stale)
        yield from self._lines(store, names)
        store.values.close()

    def _lines(self, store: Store, names: Mapping[str, list[str]]) -> Iterator[Item]:
        """List results that are lines of one file."""
        path = store.values.path
        for key in sorted(store.values):
            try:
                entry = store.look(key)
            except ValueError:
                entry = None
            name, stale = (key, True) if entry is None else self._judged(entry, names)
            yield Item(
                kind="half-written" if entry is None else "result",
                name=name,
                paths=(path,),
                size=store.values.size(key),
                used=self.history.used.get(key) or _changed(path),
                stale=stale,
                key=key,
            )

    def _judged(self, entry: Entry, names: Mapping[str, list[str]]) -> tuple[str, bool]:
        """Name the nodes of a result, and tell whether it is stale."""
        key = entry.key
        # a killed run may have published what it could not record
        if key in names or entry.facts.get("run") in self.history.cut:
            self.kept[key] = entry
        return ", ".join(names.get(key) or [str(entry.facts.get("node"))]), key not in self.kept

    def _chunks(self) -> Iterator[Item]:
        """List results that are half there; the next run goes on with those of the last one."""
        claimed = Claims(self.layout.submissions).names()  # the cluster still writes there
        for folder in sorted(self.layout.parts.glob("[!.]*")):
            stale = _changed(folder) < self.history.since and folder.name not in claimed
            yield self._item("chunks", folder.name, [folder], stale=stale)

    def _channels(self) -> Iterator[Item]:
        read = {
            str(digest)[:32]
            for entry in self.kept.values()
            for digest in (entry.facts.get("inputs") or {}).values()
        }
        for folder in sorted(self.layout.channels.glob("*")):
            name = ", ".join(sorted(path.stem for path in folder.glob("[!.]*")))
            if not name or not _KEY.fullmatch(folder.name):
                continue  # one that is read where it lies has an empty folder
            # one that the last run decoded for a node that failed is in no result
            wanted = folder.name in read or _changed(folder) >= self.history.since > 0
            yield self._item("channel", name, [folder], stale=not wanted)

    def _exports(self) -> Iterator[Item]:
        wanted = self.history.current | self.kept.keys()
        for folder in self._export_folders():
            key, files = exported_files(folder / STAMP, folder.parent)
            if files:  # those of nodes that no record knows were kept on purpose
                node = str(folder.relative_to(self.layout.output_dir))
                stale = key not in wanted and node in self.history.nodes
                used = self.history.used.get(key, 0.0)
                yield self._item("export", node, files, used, stale)
        for node, key, files in self._named_exports():
            stale = key not in wanted and node in self.history.nodes
            yield self._item("export", node, files, self.history.used.get(key, 0.0), stale)

    def _named_exports(self) -> Iterator[tuple[str, str, list[Path]]]:
        """Give what lies under names that the user gave: node, key, files."""
        for stamp in sorted(self.layout.exports.rglob("*.json")):
            node = stamp.relative_to(self.layout.exports).with_suffix("").as_posix()
            key, files = exported_files(stamp, self.layout.export(node).parent)
            if files:
                yield node, key, files

    def _export_folders(self) -> list[Path]:
        named = (self.layout.export(node) for node in self.history.nodes)
        return sorted({*named, *export_folders(self.layout.output_dir)})

    def _logs(self) -> Iterator[Item]:
        for node in sorted(self.history.nodes):
            if self.layout.log(node).is_file():
                yield self._item("log", node, [self.layout.log(node)])

    def _runs(self) -> Iterator[Item]:
        claimed = {folder.parents[1] for folder in Claims(self.layout.submissions).folders()}
        for folder in sorted(self.layout.runs.glob("*")):
            run = RunLayout(self.layout.output_dir, folder.name)
            if folder.name.startswith(ASIDE) or not folder.is_dir():
                continue
            used = _changed(run.record)
            jobs = [path for path in (run.jobs, run.batches) if path.is_dir()]
            if jobs and folder not in claimed:  # else jobs of it are still on the cluster
                yield self._item("jobs", folder.name, jobs, used, stale=True)
            yield self._item("record", folder.name, [folder], used)

    def _half_written(self) -> Iterator[Item]:
        ours = self.layout.state, self.layout.store, self.layout.runs, self.layout.parts
        hidden = [p for folder in ours for p in folder.glob(f"{ASIDE}*")]
        hidden += [p for folder in ours[1:] for p in folder.glob(f"*/{ASIDE}*")]
        folders = [*self.layout.channels.glob("*")]
        folders += [folder for folder in self._export_folders() if not folder.is_symlink()]
        folders += [path.parent for _, _, files in self._named_exports() for path in files]
        hidden += [p for f in folders for p in f.glob(".*") if _is_temporary(p)]
        for path in sorted(set(hidden)):
            yield self._item("half-written", path.name, [path], stale=True)


def _is_temporary(path: Path) -> bool:
    return bool(_TEMPORARY.fullmatch(path.name)) or path.name.startswith(ASIDE)


def _changed(path: Path) -> float:
    try:
        return path.lstat().st_mtime
    except OSError:
        return 0.0


def _room(path: Path, seen: set[tuple[int, int]]) -> int:
    """Add up the blocks of all files, as ``du`` does; what is in *seen* counts no more."""
    total = 0
    for file in _walk(path):
        try:
            status = os.lstat(file)
        except OSError:  # gone meanwhile
            continue
        identity = status.st_dev, status.st_ino
        if identity not in seen:
            seen.add(identity)
            total += status.st_blocks * 512
    return total


def _walk(path: Path) -> Iterator[str]:
    yield str(path)
    if path.is_dir() and not path.is_symlink():
        for folder, folders, files in os.walk(path):
            yield from (f"{folder}/{name}" for name in (*folders, *files))
