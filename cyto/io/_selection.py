"""The part of an image that the user asked for, checked against what is there."""

from __future__ import annotations

from collections.abc import Mapping

from cyto.errors import ChannelError, nearest
from cyto.io._layout import Selection, Source

Frames = tuple[int | None, int | None, int | None]


def select(
    source: Source,
    files: int,
    channel: int | str | None,
    frames: Frames | None,
    crop: Mapping[str, tuple[int | None, int | None]] | None,
    *,
    clip: bool = False,
) -> Selection:
    """Turn what the user wrote into indices.

    Parameters
    ----------
    source
        One file of the channel.
    files
        How many files like it follow one another along time.
    channel, frames, crop, clip
        As in `cyto.io.channels.ChannelSpec`.

    Raises
    ------
    ChannelError
        The image does not have what was asked for; says what it has.
    """
    crop = crop or {}
    if set(crop) - {"y", "x"}:
        raise ChannelError(
            f"crop has the unknown key {min(set(crop) - {'y', 'x'})!r}",
            hint="write crop: {y: [start, stop], x: [start, stop]}",
            key="crop",
        )
    return Selection(
        channel=_channel(source, channel),
        frames=_frames(source.size("T") * files, frames, clip),
        y=_interval("y", source.size("Y"), crop.get("y"), clip),
        x=_interval("x", source.size("X"), crop.get("x"), clip),
    )


def _channel(source: Source, asked: int | str | None) -> int:
    count, names = source.size("C"), source.channel_names
    if asked is None:
        if count > 1:
            raise ChannelError(
                f"{source.path} has {count} channels and none is picked: {_listed(count, names)}",
                hint="write channel: and its number or name beside the path",
            )
        return 0
    if isinstance(asked, str) and asked in names:
        return names.index(asked)
    if isinstance(asked, str) and not asked.strip().isdecimal():
        hint = nearest(asked, names, what="channel") if names else "write its number, from 0"
        said = "" if names else ": the file does not name its channels"
        raise ChannelError(
            f"{source.path} has no channel {asked!r}{said}", hint=hint, key="channel"
        )
    index = int(asked)
    if not 0 <= index < count:
        many = f"{count} channel" + "s" * (count > 1)
        raise ChannelError(
            f"channel {index} is out of range: {source.path} has {many}",
            hint=f"numbers count from 0: {_listed(count, names)}",
            key="channel",
        )
    return index


def _listed(count: int, names: tuple[str, ...]) -> str:
    labels = [f"{i} ({names[i]})" if i < len(names) and names[i] else f"{i}" for i in range(count)]
    return ", ".join(labels)


def _frames(count: int, asked: Frames | None, clip: bool) -> tuple[int, int, int]:
    start, stop, step = asked or (None, None, None)
    stop = min(stop, count) if clip and stop is not None else stop
    step = 1 if step is None else step
    if step < 1:
        raise ChannelError(
            f"frames step {step} is not positive", hint="write 1 or more", key="frames"
        )
    first, last, _ = slice(start, stop).indices(count)
    if (start or 0) >= count or (stop or 0) > count or first >= last:
        raise ChannelError(
            f"frames [{start}, {stop}] are out of range: there are {count} frames",
            hint=f"start counts from 0 and stop is the first one left out, at most {count}",
            key="frames",
        )
    return first, last, step


def _interval(
    axis: str, size: int, asked: tuple[int | None, int | None] | None, clip: bool
) -> tuple[int, int]:
    first, last = asked or (None, None)
    start, stop = first or 0, size if last is None else last
    stop = min(stop, size) if clip else stop
    if not 0 <= start < stop <= size:
        raise ChannelError(
            f"crop {axis}: [{start}, {stop}] is out of range: the image has {size} pixels there",
            hint=f"write start and stop with 0 ≤ start < stop ≤ {size}",
            key=f"crop.{axis}",
        )
    return start, stop
