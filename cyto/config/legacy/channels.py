"""The channels of a stage-based file, with its ``image_range``."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from cyto.config.legacy.model import END
from cyto.config.legacy.routing import Names

if TYPE_CHECKING:
    from collections.abc import Callable

    from cyto._typing import JSON
    from cyto.config.marks import KeyPath
    from cyto.config.source import Source

_SUBSAMPLING = "cyto.preprocessing.subsampling.Subsampling"


@dataclass
class Channels:
    """Channels in the present format.

    Parameters
    ----------
    data
        What stands under ``channels``.
    images
        What to write for each channel where an input names it, by its old name.
    tasks
        Nodes that images go through first: name, node, and where it is asked for.
    origins
        For parts of the data the path in the old file.
    """

    data: dict[str, JSON] = field(default_factory=dict)
    images: dict[str, str] = field(default_factory=dict)
    tasks: list[tuple[str, dict[str, JSON], KeyPath]] = field(default_factory=list)
    origins: dict[KeyPath, KeyPath] = field(default_factory=dict)


@dataclass(frozen=True, kw_only=True)
class _Span:
    """What ``image_range`` says of one axis; ``None`` is the image's own end."""

    start: int | None = None
    stop: int | None = None
    step: int = 1

    @property
    def whole(self) -> bool:
        """Whether it leaves nothing out at the ends."""
        return not self.start and self.stop is None


def read_channels(source: Source, resolve: Callable[[str], str], names: Names) -> Channels:
    """Read the channels; what is wrong with them is passed over."""
    spans = {axis: _span(source, axis) for axis in ("x", "y", "t")}
    found = Channels()
    written = source.data.get("channels")
    for old, value in written.items() if isinstance(written, dict) else ():
        name = names.give(old)
        found.data[name] = _channel(value, spans, resolve)
        found.images[old] = name
        _trace(found.origins, name, old, value)
    if spans["x"].step > 1 or spans["y"].step > 1:
        for old, name in list(found.images.items()):
            found.images[old] = _subsampled(found, name, spans, names)
    return found


def _span(source: Source, axis: str) -> _Span:
    ranges = source.data.get("image_range")
    written = ranges.get(axis) if isinstance(ranges, dict) else None
    if not isinstance(written, list) or len(written) > 3:
        return _Span()
    values = [each if isinstance(each, int) else None for each in (*written, None, None, None)][:3]
    start, stop, step = values
    return _Span(start=start, stop=None if stop == END else stop, step=step or 1)


def _channel(value: JSON, spans: dict[str, _Span], resolve: Callable[[str], str]) -> JSON:
    own: dict[str, JSON] = dict(value) if isinstance(value, dict) else {"path": value}
    path = own.get("path")
    channel: dict[str, JSON] = {**own, "path": resolve(path) if isinstance(path, str) else path}
    t = spans["t"]
    if not t.whole or t.step > 1:
        channel.setdefault("frames", [t.start or 0, t.stop, t.step])
    crop: dict[str, JSON] = {
        axis: [spans[axis].start or 0, spans[axis].stop]
        for axis in ("y", "x")
        if not spans[axis].whole
    }
    if crop:
        channel.setdefault("crop", crop)
    if any(span.stop is not None for span in spans.values()):
        channel.setdefault("clip", True)
    return channel["path"] if list(channel) == ["path"] else channel


def _trace(origins: dict[KeyPath, KeyPath], name: str, old: str, value: JSON) -> None:
    """Say where each part of a channel is written in the old file."""
    own = value if isinstance(value, dict) else {}
    found: dict[KeyPath, KeyPath] = {(): ("channels", old), ("path",): ("channels", old)}
    found.update({(key,): ("channels", old, key) for key in own})
    if "frames" not in own:
        found["frames",] = ("image_range", "t")
    if "crop" not in own:
        found["crop",] = ("image_range",)
        found.update({("crop", axis): ("image_range", axis) for axis in ("y", "x")})
    origins.update({("channels", name, *part): path for part, path in found.items()})


def _subsampled(found: Channels, name: str, spans: dict[str, _Span], names: Names) -> str:
    node = names.give(f"{name}_subsampled")
    params: dict[str, JSON] = {"step_y": spans["y"].step, "step_x": spans["x"].step}
    task: dict[str, JSON] = {
        "module": _SUBSAMPLING,
        "params": params,
        "inputs": {"image": name},
        "tags": ["preprocessing"],
    }
    axis = "x" if spans["x"].step > 1 else "y"
    found.tasks.append((node, task, ("image_range", axis)))
    return f"{node}.image"
