"""The files that a crate lists: their addresses in it, checksums and formats."""

from __future__ import annotations

import hashlib
import os
import shutil
from collections.abc import Iterable, Mapping
from pathlib import Path

from cyto.core.layout import RunLayout, checksum_memory, digest_memory
from cyto.engine.fingerprint import file_digest
from cyto.errors import CytoError
from cyto.io.digests import digest_files

HASHED_BYTES = 1 << 30
"""Inputs of a run get a SHA-256 when they are no more than this together."""
_FORMATS = {
    ".csv": "text/csv",
    ".parquet": "application/vnd.apache.parquet",
    ".tif": "image/tiff",
    ".json": "application/json",
    ".graphml": "application/graphml+xml",
    ".yaml": "application/yaml",
    ".yml": "application/yaml",
    ".py": "text/x-python",
    ".txt": "text/plain",
    ".log": "text/plain",
    ".html": "text/html",
}


def encoding_of(path: Path) -> str | None:
    """Name a file's format as the web does; ``None`` for one that is not known."""
    return _FORMATS.get({".tiff": ".tif"}.get(path.suffix.lower(), path.suffix.lower()))


def sha256_of(paths: Iterable[Path]) -> dict[Path, str]:
    """Hash files with SHA-256; those that did not change since are not read again.

    Returns
    -------
    By path; a file that cannot be read is left out.
    """
    return _digests(list(paths), checksum_memory(), sha256=True)


def xxh3_of(paths: Iterable[Path]) -> dict[Path, str]:
    """Give the XXH3-128 that the engine hashed inputs with, from its memory; as `sha256_of`."""
    return _digests(list(paths), digest_memory(), sha256=False)


def _digests(paths: list[Path], memory: Path, *, sha256: bool) -> dict[Path, str]:
    new = {"new": hashlib.sha256} if sha256 else {}
    try:
        found = digest_files([str(path) for path in paths], memory, **new)
        return dict(zip(paths, found, strict=True))
    except CytoError:
        if len(paths) == 1:
            return {}
        halves = paths[: len(paths) // 2], paths[len(paths) // 2 :]
        return {k: v for half in halves for k, v in _digests(half, memory, sha256=sha256).items()}


def folder_digest(folder: Path) -> str | None:
    """Hash all files of a folder with their names; ``None`` when it cannot be read."""
    try:
        return file_digest(folder)
    except (CytoError, OSError):
        return None


def hashable(paths: Iterable[Path]) -> list[Path]:
    """Give *paths* when they are small enough together to be read once more, else nothing."""
    listed = list(paths)
    sizes = [size for path in listed if (size := size_of(path)) is not None]
    return listed if sum(sizes) <= HASHED_BYTES else []


def size_of(path: Path) -> int | None:
    """Give a file's size in bytes."""
    try:
        return path.stat().st_size
    except OSError:
        return None


def relative(path: Path, root: Path) -> str | None:
    """Give a path as one inside *root*; ``None`` for one outside."""
    inside = os.path.relpath(path, root)
    return None if inside.startswith("..") else inside


def show_workflow(layout: RunLayout, pipeline: Path) -> dict[str, Path]:
    """Put the copies of what a run was made from where people see them.

    Returns
    -------
    The copies by their paths among them; what an earlier run left there is gone. A *pipeline* that
    lies there itself, as one that is run again does, stays as its user has it.
    """
    kept, shown = layout.workflow, layout.crate_workflow
    found = {str(p.relative_to(kept)): p for p in sorted(kept.rglob("*")) if p.is_file()}
    if pipeline.parent != shown:
        _leave_users_files(shown, found)
        _forget(shown, found)
        for name, path in found.items():
            _copy(path, shown / name)
    return {name: shown / name for name in found}


def _copy(path: Path, target: Path) -> None:
    target.parent.mkdir(parents=True, exist_ok=True)
    part = target.with_name(f".{target.name}.part")
    shutil.copyfile(path, part)
    part.replace(target)


def _leave_users_files(shown: Path, found: Mapping[str, Path]) -> None:
    """Make sure that no copy takes the place of a file that pyCyto did not write.

    Raises
    ------
    FileExistsError
        One would; names it.
    """
    ours = _copied(shown)
    for name, path in found.items():
        there = shown / name
        if name not in ours and there.exists() and there.read_bytes() != path.read_bytes():
            raise FileExistsError(
                f"{there} is not a copy that pyCyto made; move it, or choose another output folder"
            )


def _copied(shown: Path) -> list[str]:
    before = shown / ".copies"
    return before.read_text(encoding="utf-8").split("\0") if before.exists() else []


def _forget(shown: Path, found: Mapping[str, Path]) -> None:
    """Remove copies of an earlier run that this one has no use for, and nothing else."""
    before = shown / ".copies"
    for name in _copied(shown):
        if name and name not in found and ".." not in Path(name).parts:
            (shown / name).unlink(missing_ok=True)
    shown.mkdir(parents=True, exist_ok=True)
    before.write_text("\0".join(found), encoding="utf-8")
