"""What tells which files of an export are ours, and guards those that are not."""

from __future__ import annotations

import filecmp
import json
import os
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
Identity = list[Any]
"""Size, time of the last change, digest: what tells a file from a later one."""


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
        known, wanted = self.known, {**wanted, "root": str(self.root)}
        if "files" not in known or any(known.get(name) != value for name, value in wanted.items()):
            return False
        whole = known.get("boot") == boot()
        return all(_unchanged(Path(path), was, whole) for path, was in known["files"].items())

    def files(self, *lists: str) -> dict[Path, Identity]:
        """Give files that were written, where they are now, and what they were.

        Parameters
        ----------
        lists
            ``files``: what was written last; ``older``: what was written before, under other names.
        """
        found = {}
        for name in lists:
            for written, was in dict(self.known.get(name) or {}).items():
                inside = os.path.relpath(written, str(self.known.get("root")))
                if not inside.startswith(".."):
                    found[self.root / inside] = was
        return found

    def write(
        self, known: Mapping[str, Any], made: Mapping[Path, str], noted: Mapping[Path, Identity]
    ) -> None:
        """Remember what was written now; what it takes the place of is removed.

        Parameters
        ----------
        known
            What `holds` is asked for, and more.
        made
            By file what it holds: an output's key, and the name that the user gave. An older file
            of the same is removed: a Parquet beside the CSV, networks of frames that are no more.
        noted
            More files that are ours, of a run that was killed.
        """
        before = {**noted, **self.files("older", "files")}
        former = {self.root / path: what for path, what in self.known.get("made", {}).items()}
        older = {}
        for path in sorted(before.keys() - made.keys()):
            if not _unchanged(path, before[path], whole=True):
                continue
            if former.get(path, "") in made.values():
                _remove(path)
            else:
                older[str(path)] = before[path]
        self.known = {
            **known,
            "root": str(self.root),
            "boot": boot(),
            "files": {str(path): _identity(path) for path in made},
            "made": {os.path.relpath(path, self.root): what for path, what in made.items()},
            "older": older,
        }
        self._save()

    def seen(self) -> None:
        """Remember that files were found as they were since the machine was started."""
        if self.known["boot"] != boot():
            self.known["boot"] = boot()
            self._save()

    def _save(self) -> None:
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
        """Move what is at *path* aside if it is not as we wrote it; note that *new* comes there.

        What is the same as *new* may go. The note lets the next run know its own, after a kill
        between a file and its stamp.
        """
        if path.exists() and not self._ours(path) and not _same(path, new):
            self.kept.append(_put_aside(path))
        self._begun.parent.mkdir(parents=True, exist_ok=True)
        with self._begun.open("a", encoding="utf-8") as file:
            file.write(json.dumps([str(path), *_looks(new)]) + "\n")

    def noted(self) -> dict[Path, Identity]:
        """Give the files that were begun and have no stamp yet, as they were written."""
        found: dict[Path, Identity] = {}
        try:
            lines = self._begun.read_text(encoding="utf-8").splitlines()
        except OSError:
            return found
        for line in lines:
            try:
                path, *looks = json.loads(line)
            except ValueError:  # cut off by the kill
                continue
            if _unchanged(Path(path), looks, whole=True):
                found[Path(path)] = _identity(Path(path))
        return found

    def clear(self) -> None:
        """Forget the notes: the stamp has been written."""
        self._begun.unlink(missing_ok=True)

    def _ours(self, path: Path) -> bool:
        looks, digest = _looks(path), ""
        for stamp in self._stamps():
            was = stamp.files("older", "files").get(path)
            if was is None:
                continue
            if was[1] == looks[1]:  # what a power loss took leaves the time as it was
                return True
            digest = digest or file_digest(path)
            if was[2] == digest:
                return True
        return path in self.noted()

    def _stamps(self) -> Iterator[Stamp]:
        yield self._stamp
        if self._stamp.path.name != STAMP:
            others = self._stamp.path.parent.glob("*.json")
            yield from (Stamp(path, self._stamp.root) for path in others)


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
    files = [path for path, was in read.files("files").items() if _unchanged(path, was, whole=True)]
    return str(read.known["key"]), [*files, stamp]


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


def _identity(path: Path) -> Identity:
    return [*_looks(path), file_digest(path)]


def _looks(path: Path) -> list[int]:
    """Give the size of a file and when it changed last; of a folder, of all in it."""
    stat = path.stat()
    if not path.is_dir():
        return [stat.st_size, stat.st_mtime_ns]
    inside = [each.lstat() for each in path.rglob("*")]
    latest = max([stat.st_mtime_ns, *(each.st_mtime_ns for each in inside)])
    return [sum(each.st_size for each in inside), latest]


def _unchanged(path: Path, was: Identity, whole: bool) -> bool:
    """Compare a file with what it was; by its contents only when the machine went down since.

    A power loss may leave a file its size and its time, and take what was in it.
    """
    try:
        return _looks(path) == was[:2] and (whole or file_digest(path) == was[2])
    except OSError:
        return False


def _same(one: Path, other: Path) -> bool:
    if one.is_dir() or other.is_dir():
        return one.is_dir() == other.is_dir() and file_digest(one) == file_digest(other)
    return filecmp.cmp(one, other, shallow=False)


def _remove(path: Path) -> None:
    if path.is_dir():
        shutil.rmtree(path)
    else:
        path.unlink(missing_ok=True)


def _put_aside(path: Path) -> Path:
    """Move a file into ``kept``, ``kept-2`` … beside it, where a pattern for others misses it."""
    for number in count(1):
        folder = path.parent / (KEPT if number == 1 else f"{KEPT}-{number}")
        if not (folder / path.name).exists() and (folder.is_dir() or not folder.exists()):
            break
    folder.mkdir(exist_ok=True)
    kept = folder / path.name
    path.rename(kept)
    return kept
