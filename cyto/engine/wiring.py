"""Which channel or output each input of a node gets."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from cyto.config import PipelineConfig, parse_reference
from cyto.engine.plan import Source
from cyto.engine.tasks import Loaded
from cyto.errors import Problem, nearest
from cyto.task import Port

_IMAGES = ("image", "label")


@dataclass(frozen=True, kw_only=True)
class _Offer:
    """Something that an input may get; *kind* is ``None`` where nobody declares it."""

    source: Source
    kind: str | None


class Wiring:
    """Resolve the inputs of every node of a pipeline.

    Parameters
    ----------
    config
        The pipeline.
    tasks
        What is known of each node's task.
    """

    def __init__(self, config: PipelineConfig, tasks: Mapping[str, Loaded]) -> None:
        self._config = config
        self._tasks = tasks

    def resolve(self, name: str) -> tuple[dict[str, Source], list[Problem]]:
        """Give the sources of a node's inputs, and what is wrong with them."""
        written = self._config.tasks[name].inputs
        if isinstance(written, Mapping):
            offers, problems = self._written(name, written)
        elif written is not None:
            offers, problems = self._offered(name, written), []
        else:
            offers, problems = self._implied(name)
        if not problems:
            problems = self._lacking(name, offers)
        return {key: offer.source for key, offer in offers.items()}, problems

    def _written(
        self, name: str, written: Mapping[str, str]
    ) -> tuple[dict[str, _Offer], list[Problem]]:
        """Resolve ``inputs: {key: channel or node.key}``."""
        offers, problems = {}, []
        ports = self._tasks[name].inputs
        more = self._tasks[name].more_inputs
        for key, text in written.items():
            where = ("tasks", name, "inputs", key)
            if ports is not None and key not in ports and more is None:
                hint = nearest(key, ports, what="input")
                message = f"the task takes no input {key!r}"
                problems.append(self._config.problem(where, message, hint, key=True))
                continue
            port = None if ports is None else ports.get(key, more)
            offer, fault = self._named(text, key, port)
            if offer is None:
                problems.append(self._config.problem(where, *fault))
            else:
                offers[key] = offer
        return offers, problems

    def _named(
        self, text: str, key: str, port: Port | None
    ) -> tuple[_Offer | None, tuple[str, str]]:
        """Find what one reference means, or say why it means nothing."""
        reference = parse_reference(text)
        if reference.name in self._config.channels:
            offer = _Offer(source=Source(name=reference.name), kind="image")
            return self._fitting(offer, port)
        outputs = self._tasks[reference.name].outputs
        if outputs is None:
            source = Source(name=reference.name, key=reference.key or key)
            return _Offer(source=source, kind=None), ("", "")
        if reference.key is not None and reference.key not in outputs:
            hint = nearest(reference.key, outputs, what="output")
            return None, (f"node {reference.name!r} makes no {reference.key!r}", hint)
        chosen = reference.key or _only(outputs, key, port)
        if chosen is None:
            hint = f"write {reference.name}.KEY with one of: {', '.join(outputs)}"
            message = f"node {reference.name!r} makes several things, and none is {key!r}"
            return None, (message, hint)
        source = Source(name=reference.name, key=chosen)
        return self._fitting(_Offer(source=source, kind=outputs[chosen].kind), port)

    @staticmethod
    def _fitting(offer: _Offer, port: Port | None) -> tuple[_Offer | None, tuple[str, str]]:
        if port is None or _fits(offer.kind, port):
            return offer, ("", "")
        article = "an" if port.kind == "image" else "a"
        message = f"{offer.source} is of kind {offer.kind}, and {article} {port.kind} is needed"
        return None, (message, port.help)

    def _offered(self, name: str, text: str) -> dict[str, _Offer]:
        """Give all that one channel or node offers to this task."""
        reference = parse_reference(text)
        ports = self._tasks[name].inputs
        if reference.name in self._config.channels:
            return {_image_key(ports): _Offer(source=Source(name=reference.name), kind="image")}
        outputs = self._tasks[reference.name].outputs
        keys = [reference.key] if reference.key else list(outputs or ["image"])
        made = {
            key: _Offer(
                source=Source(name=reference.name, key=key),
                kind=None if outputs is None or key not in outputs else outputs[key].kind,
            )
            for key in keys
        }
        return self._wanted(name, made)

    def _implied(self, name: str) -> tuple[dict[str, _Offer], list[Problem]]:
        """Merge what the dependencies give; a root of a one-channel pipeline gets the channel."""
        dependencies = self._config.tasks[name].dependencies
        channels = list(self._config.channels)
        if not dependencies:
            takes = self._tasks[name].inputs
            if len(channels) == 1 and (takes is None or takes):
                return self._offered(name, channels[0]), []
            return {}, []
        offers: dict[str, _Offer] = {}
        problems = []
        for dependency in dependencies:
            for key, offer in self._offered(name, dependency).items():
                if key in offers:
                    message = f"both {offers[key].source} and {offer.source} offer {key!r}"
                    hint = f"say which: inputs: {{{key}: {offers[key].source}}}"
                    where = ("tasks", name, "dependencies")
                    problems.append(self._config.problem(where, message, hint))
                offers[key] = offer
        return offers, problems

    def _wanted(self, name: str, made: dict[str, _Offer]) -> dict[str, _Offer]:
        """Keep what the task declares, or can take as a further input."""
        loaded = self._tasks[name]
        if loaded.inputs is None:
            return made
        return {
            key: offer
            for key, offer in made.items()
            if _takes(loaded.inputs.get(key, loaded.more_inputs), offer.kind)
        }

    def _lacking(self, name: str, offers: Mapping[str, _Offer]) -> list[Problem]:
        """Find declared inputs that nothing gives."""
        ports = self._tasks[name].inputs or {}
        where = ("tasks", name, "inputs" if self._config.tasks[name].inputs else "module")
        lacking = {k: p for k, p in ports.items() if not p.optional and k not in offers}
        if not lacking:
            return []
        choices = [*self._config.channels, *(f"{n}.KEY" for n in self._config.tasks if n != name)]
        return [
            self._config.problem(
                where,
                f"the input {key!r} ({port.kind}: {port.help}) gets nothing",
                f"write inputs: {{{key}: …}} with one of: {', '.join(choices)}",
            )
            for key, port in lacking.items()
        ]


def _fits(kind: str | None, port: Port) -> bool:
    """Tell whether a value of *kind* may go where *port* is; arrays are checked when they come."""
    return kind is None or kind == port.kind or (kind in _IMAGES and port.kind in _IMAGES)


def _takes(port: Port | None, kind: str | None) -> bool:
    return port is not None and _fits(kind, port)


def _only(outputs: Mapping[str, Port], key: str, port: Port | None) -> str | None:
    """Choose among a node's outputs: the one of that name, or the only one that fits."""
    if key in outputs:
        return key
    fitting = [name for name, made in outputs.items() if port is None or made.kind == port.kind]
    fitting = fitting or [name for name, made in outputs.items() if port and _fits(made.kind, port)]
    return fitting[0] if len(fitting) == 1 else None


def _image_key(ports: Mapping[str, Port] | None) -> str:
    """Choose the input that a channel alone is meant for."""
    images = [key for key, port in (ports or {}).items() if port.kind in _IMAGES]
    return images[0] if images and "image" not in images else "image"
