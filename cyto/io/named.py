"""Results under names that the user gave: the ending says the format."""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import TYPE_CHECKING, Any, cast

from cyto.errors import TaskOutputError
from cyto.io.images import Context, write_ome_tiff
from cyto.io.whole import replacing

if TYPE_CHECKING:
    from cyto.io._pixels import Compression

FRAME = "{frame}"
"""Stands in a network's name for the frame's number, four digits."""

_ENDINGS = {
    "image": (".tif", ".tiff"),
    "label": (".tif", ".tiff"),
    "dataframe": (".csv", ".parquet"),
    "network": (".graphml", ".adjlist"),
}


def name_fault(name: str, kind: str) -> str:
    """Say what is wrong with a file's name for a value of *kind*; empty when nothing is."""
    endings = _ENDINGS.get(kind, ())
    if endings and not name.endswith(endings):
        return f"{name!r} must end in {' or '.join(endings)}, to hold a {kind}"
    per_frame = name.endswith(".adjlist")
    if per_frame != (FRAME in Path(name).name):
        if per_frame:
            return f"{name!r} needs {FRAME} in it: an adjacency list holds one frame"
        return f"{name!r} has {FRAME} in it, which only adjacency lists (.adjlist) have"
    return ""


def export_named(
    value: object, kind: str, path: Path, context: Context, compression: Compression | None = None
) -> list[Path]:
    """Write one value for people, in the format that the name's ending says.

    ==================  ====================================================
    kind                endings
    ==================  ====================================================
    image, label        ``.tif``, ``.tiff``: OME-TIFF, axes TYX
    dataframe           ``.csv`` without index, ``.parquet``
    network             ``.graphml``; ``_{frame}.adjlist``, one per frame
    value               text as it is, anything else as JSON
    file                a copy
    ==================  ====================================================

    Parameters
    ----------
    value, kind
        As a task returned it.
    path
        The file, in which ``{frame}`` stands for a frame's number; replaced only when the new one
        is complete. Folders are made.
    context, compression
        Of images and labels.

    Returns
    -------
    The files written.

    Raises
    ------
    TaskOutputError
        The value is not of its kind, or no such file can hold it.
    """
    fault = name_fault(path.name, kind)
    if fault:
        raise TaskOutputError(fault, key=path.name)
    if kind in {"image", "label"}:
        import numpy as np

        array = np.asanyarray(cast("Any", value))
        write_ome_tiff(path, array, context, label=kind == "label", compression=compression)
    elif kind == "dataframe":
        from cyto.io.tables import check_table, write_csv, write_parquet

        write = write_csv if path.suffix == ".csv" else write_parquet
        write(path, check_table(value, path.name))
    elif kind == "network":
        return _network(value, path)
    elif kind == "file":
        with replacing(path) as temporary:
            shutil.copyfile(str(value), temporary)
    else:
        _text(value, path)
    return [path]


def _network(value: object, path: Path) -> list[Path]:
    from cyto.io.networks import check_network, write_adjacency_lists, write_graphml

    network = check_network(value, path.name)
    if FRAME in path.name:
        return write_adjacency_lists(path, network)
    write_graphml(path, network)
    return [path]


def _text(value: object, path: Path) -> None:
    if not isinstance(value, str):
        from cyto.io.exports import write_value

        write_value(value, path)
        return
    with replacing(path) as temporary:
        temporary.write_text(value, encoding="utf-8")
