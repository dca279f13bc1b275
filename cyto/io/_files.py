"""The files behind what the user wrote as a channel's path."""

from __future__ import annotations

import glob
import re
from collections.abc import Iterable
from pathlib import Path

from cyto.errors import ChannelError, nearest
from cyto.io._bioio import READERS
from cyto.io._zarr_nodes import is_zarr

SUFFIXES = (".tif", ".tiff", ".btf", ".tf8")
_MAGIC = re.compile(r"[*?\[]")
_SHOWN = 5


def natural_key(path: str) -> tuple[list[tuple[int, int, str]], str]:
    """Sort by the numbers in names: ``frame2`` before ``frame10``."""
    parts = re.findall(r"\d+|\D+", path)
    return [(0, int(p), "") if p.isdecimal() else (1, 0, p.lower()) for p in parts], path


def find_files(path: str) -> tuple[str, ...]:
    """Give the files of a file, a glob or a folder, in natural order, as absolute paths.

    A name that exists is taken as it is, even if it holds ``*``, ``?`` or ``[``. A folder of a
    Zarr hierarchy is one image, given as it is.

    Raises
    ------
    ChannelError
        Nothing is there; shows the path and the nearest name beside it.
    """
    place = Path(path)
    if place.is_dir():
        return _in_folder(place)
    if place.exists():
        return (str(place.absolute()),)
    if _MAGIC.search(path):
        return _matching(path)
    raise ChannelError(f"no such file: {path}", path=path, hint=_sibling(place))


def _in_folder(folder: Path) -> tuple[str, ...]:
    if is_zarr(folder):
        return (str(folder.absolute()),)
    names = [p for p in folder.iterdir() if p.is_file() and not p.name.startswith(".")]
    images = [p for p in names if p.suffix.lower() in SUFFIXES]
    images = images or [p for p in names if p.suffix.lower() in READERS]
    if not images:
        zarr = ", and is no Zarr image: it has no zarr.json, .zgroup or .zarray"
        raise ChannelError(
            f"the folder {folder} holds no TIFF files{zarr * ('.zarr' in folder.suffixes)}",
            path=str(folder),
            hint=_holds(names) or "it is empty",
        )
    return _sorted(images)


def _matching(pattern: str) -> tuple[str, ...]:
    found = [Path(p) for p in glob.glob(pattern, recursive=True)]  # noqa: PTH207 (absolute pattern)
    files = [p for p in found if p.is_file() or is_zarr(p)]
    if not files:
        fixed = Path(_MAGIC.split(pattern, maxsplit=1)[0] + "_").parent
        there = _holds(fixed.iterdir()) if fixed.is_dir() else _sibling(fixed / "_")
        raise ChannelError(f"no file matches {pattern}", path=pattern, hint=there)
    return _sorted(files)


def _sorted(files: Iterable[Path]) -> tuple[str, ...]:
    return tuple(sorted((str(f.absolute()) for f in files), key=natural_key))


def _holds(files: Iterable[Path]) -> str:
    names = sorted((p.name for p in files), key=natural_key)
    more = ", …" if len(names) > _SHOWN else ""
    return f"it holds {', '.join(names[:_SHOWN])}{more}" if names else ""


def _sibling(path: Path) -> str:
    """Say which name beside *path* may have been meant, or which folder is missing."""
    missing = path
    while not missing.parent.is_dir() and missing.parent != missing:
        missing = missing.parent
    if missing != path:
        return f"there is no folder {missing}; {_nearest(missing)}".rstrip("; ")
    return _nearest(path)


def _nearest(path: Path) -> str:
    try:
        names = [p.name for p in path.parent.iterdir()]
    except OSError:
        return ""
    hint = nearest(path.name, names)
    if hint.startswith("did you mean"):
        return hint
    return f"the folder {path.parent} {_holds(Path(n) for n in names)[3:] or 'is empty'}"
