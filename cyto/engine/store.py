"""The store: results of nodes, addressed by what they depend on, whole or not at all."""

from __future__ import annotations

import contextlib
import json
import os
import shutil
import uuid
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import xxhash

from cyto._typing import JSON
from cyto.core.request import Ref
from cyto.engine.durability import GroupCommit
from cyto.io.leftovers import remove_leftovers

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

    An entry appears by one rename, so it is there whole or not at all; its files carry checksums
    that are compared when it is first read, so that what a crash cut short, or a disk damaged, is
    found and computed again. Entries reach the disk within a second, and when `close` returns.
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        folder.mkdir(parents=True, exist_ok=True)
        self._disk = GroupCommit(folder)

    def path(self, key: str) -> Path:
        """Name the folder of an entry."""
        return self.folder / key[:2] / key

    def get(self, key: str) -> Entry | None:
        """Give the entry, or ``None`` when it is not there; a damaged one is removed."""
        folder = self.path(key)
        try:
            manifest = json.loads((folder / _MANIFEST).read_text(encoding="utf-8"))
            intact = manifest.pop("checksum") == _text_checksum(manifest) and all(
                [(folder / name).stat().st_size, _checksum(folder / name)] == known
                for name, known in manifest["files"].items()
            )
        except FileNotFoundError:
            if not folder.exists():
                return None
            intact = False
        except (OSError, ValueError, KeyError, TypeError, AttributeError):
            intact = False
        if not intact:
            self._discard(folder)
            return None
        return _entry(key, folder, manifest)

    def publish(self, key: str, out: Path, entry: Entry) -> Entry:
        """Move the finished folder *out* into the store as *key*.

        Parameters
        ----------
        out
            The job's output folder, on the same file system; it is gone afterwards.
        entry
            What to write into the manifest; paths lie in *out*.

        Returns
        -------
        The entry with its paths in the store. When somebody else published the same key first,
        theirs, which is the same.
        """
        ours = (
            out / _MANIFEST
        )  # there already when an earlier run was killed just before its rename
        files = sorted(p for p in out.rglob("*") if p.is_file() and p != ours)
        manifest = {
            "outputs": {
                name: replace(ref, path=ref.path and os.path.relpath(ref.path, out)).to_json()
                for name, ref in entry.outputs.items()
            },
            "context": dict(entry.context),
            "facts": dict(entry.facts),
            "files": {os.path.relpath(p, out): [p.stat().st_size, _checksum(p)] for p in files},
        }
        sealed = {**manifest, "checksum": _text_checksum(manifest)}
        ours.write_text(json.dumps(sealed), encoding="utf-8")
        folder = self.path(key)
        folder.parent.mkdir(exist_ok=True)
        try:
            out.rename(folder)
        except OSError:
            if not (folder / _MANIFEST).exists():
                raise
            shutil.rmtree(out, ignore_errors=True)
        self._disk.note()
        return _entry(key, folder, manifest)

    def sweep(self) -> None:
        """Remove what runs that were killed left half done; only while the run's lock is held."""
        for aside in self.folder.glob(".discard-*"):
            shutil.rmtree(aside, ignore_errors=True)
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

    def _discard(self, folder: Path) -> None:
        """Take a damaged entry out of the way in one step, then remove it."""
        aside = self.folder / f".discard-{uuid.uuid4().hex}"
        with contextlib.suppress(FileNotFoundError):  # another reader found it too
            folder.rename(aside)
        shutil.rmtree(aside, ignore_errors=True)


def _entry(key: str, folder: Path, manifest: Mapping[str, Any]) -> Entry:
    outputs = {
        name: Ref.from_json(data).moved(lambda path: str(folder / path))
        for name, data in manifest["outputs"].items()
    }
    return Entry(key=key, outputs=outputs, context=manifest["context"], facts=manifest["facts"])


def _text_checksum(manifest: Mapping[str, Any]) -> str:
    text = json.dumps(json.loads(json.dumps(manifest)), sort_keys=True)
    return xxhash.xxh3_64_hexdigest(text.encode())


def _checksum(path: Path) -> str:
    digest = xxhash.xxh3_64()
    buffer = bytearray(min(_BLOCK, max(path.stat().st_size, 1)))
    view = memoryview(buffer)
    with path.open("rb", buffering=0) as file:
        while count := file.readinto(buffer):
            digest.update(view[:count])
    return digest.hexdigest()
