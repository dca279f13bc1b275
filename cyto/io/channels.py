"""The channels of a pipeline: image files, looked at without reading their pixels."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from cyto.core.request import Ref


@dataclass(frozen=True, kw_only=True)
class ChannelSpec:
    """What the user wrote about one channel."""

    name: str
    path: str
    channel: int | str | None = None
    frames: tuple[int | None, int | None, int | None] | None = None
    crop: Mapping[str, tuple[int, int]] | None = None
    axes: str | None = None
    pixel_size_um: float | None = None
    frame_interval_s: float | None = None


@dataclass(frozen=True, kw_only=True)
class Channel:
    """A channel that was looked at."""

    spec: ChannelSpec
    files: tuple[str, ...]
    shape: tuple[int, int, int]
    dtype: str
    pixel_size_um: float | None
    frame_interval_s: float | None
    channel_name: str | None


def inspect_channel(spec: ChannelSpec) -> Channel:
    """Look at a channel's files; reads headers only."""
    raise NotImplementedError


def materialize(channel: Channel, folder: Path) -> Ref:
    """Give the channel as an array that can be mapped."""
    raise NotImplementedError


def channel_digest(channel: Channel, memory: Path) -> str:
    """Hash a channel's contents and selection."""
    raise NotImplementedError
