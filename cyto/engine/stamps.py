"""What tells which files of an export are ours, and guards those that are not."""

from __future__ import annotations

import filecmp
import json
import os
import secrets
import shutil
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from itertools import count
from pathlib import Path
from typing import Any

import xxhash

from cyto.engine.fingerprint import file_digest
from cyto.errors import CytoError

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
        self, known: Mapping[str, Any], made: Mapping[Path, str], noted: Mapping[Path, Note]
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
        before = {**self.files("older", "files"), **{p: note.identity for p, note in noted.items()}}
        former = {self.root / path: what for path, what in self.known.get("made", {}).items()}
        former |= {path: note.what for path, note in noted.items()}
        older = {}
        for path in sorted(before.keys() - made.keys()):
            if not _still(path, before[path]):
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


@dataclass(frozen=True)
class Note:
    """What was written without a stamp so far: what it holds, as in `Stamp.write`, and looks."""

    what: str
    identity: Identity


class Guard:
    """Lets nothing of the user's be replaced.

    Parameters
    ----------
    stamp
        Of the export that is about to be written.
    others
        Finds stamps that may tell of the same files, when something is in the way: those of other
        nodes, or of this one's other place.
    """

    def __init__(self, stamp: Stamp, others: Callable[[], Iterable[Path]]) -> None:
        self._stamp, self._others = stamp, others
        self.what = ""
        """What is written at the moment, as `Stamp.write` has it."""

    def before(self, path: Path, new: Path) -> None:
        """Move what is at *path* aside if it is not as we wrote it; note that *new* comes there.

        What is the same as *new* may go. The notes let the next run know its own, and say what was
        moved, after a kill or a failure between a file and its stamp.
        """
        if (path.exists() or path.is_symlink()) and not self._ours(path) and not _same(path, new):
            self._write(KEPT, _put_aside(path))
        self._write(self.what, path, *_looks(new))

    @property
    def kept(self) -> list[Path]:
        """The files that were moved aside, also by runs that did not come to the stamp."""
        return [path for _, path, *looks in _lines(self._stamp) if not looks]

    def noted(self) -> dict[Path, Note]:
        """Give the files that were begun and have no stamp yet, as they were written."""
        return _notes(self._stamp)

    def clear(self) -> None:
        """Forget the notes: the stamp has been written."""
        _begun(self._stamp).unlink(missing_ok=True)

    def _write(self, what: str, path: Path, *looks: int) -> None:
        file = _begun(self._stamp)
        file.parent.mkdir(parents=True, exist_ok=True)
        with file.open("a", encoding="utf-8") as lines:
            lines.write(json.dumps([what, os.path.relpath(path, self._stamp.root), *looks]) + "\n")

    def _ours(self, path: Path) -> bool:
        for stamp in self._stamps():
            was = stamp.files("older", "files").get(path)
            torn = stamp.known.get("boot") != boot()
            if was and (_still(path, was) or (torn and _torn(path, was))):
                return True
            if path in _notes(stamp):
                return True
        return False

    def _stamps(self) -> Iterator[Stamp]:
        yield self._stamp
        for path in self._others():  # there may be thousands, and the first one mostly knows
            yield Stamp(path, self._stamp.root)


def _begun(stamp: Stamp) -> Path:
    return stamp.path.with_suffix(".begun")


def _lines(stamp: Stamp) -> Iterator[list[Any]]:
    """Read the notes beside a stamp: what, where, and how it looked."""
    try:
        lines = _begun(stamp).read_text(encoding="utf-8").splitlines()
    except OSError:
        return
    for line in lines:
        try:
            what, path, *looks = json.loads(line)
        except ValueError:  # cut off by a kill
            continue
        yield [what, stamp.root / path, *looks]


def _notes(stamp: Stamp) -> dict[Path, Note]:
    found = {}
    for what, path, *looks in _lines(stamp):
        if looks and _unchanged(path, looks, whole=True):
            found[path] = Note(what, _identity(path))
    return found


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
    The key of their result, and their paths, the stamp last unless it tells of others too; an empty
    key where nothing was exported.
    """
    read = Stamp(stamp, root)
    if stamp.parent.is_symlink() or "key" not in read.known:
        return "", []
    files = [path for path, was in read.files("files").items() if _still(path, was)]
    others = any(_still(path, was) for path, was in read.files("older").items())
    return str(read.known["key"]), files if others else [*files, stamp]


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
    """Give the size of a file and when it changed last; of a folder, a digest of that of all."""
    stat = path.stat()
    if not path.is_dir():
        return [stat.st_size, stat.st_mtime_ns]
    inside = [(os.fsencode(each.relative_to(path)), each.lstat()) for each in path.rglob("*")]
    text = repr(sorted((name, s.st_size, s.st_mtime_ns) for name, s in inside)).encode()
    return [sum(each.st_size for _, each in inside), xxhash.xxh3_64_intdigest(text)]


def _unchanged(path: Path, was: Identity, whole: bool) -> bool:
    """Compare a file with what it was; by its contents only when the machine went down since.

    A power loss may leave a file its size and its time, and take what was in it.
    """
    try:
        return _looks(path) == was[:2] and (whole or file_digest(path) == was[2])
    except OSError:
        return False


def _still(path: Path, was: Identity) -> bool:
    """Tell whether a file is what it was, though it may have been copied, with other times."""
    try:
        return _looks(path) == was[:2] or file_digest(path) == was[2]
    except (OSError, CytoError):
        return False


def _torn(path: Path, was: Identity) -> bool:
    """Tell whether a power loss may have cut a file: shorter, with its time as it was."""
    try:
        size, changed = _looks(path)
    except OSError:
        return False
    return bool(changed == was[1] and size <= was[0])


def _same(one: Path, other: Path) -> bool:
    if not one.exists():  # a link to what is not there
        return False
    if one.is_dir() or other.is_dir():
        return one.is_dir() == other.is_dir() and file_digest(one) == file_digest(other)
    return filecmp.cmp(one, other, shallow=False)


def _remove(path: Path) -> None:
    if path.is_dir() and not path.is_symlink():
        shutil.rmtree(path)
    else:
        path.unlink(missing_ok=True)


def _put_aside(path: Path) -> Path:
    """Move a file into ``kept``, ``kept-2`` … beside it, where a pattern for others misses it."""
    for number in count(1):
        folder = path.parent / (KEPT if number == 1 else f"{KEPT}-{number}")
        free = not (folder / path.name).exists()
        if free and (folder.is_dir() or not folder.exists()):
            break
    folder.mkdir(exist_ok=True)
    kept = folder / path.name
    path.rename(kept)
    return kept
