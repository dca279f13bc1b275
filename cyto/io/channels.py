"""The channels of a pipeline: image files looked at, hashed, and made into arrays."""

from __future__ import annotations

import json
import os
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from pathlib import Path

from cyto.core.request import Ref
from cyto.errors import ChannelError
from cyto.io._in_place import in_place
from cyto.io._layout import Selection, Source
from cyto.io._selection import select


@dataclass(frozen=True, kw_only=True)
class ChannelSpec:
    """What the user wrote about one channel.

    Parameters
    ----------
    name
        The channel's name in the pipeline; also the name of the file that `materialize` writes.
    path
        Absolute path of a file, a folder of frames or an OME-Zarr folder, or a glob of them.
    channel
        Which one of a file with several: an index from 0, or its name in the file.
    frames
        ``(start, stop, step)`` along time, ends as in a slice; ``None`` is all.
    crop
        ``{"y": (start, stop), "x": (start, stop)}`` in pixels; either may be left out, and
        ``None`` is the image's edge.
    axes
        One letter of ``TCZYX`` for every dimension of the file, where the file is wrong or silent.
    pixel_size_um, frame_interval_s
        Replace what the file says; the interval is that of the file, before *frames* steps.
    scene
        Which image of an ND2, CZI, LIF or Zarr with several: a number from 0, or its name.
    clip
        Whether *frames* and *crop* may reach beyond the image; they end with it then.
    """

    name: str
    path: str
    channel: int | str | None = None
    frames: tuple[int | None, int | None, int | None] | None = None
    crop: Mapping[str, tuple[int | None, int | None]] | None = None
    axes: str | None = None
    pixel_size_um: float | None = None
    frame_interval_s: float | None = None
    scene: int | str | None = None
    clip: bool = False


@dataclass(frozen=True, kw_only=True)
class Channel:
    """A channel that was looked at: everything about it but its pixels.

    Parameters
    ----------
    spec
        What the user wrote.
    files
        Absolute paths of all files that hold its pixels, in natural order; for a Zarr image
        those of the level that is read, its chunks and their metadata.
    shape
        (T, Y, X) after selection; a single frame has T = 1.
    dtype
        NumPy's dtype string, native byte order.
    pixel_size_um, frame_interval_s
        After selection; ``None`` when neither the file nor the user says.
    channel_name
        The name that the file gives the channel, if any.
    """

    spec: ChannelSpec
    files: tuple[str, ...]
    shape: tuple[int, int, int]
    dtype: str
    pixel_size_um: float | None
    frame_interval_s: float | None
    channel_name: str | None
    sources: tuple[Source, ...] = field(repr=False)
    selection: Selection = field(repr=False)


def inspect_channel(spec: ChannelSpec) -> Channel:
    """Look at a channel's files without reading their pixels.

    Raises
    ------
    ChannelError
        Nothing there, no image, truncated, a format whose library is not installed, frames that
        differ, several channels and none picked, colour, a Z stack, or a selection that the image
        does not have; the message says which, the hint what to do.

    Notes
    -----
    Opens every file of a folder: about 0.3 ms each on a local disk.
    """
    from cyto.io._sources import find_sources

    try:
        sources = find_sources(
            spec.path,
            axes=spec.axes,
            pick=spec.channel is not None,
            calibrate=spec.pixel_size_um is None,
            scene=spec.scene,
        )
        first = sources[0]
        part = select(first, len(sources), spec.channel, spec.frames, spec.crop, clip=spec.clip)
    except ChannelError as error:
        error.channel, error.path = spec.name, error.path or spec.path
        raise
    interval = spec.frame_interval_s or first.frame_interval_s
    return Channel(
        spec=spec,
        files=tuple(dict.fromkeys(file for source in sources for file in source.files)),
        shape=part.shape,
        dtype=first.dtype,
        pixel_size_um=spec.pixel_size_um or first.pixel_size_um,
        frame_interval_s=interval and interval * part.frames[2],
        channel_name=(first.channel_names[part.channel] or None) if first.channel_names else None,
        sources=sources,
        selection=part,
    )


def materialize(channel: Channel, folder: Path) -> Ref:
    """Give a channel as an array that any process can map.

    Plain numbers are used where they are, in the user's own file: picks, frames and crops are
    then offsets and strides, and nothing is written. Everything else (compressed, big-endian,
    several files, other formats than TIFF) is decoded into ``<folder>/<name>.npy``, which
    appears whole.

    Returns
    -------
    A reference of kind ``image``, format ``array`` or ``npy``, shape (T, Y, X).

    Raises
    ------
    ChannelError
        A file is damaged, or has changed since it was looked at.

    Notes
    -----
    Holds a few frames in memory at most.
    """
    from cyto.io._npy import write_npy
    from cyto.io._reading import read_frames

    raw = in_place(channel.sources, channel.selection)
    if raw is not None:
        return raw
    path = folder / f"{channel.spec.name}.npy"
    try:
        frames = read_frames(channel.sources, channel.selection)
        write_npy(path, channel.dtype, channel.shape, frames)
    except ChannelError as error:
        error.channel = channel.spec.name
        raise
    return Ref("image", "npy", path=str(path), dtype=channel.dtype, shape=channel.shape)


def channel_digest(channel: Channel, memory: Path) -> str:
    """Hash what a channel gives to a task: its files' contents, its selection, its calibration.

    Paths and names are no part of it: a file that was moved is still the same. In a Zarr image
    names count, as they say where in the image a chunk lies.

    Parameters
    ----------
    channel
        A channel that was looked at.
    memory
        See `cyto.io.digests.digest_files`.

    Returns
    -------
    32 hexadecimal digits (XXH3-128).
    """
    import xxhash

    from cyto.io.digests import digest_files

    whole: dict[str, object] = {
        "files": digest_files(channel.files, memory),
        "axes": channel.sources[0].axes,
        "selection": asdict(channel.selection),
        "calibration": [channel.pixel_size_um, channel.frame_interval_s],
    }
    if channel.sources[0].folder:
        whole["names"] = [os.path.relpath(f, s.folder) for s in channel.sources for f in s.files]
    if channel.sources[0].scene is not None:
        whole["scene"] = channel.sources[0].scene
    return xxhash.xxh3_128(json.dumps(whole, sort_keys=True).encode()).hexdigest()
