"""What tells which files of an export are ours, and guards those that are not."""

from __future__ import annotations

import filecmp
import json
import os
import re
import secrets
import shutil
from collections.abc import Iterator, Mapping
from itertools import count
from pathlib import Path
from typing import Any

from cyto.engine.fingerprint import file_digest

STAMP = ".exported.json"
KEPT = "kept"
"""The folder beside an export for a file of the user's in its place."""


class Stamp:
    """The file that remembers what was exported of one node.

    Parameters
    ----------
    path
        The file.
    root
        The folder that exported files lie in or below; it may have moved since.
    """

    def __init__(self, path: Path, root: Path) -> None:
        self.path, self.root = path, root
        self.known = _read(path)

    def holds(self, wanted: Mapping[str, Any]) -> bool:
        """Tell whether what was written is what is wanted, and its files are still as they were."""
        known = self.known
        if "files" not in known or any(known.get(name) != value for name, value in wanted.items()):
            return False
        whole = known.get("boot") == boot()
        return all(_unchanged(Path(path), was, whole) for path, was in known["files"].items())

    def files(self) -> dict[Path, list[object]]:
        """Give the files that were written, where they are now, and what they were."""
        found = {}
        for written, was in dict(self.known.get("files") or {}).items():
            inside = os.path.relpath(written, str(self.known.get("root")))
            if not inside.startswith(".."):
                found[self.root / inside] = was
        return found

    def write(self, known: Mapping[str, Any]) -> None:
        """Remember what was written now; other forms of the same things are removed."""
        before = self.files()
        self.known = {**known, "root": str(self.root), "boot": boot()}
        now = {Path(path) for path in self.known["files"]}
        forms = {_form(path) for path in now}
        for path in before.keys() - now:
            if _form(path) in forms and _unchanged(path, before[path], whole=not path.is_dir()):
                _remove(path)
        self.path.parent.mkdir(parents=True, exist_ok=True)
        part = self.path.with_suffix(".part")
        part.write_text(json.dumps(self.known), encoding="utf-8")
        part.replace(self.path)


class Guard:
    """Lets nothing of the user's be replaced.

    Parameters
    ----------
    stamp
        Of the export that is about to be written; where the user gave names, other nodes' lie
        beside it, and tell of files that these wrote.
    """

    def __init__(self, stamp: Stamp) -> None:
        self._stamp = stamp
        self._begun = stamp.path.with_suffix(".begun")
        self.kept: list[Path] = []

    def before(self, path: Path, new: Path) -> None:
        """Move what is at *path* aside if it is not as we wrote it; note that ours comes there.

        What is the same as *new*, which comes there, may go. The note lets the next run know its
        own, after a kill between a file and its stamp.
        """
        if path.exists() and not self._ours(path) and not _same(path, new):
            self.kept.append(_put_aside(path))
        self._begun.parent.mkdir(parents=True, exist_ok=True)
        with self._begun.open("a", encoding="utf-8") as file:
            file.write(json.dumps(str(path)) + "\n")

    def clear(self) -> None:
        """Forget the notes: the stamp has been written."""
        self._begun.unlink(missing_ok=True)

    def _ours(self, path: Path) -> bool:
        changed, digest = path.stat().st_mtime_ns, ""
        for stamp in self._stamps():
            was = stamp.files().get(path)
            if was is None:
                continue
            if was[1] == changed:  # what a power loss took leaves the time as it was
                return True
            digest = digest or file_digest(path)
            if was[2] == digest:
                return True
        return json.dumps(str(path)) in self._noted()

    def _stamps(self) -> Iterator[Stamp]:
        yield self._stamp
        if self._stamp.path.name != STAMP:
            others = self._stamp.path.parent.glob("*.json")
            yield from (Stamp(path, self._stamp.root) for path in others)

    def _noted(self) -> list[str]:
        try:
            return self._begun.read_text(encoding="utf-8").splitlines()
        except OSError:
            return []


def export_folders(output_dir: Path) -> list[Path]:
    """Find the folders that something was exported into: a node's, or a node's of a sample."""
    stamps = [stamp for depth in ("*", "*/*") for stamp in output_dir.glob(f"{depth}/{STAMP}")]
    return [stamp.parent for stamp in stamps]


def exported_files(stamp: Path, root: Path) -> tuple[str, list[Path]]:
    """Name the files that *stamp* tells of and that nobody has changed since.

    Parameters
    ----------
    root
        The folder that they lie in or below.

    Returns
    -------
    The key of their result, and their paths, the stamp last; an empty key where nothing was
    exported.
    """
    read = Stamp(stamp, root)
    if stamp.parent.is_symlink() or "key" not in read.known:
        return "", []
    files = [path for path, was in read.files().items() if _unchanged(path, was, whole=True)]
    return str(read.known["key"]), [*files, stamp]


def identity(path: Path) -> list[object]:
    """Give what tells a file from a later one: its size, its time and its digest."""
    stat = path.stat()
    return [stat.st_size, stat.st_mtime_ns, file_digest(path)]


def boot() -> str:
    """Name the time since this machine was last started."""
    try:
        return Path("/proc/sys/kernel/random/boot_id").read_text(encoding="ascii").strip()
    except OSError:  # not Linux: contents are always compared
        return secrets.token_hex(8)


def _read(stamp: Path) -> dict[str, Any]:
    try:
        data = json.loads(stamp.read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return {}
    return data if isinstance(data, dict) else {}


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


def _same(one: Path, other: Path) -> bool:
    if one.is_dir() or other.is_dir():
        return one.is_dir() == other.is_dir() and file_digest(one) == file_digest(other)
    return filecmp.cmp(one, other, shallow=False)


def _form(path: Path) -> tuple[Path, str]:
    """Give what the forms of one thing share: CSV and Parquet, the networks of all frames."""
    return path.parent, re.sub(r"_\d+$", "", path.name.partition(".")[0])


def _remove(path: Path) -> None:
    if path.is_dir():
        shutil.rmtree(path)
    else:
        path.unlink(missing_ok=True)


def _put_aside(path: Path) -> Path:
    """Move a file into ``kept``, ``kept-2`` … beside it, where a pattern for others misses it."""
    names = (KEPT if number == 1 else f"{KEPT}-{number}" for number in count(1))
    kept = next(each for name in names if not (each := path.parent / name / path.name).exists())
    kept.parent.mkdir(exist_ok=True)
    path.rename(kept)
    return kept
