"""Removing what no run has a use for any more, safe against a kill at any moment."""

from __future__ import annotations

import contextlib
import shutil
import time
from collections.abc import Iterable
from pathlib import Path

from cyto.core.layout import ASIDE, aside
from cyto.engine.inventory import Item
from cyto.engine.values import ValueLines

_NEVER = frozenset({"log", "cache"})


def choose(
    items: Iterable[Item],
    *,
    everything: bool = False,
    older_s: float = 0.0,
    keep_outputs: bool = False,
) -> list[Item]:
    """Choose what to remove.

    Parameters
    ----------
    items
        An inventory.
    everything
        Not only what is stale: all results, decoded channels, exports and records too.
    older_s
        Only what no run has made or used for so many seconds.
    keep_outputs
        No exports.

    Returns
    -------
    Never logs, nor anything of the cache.
    """
    limit = time.time() - older_s
    return [
        item
        for item in items
        if item.kind not in _NEVER
        and (everything or item.stale)
        and (not older_s or item.used <= limit)
        and not (keep_outputs and item.kind == "export")
    ]


def remove(chosen: Iterable[Item]) -> list[Path]:
    """Remove things for good; the caller holds the folder's lock.

    A folder goes by one rename and is emptied then; a file of lines is written anew without some;
    an export's stamp goes last. So a kill
    leaves what the next call finds, and never half a result where a run would look for it.

    Returns
    -------
    What could not be removed.
    """
    items, lines = [], dict[Path, set[str]]()
    for item in chosen:
        if item.key:
            lines.setdefault(item.paths[0], set()).add(item.key)
        else:
            items.append(item)
    left = [path for item in items for path in item.paths if not _removed(path)]
    left += [path for path, keys in lines.items() if not _without(path, keys)]
    for item in items:
        if item.kind in {"result", "export"}:
            with contextlib.suppress(OSError):  # something else lies there
                item.paths[0].parent.rmdir()
    return left


def _without(path: Path, keys: set[str]) -> bool:
    try:
        ValueLines(path).remove(keys)
    except OSError:
        return False
    return True


def _removed(path: Path) -> bool:
    try:
        if not path.is_dir() or path.is_symlink():
            path.unlink(missing_ok=True)
            return True
        hidden = path if path.name.startswith(ASIDE) else aside(path)
        if hidden != path:
            path.rename(hidden)
    except FileNotFoundError:
        return True
    except OSError:
        return False
    shutil.rmtree(hidden, ignore_errors=True)
    return not hidden.exists()
