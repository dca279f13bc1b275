"""What comes into a node: channels read once, results of other nodes, and their calibration."""

from __future__ import annotations

import os
import threading
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING

from cyto._typing import JSON
from cyto.core.layout import digest_memory
from cyto.core.request import Ref
from cyto.engine.collecting import collect
from cyto.engine.plan import Node, Source
from cyto.engine.store import Entry
from cyto.errors import ConfigError, Problem, TaskInputError
from cyto.task.ports import CARRIED_KEYS

if TYPE_CHECKING:
    from cyto.io.channels import Channel


@dataclass(frozen=True, kw_only=True)
class Given:
    """What a node is given.

    Parameters
    ----------
    refs
        References by input key, the context among them.
    digests
        What each of them is, for the store's key.
    context
        Calibration and channel that the node's results will carry on.
    """

    refs: Mapping[str, Ref]
    digests: Mapping[str, str]
    context: Mapping[str, JSON] = field(default_factory=dict)


class ChannelReader:
    """Make each channel readable once, when the first node asks for it.

    Uncompressed files are referred to where they lie; others are decoded into the store. *told* is
    called with each channel's name and reference when it is read.
    """

    def __init__(
        self,
        channels: Mapping[str, Channel],
        folder: Path,
        faults: Mapping[str, Problem] | None = None,
        told: Callable[[str, Ref], None] | None = None,
    ) -> None:
        self._channels, self._faults, self._told = channels, faults or {}, told
        self._folder = folder
        self._locks = {name: threading.Lock() for name in channels}
        self._known: dict[str, tuple[Ref, str]] = {}

    def read(self, name: str) -> tuple[Ref, str]:
        """Give a channel's reference and the digest of its pixels.

        Raises
        ------
        ConfigError
            The plan says that the channel has a fault.
        """
        from cyto.io.channels import materialize  # NumPy comes with it

        if name in self._faults:
            raise ConfigError([self._faults[name]])
        with self._locks[name]:
            if name not in self._known:
                channel, digest = self._channels[name], self.digest(name)
                folder = self._folder / "channels" / digest[:32]
                folder.mkdir(parents=True, exist_ok=True)
                ref = materialize(channel, folder)
                if ref.format == "array" and ref.path:  # mounts know a file by its one real path
                    ref = replace(ref, path=os.path.realpath(ref.path))
                self._known[name] = ref, digest
                if self._told is not None:
                    self._told(name, ref)
            return self._known[name]

    def digest(self, name: str) -> str:
        """Give the digest of a channel's pixels; reads files that are not remembered."""
        from cyto.io.channels import channel_digest

        return channel_digest(self._channels[name], digest_memory())

    def context(self, name: str) -> dict[str, JSON]:
        """Give a channel's calibration and name."""
        channel = self._channels[name]
        known: dict[str, JSON] = {
            "pixel_size_um": channel.pixel_size_um,
            "frame_interval_s": channel.frame_interval_s,
            "channel": channel.spec.name,
        }
        return {key: value for key, value in known.items() if value is not None}


def gather(node: Node, entries: Mapping[str, Entry], channels: ChannelReader) -> Given:
    """Collect what a node is given.

    Raises
    ------
    TaskInputError
        A plain class did not make the key that is asked for; the inputs' calibrations differ.
    NoSampleLeftError
        It collects, and no sample succeeded.
    """
    refs: dict[str, Ref] = {}
    digests: dict[str, str] = {}
    contexts: dict[Source, Mapping[str, JSON]] = {}
    for key, source in node.inputs.items():
        if source.is_channel:
            refs[key], digests[key] = channels.read(source.name)
            contexts[source] = channels.context(source.name)
            continue
        if source.members:
            refs[key], digests[key], contexts[source] = collect(node, key, entries)
            continue
        entry = entries[source.name]
        if source.key not in entry.outputs:
            raise TaskInputError(
                f"node {source.name!r} made no {source.key!r}; "
                f"it made: {', '.join(entry.outputs) or 'nothing'}",
                task=node.name,
                key=key,
            )
        refs[key], digests[key] = entry.outputs[source.key], f"{entry.key}.{source.key}"
        contexts[source] = entry.context
    context = merge_context(node.name, contexts)
    refs.update({key: Ref("value", "inline", value=value) for key, value in context.items()})
    digests.update({key: repr(value) for key, value in context.items()})
    return Given(refs=refs, digests=digests, context=context)


def merge_context(node: str, contexts: Mapping[Source, Mapping[str, JSON]]) -> dict[str, JSON]:
    """Join the calibrations of all inputs; the channel's name goes on only where it is one.

    Raises
    ------
    TaskInputError
        Two inputs have different pixel sizes or frame intervals; names both.
    """
    merged: dict[str, JSON] = {}
    for key in CARRIED_KEYS:
        values = {source: context[key] for source, context in contexts.items() if key in context}
        first = next(iter(values.values()), None)
        if values and all(value == first for value in values.values()):
            merged[key] = first
        elif values and key != "channel":
            listed = ", ".join(f"{source} {value:g}" for source, value in values.items())
            raise TaskInputError(
                f"its inputs differ in {key}: {listed}",
                task=node,
                hint=f"correct the images' metadata, or write {key} at the pipeline's top",
            )
    return merged
