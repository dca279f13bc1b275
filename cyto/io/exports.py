"""Results in the formats that people open."""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import Any, Literal, cast

import numpy as np

from cyto.errors import TaskOutputError
from cyto.io._pixels import Array, Compression
from cyto.io.images import Context, write_ome_tiff
from cyto.io.whole import replacing

Form = Literal["ome-tiff", "ome-zarr"]


def export_value(
    value: object,
    kind: str,
    folder: Path,
    name: str,
    *,
    pixel_size_um: float | None = None,
    frame_interval_s: float | None = None,
    channel: str | None = None,
    parquet: bool = False,
    form: Form | None = None,
    compression: Compression | None = None,
) -> Path:
    """Write one value for people.

    ==================  ====================================================
    kind                file
    ==================  ====================================================
    image, label        ``<name>.ome.tif``, calibrated; when asked
                        the folder ``<name>.ome.zarr``
    dataframe           ``<name>.csv``, and ``<name>.parquet`` when asked
    network             ``<name>.graphml``
    value               ``<name>.json``
    file                a copy, ``<name>`` with the file's suffixes
    ==================  ====================================================

    Parameters
    ----------
    value
        As a task returned it; a path for ``file``.
    kind
        One of `cyto._typing.KINDS`.
    folder, name
        Where; the folder is made. An older file of ours is replaced only by a complete one.
    pixel_size_um, frame_interval_s, channel
        Written into images.
    parquet
        Write a table as Parquet beside the CSV.
    form
        ``ome-tiff`` (the default) or ``ome-zarr``, for images and labels alone.
    compression
        Of images and labels: ``zstd`` (the default), ``zlib`` for old readers, ``none``.

    Returns
    -------
    Path of the file (the CSV for a table, the folder for an OME-Zarr).

    Raises
    ------
    TaskOutputError
        The value is not of its kind, or no file can hold it.
    """
    if kind in {"image", "label"}:
        context = Context(
            pixel_size_um=pixel_size_um, frame_interval_s=frame_interval_s, channel=channel
        )
        return _image(value, kind == "label", folder, name, context, form, compression)
    if kind == "dataframe":
        return _table(value, folder, name, parquet)
    if kind == "network":
        from cyto.io.networks import check_network, write_graphml

        path = folder / f"{name}.graphml"
        write_graphml(path, check_network(value, name))
        return path
    if kind == "value":
        path = folder / f"{name}.json"
        write_value(value, path)
        return path
    if kind == "file":
        return _file(Path(str(value)), folder, name)
    raise TaskOutputError(f"is of the unknown kind {kind!r}", key=name)


def _image(
    value: object,
    label: bool,
    folder: Path,
    name: str,
    context: Context,
    form: str | None,
    compression: Compression | None,
) -> Path:
    array: Array = np.asanyarray(cast("Any", value))
    if form == "ome-zarr":
        from cyto.io.ome_zarr import write_ome_zarr

        path = folder / f"{name}.ome.zarr"
        write_ome_zarr(path, array, context, label=label, compression=compression)
        return path
    if form not in {None, "ome-tiff"}:
        raise TaskOutputError(
            f"cannot be written as {form!r}", key=name, hint="write ome-tiff or ome-zarr"
        )
    path = folder / f"{name}.ome.tif"
    write_ome_tiff(path, array, context, label=label, compression=compression)
    return path


def _table(value: object, folder: Path, name: str, parquet: bool) -> Path:
    from cyto.io.tables import check_table, write_csv, write_parquet

    table = check_table(value, name)
    if parquet:
        write_parquet(folder / f"{name}.parquet", table)
    path = folder / f"{name}.csv"
    write_csv(path, table)
    return path


def write_value(value: object, path: Path) -> None:
    """Write a value as JSON; raises `TaskOutputError` where JSON cannot hold it."""
    try:
        text = json.dumps(_finite(value), indent=2, ensure_ascii=False, default=str)
    except (TypeError, ValueError) as error:
        raise TaskOutputError(f"cannot be written as JSON: {error}", key=path.stem) from error
    with replacing(path) as temporary:
        temporary.write_text(text + "\n", encoding="utf-8")


def _finite(value: object) -> object:
    """Make plain what JSON can hold: NaN and infinities become null, arrays lists."""
    if isinstance(value, np.generic | np.ndarray):
        return _finite(value.tolist())
    if isinstance(value, float):
        return value if np.isfinite(value) else None
    if isinstance(value, dict):
        return {str(key): _finite(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [_finite(item) for item in value]
    return value


def _file(source: Path, folder: Path, name: str) -> Path:
    if not source.is_file():
        raise TaskOutputError(f"is not a file: {source}", key=name)
    path = folder / (name + "".join(source.suffixes[-2:]))
    with replacing(path) as temporary:
        shutil.copyfile(source, temporary)
    return path
