"""The images behind a channel's path, each looked at by what can read it."""

from __future__ import annotations

from pathlib import Path

from cyto.errors import ChannelError
from cyto.io._bioio import READERS
from cyto.io._files import find_files
from cyto.io._layout import Source


def find_sources(
    path: str, *, axes: str | None, pick: bool, calibrate: bool, scene: int | str | None = None
) -> tuple[Source, ...]:
    """Look at all files or Zarr folders behind a channel's path, which must be alike.

    Parameters
    ----------
    path, scene
        As in `cyto.io.channels.ChannelSpec`.
    axes, pick, calibrate
        As `cyto.io._tiff.inspect_tiff` has them.

    Raises
    ------
    ChannelError
        Nothing there, unreadable, or a file that differs from the first; names it.
    """
    sources: list[Source] = []
    for file in find_files(path):
        source = _inspect(file, axes, pick, calibrate, scene)
        _check_alike(sources[0] if sources else source, source)
        sources.append(source)
    return tuple(sources)


def _inspect(
    file: str, axes: str | None, pick: bool, calibrate: bool, scene: int | str | None
) -> Source:
    if Path(file).is_dir():
        from cyto.io._zarr import inspect_zarr

        return inspect_zarr(file, axes, pick, calibrate, scene)
    if Path(file).suffix.lower() in READERS:
        from cyto.io._bioio import inspect_bioio

        return inspect_bioio(file, axes, pick, calibrate, scene)
    if scene is not None:
        raise ChannelError(
            f"scene: {scene!r} cannot be picked of {file}, a TIFF image",
            hint="leave scene: out; channel: picks one of several channels",
            key="scene",
        )
    from cyto.io._tiff import inspect_tiff

    return inspect_tiff(file, axes, pick, calibrate)


def _check_alike(first: Source, other: Source) -> None:
    if (first.axes, first.shape, first.dtype) != (other.axes, other.shape, other.dtype):
        raise ChannelError(
            f"frames differ: {other.path} is {other.dtype_name} {other.shape},"
            f" {first.path} is {first.dtype_name} {first.shape}",
            path=other.path,
            hint="keep frames of one movie in a folder of their own, or choose them by a glob",
        )
    if first.reader != other.reader:
        raise ChannelError(
            f"formats differ: {other.path} is not of the format of {first.path}",
            path=other.path,
            hint="choose the files of one format by a glob",
        )
