"""The store: results of nodes, addressed by what they depend on, whole or not at all."""

from __future__ import annotations

import contextlib
import json
import os
import shutil
import threading
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import xxhash

from cyto._typing import JSON
from cyto.core.layout import ASIDE, aside
from cyto.core.request import Ref
from cyto.engine.durability import GroupCommit
from cyto.engine.replacement import replace_folder
from cyto.engine.values import ValueLines
from cyto.io.leftovers import remove_leftovers

VALUES = "values.jsonl"
_MANIFEST = "manifest.json"
_BLOCK = 1 << 22


@dataclass(frozen=True, kw_only=True)
class Entry:
    """One published result.

    Parameters
    ----------
    key
        What the store knows it by.
    outputs
        References by output key, paths absolute.
    context
        Calibration and channel that travel with the data.
    facts
        How it was made: task, parameters, time, memory, versions, host.
    """

    key: str
    outputs: Mapping[str, Ref]
    context: Mapping[str, JSON] = field(default_factory=dict)
    facts: Mapping[str, Any] = field(default_factory=dict)


class Store:
    """A folder of results.

    An entry appears by one rename, or as one line where it holds no file, so it is there whole or
    not at all; its files and its line carry checksums that are compared when it is first read, so
    that what a crash cut short, or a disk damaged, is found and computed again. Entries reach the
    disk within a second, and when `close` returns.
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        folder.mkdir(parents=True, exist_ok=True)
        self.values = ValueLines(folder / VALUES)
        self._disk = GroupCommit(folder)
        self._lock = threading.Lock()

    def path(self, key: str) -> Path:
        """Name the folder of an entry."""
        return self.folder / key[:2] / key

    def get(self, key: str) -> Entry | None:
        """Give the entry, or ``None`` when it is not there; a damaged one is removed."""
        folder = self.path(key)
        try:
            return self._line(key) or _entry(key, folder, _manifest(folder, _checksum_differs))
        except ValueError:
            self.values.forget(key)
            self._discard(folder)
        except FileNotFoundError:
            pass
        return None

    def look(self, key: str) -> Entry | None:
        """Give the entry as `get` does, quickly: sizes of files are compared, not checksums.

        Raises
        ------
        ValueError
            It is damaged; it is left as it is.
        """
        folder = self.path(key)
        try:
            return self._line(key) or _entry(key, folder, _manifest(folder, _size_differs))
        except FileNotFoundError:
            return None

    def publish(self, key: str, out: Path, entry: Entry, *, again: bool = False) -> Entry:
        """Move the finished folder *out* into the store as *key*.

        Parameters
        ----------
        out
            The job's output folder, on the same file system; it is gone afterwards. It need not
            be there when all outputs are values.
        entry
            What to write into the manifest; paths lie in *out*.
        again
            Take the place of an entry that is there.

        Returns
        -------
        The entry with its paths in the store. When somebody else published the same key first,
        theirs, which is the same, unless *again* is set.
        """
        if not out.exists():
            return self._publish_values(key, entry, again=again)
        # there already when an earlier run was killed just before its rename
        ours = out / _MANIFEST
        files = sorted(p for p in out.rglob("*") if p.is_file() and p != ours)
        manifest = _as_read(
            {
                "outputs": {
                    name: replace(ref, path=ref.path and os.path.relpath(ref.path, out)).to_json()
                    for name, ref in entry.outputs.items()
                },
                "context": dict(entry.context),
                "facts": dict(entry.facts),
                "files": {os.path.relpath(p, out): [p.stat().st_size, _checksum(p)] for p in files},
            }
        )
        sealed = {**manifest, "checksum": _text_checksum(manifest)}
        ours.write_text(json.dumps(sealed), encoding="utf-8")
        folder = self.path(key)
        folder.parent.mkdir(exist_ok=True)
        try:
            out.rename(folder)
        except OSError:
            if again:
                replace_folder(out, folder)
            elif (folder / _MANIFEST).exists():
                shutil.rmtree(out, ignore_errors=True)
                return self.look(key) or _entry(key, folder, manifest)
            else:
                raise
        if again:
            self.values.forget(key)
        self._disk.note()
        return _entry(key, folder, manifest)

    def sweep(self) -> None:
        """Remove what runs that were killed left half done; only while the run's lock is held."""
        for hidden in self.folder.glob(f"*/{ASIDE}*"):
            shutil.rmtree(hidden, ignore_errors=True)
        for channel in self.folder.glob("channels/*"):
            remove_leftovers(channel)

    def close(self) -> None:
        """Publish no more; return when all that was published or exported is on the disk.

        Raises
        ------
        UnavailableError
            The disk did not take it.
        """
        try:
            self._disk.flush()
        finally:
            self._disk.close()
            self.values.close()

    def _publish_values(self, key: str, entry: Entry, *, again: bool) -> Entry:
        """Publish an entry without files as a line; it replaces a folder of the same key."""
        with self._lock:
            if not again:
                with contextlib.suppress(ValueError):
                    theirs = self._line(key)
                    if theirs is not None:
                        return theirs
            outputs = {name: ref.to_json() for name, ref in entry.outputs.items()}
            told = {"context": dict(entry.context), "facts": dict(entry.facts)}
            self.values.add(key, {"outputs": outputs, **told})
            self._disk.note()
        if again:
            self._discard(self.path(key))
        return entry

    def _line(self, key: str) -> Entry | None:
        """Give an entry that is a line.

        Raises
        ------
        ValueError
            It is damaged.
        """
        data = self.values.get(key)
        return None if data is None else _entry(key, self.folder, data)

    def _discard(self, folder: Path) -> None:
        """Take a damaged entry out of the way in one step, then remove it."""
        hidden = aside(folder)
        with contextlib.suppress(FileNotFoundError):  # another reader found it too
            folder.rename(hidden)
        shutil.rmtree(hidden, ignore_errors=True)


def _manifest(folder: Path, differs: Callable[[Path, list[Any]], bool]) -> dict[str, Any]:
    """Read an entry's manifest and compare its files.

    Raises
    ------
    FileNotFoundError
        There is no such entry.
    ValueError
        It is damaged.
    """
    try:
        manifest: dict[str, Any] = json.loads((folder / _MANIFEST).read_text(encoding="utf-8"))
        intact = manifest.pop("checksum") == _text_checksum(manifest) and not any(
            differs(folder / name, known) for name, known in manifest["files"].items()
        )
    except FileNotFoundError as error:
        if not folder.exists():
            raise
        raise ValueError(f"{folder} lacks {error.filename}") from error
    except (OSError, KeyError, TypeError, AttributeError) as error:
        raise ValueError(f"{folder} cannot be read: {error}") from error
    if not intact:
        raise ValueError(f"{folder} is not what was published")
    return manifest


def _checksum_differs(path: Path, known: list[Any]) -> bool:
    return [path.stat().st_size, _checksum(path)] != known


def _size_differs(path: Path, known: list[Any]) -> bool:
    return bool(path.stat().st_size != known[0])


def _entry(key: str, folder: Path, manifest: Mapping[str, Any]) -> Entry:
    outputs = {
        name: Ref.from_json(data).moved(lambda path: str(folder / path))
        for name, data in manifest["outputs"].items()
    }
    return Entry(key=key, outputs=outputs, context=manifest["context"], facts=manifest["facts"])


def _as_read(manifest: Mapping[str, Any]) -> dict[str, Any]:
    """Give what JSON makes of it, so that its checksum is the same when it is read."""
    data: dict[str, Any] = json.loads(json.dumps(manifest))
    return data


def _text_checksum(manifest: Mapping[str, Any]) -> str:
    return xxhash.xxh3_64_hexdigest(json.dumps(manifest, sort_keys=True).encode())


def _checksum(path: Path) -> str:
    digest = xxhash.xxh3_64()
    buffer = bytearray(min(_BLOCK, max(path.stat().st_size, 1)))
    view = memoryview(buffer)
    with path.open("rb", buffering=0) as file:
        while count := file.readinto(buffer):
            digest.update(view[:count])
    return digest.hexdigest()
