"""What a run would compute, and why; known without running anything."""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass, field
from typing import Literal

from cyto._typing import JSON
from cyto.core.layout import RunLayout
from cyto.core.request import Ref
from cyto.engine.changes import describe_changes
from cyto.engine.fingerprint import identity_of, node_parts, parts_key, path_digests
from cyto.engine.history import former_keys
from cyto.engine.inputs import ChannelReader, gather
from cyto.engine.plan import Node, Plan, Source
from cyto.engine.store import Entry, Store
from cyto.errors import CytoError

State = Literal["cached", "compute", "needs", "unknown"]


@dataclass(frozen=True, kw_only=True)
class Standing:
    """Whether a node's result is there.

    Parameters
    ----------
    state
        ``cached``; ``compute``; ``needs``, when something that it reads will be computed first;
        ``unknown``, when its environment or its inputs cannot be asked.
    why
        What changed, in words; empty when it is cached.
    """

    state: State
    why: tuple[str, ...] = ()

    def __str__(self) -> str:
        text = "; ".join(self.why)
        return f"unknown: {text}" if self.state == "unknown" else text or self.state


def survey(plan: Plan, fresh: Collection[str] = ()) -> dict[str, Standing]:
    """Tell for each node whether a run would compute it, and why.

    Parameters
    ----------
    plan
        A checked plan.
    fresh
        Nodes that the run would be told to compute again.

    Notes
    -----
    Writes nothing but the memory of digests. Inputs that no run has read yet are hashed;
    results are compared by the sizes of their files, not by checksums, as a run does.
    """
    layout = RunLayout(plan.output_dir, "")
    if not layout.store.is_dir():
        return dict.fromkeys(plan.nodes, Standing(state="compute", why=("new",)))
    return _Survey(plan, layout, fresh).standings()


@dataclass(kw_only=True)
class _Look:
    """What is known of one node."""

    parts: dict[str, JSON] | None = None
    unknown: tuple[str, ...] = ()
    needs: tuple[str, ...] = ()
    damaged: bool = False
    fault: str = ""


@dataclass
class _Survey:
    plan: Plan
    layout: RunLayout
    fresh: Collection[str]
    entries: dict[str, Entry] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self.store = Store(self.layout.store)
        self.channels = _ChannelDigests(self.plan.channels, self.layout.store, self.plan.faults)
        self.identities: dict[tuple[object, ...], str | Exception] = {}

    def standings(self) -> dict[str, Standing]:
        nodes = self.plan.nodes
        looks = {name: self._look(node) for name, node in nodes.items()}
        absent = [name for name in nodes if name not in self.entries]
        keys, failed = former_keys(self.plan.output_dir, absent)
        return {
            name: self._standing(nodes[name], look, keys.get(name), name in failed)
            for name, look in looks.items()
        }

    def _look(self, node: Node) -> _Look:
        needs = tuple(
            dict.fromkeys(
                name
                for source in node.inputs.values()
                for name in _producers(source)
                if name not in self.entries
            )
        )
        look = _Look(needs=needs)
        try:
            inputs = self._known(node, look) if needs else self._inputs(node)
            look.parts = node_parts(node, inputs, self._identity(node), path_digests(node))
        except (CytoError, OSError) as error:
            look.fault = str(getattr(error, "message", error)).partition("\n")[0]
            return look
        if not needs:
            self._find(node, look)
        return look

    def _find(self, node: Node, look: _Look) -> None:
        try:
            entry = self.store.look(parts_key(look.parts or {}))
        except ValueError:
            look.damaged = True
            return
        if entry is not None:
            self.entries[node.name] = entry

    def _inputs(self, node: Node) -> Mapping[str, str]:
        return gather(node, self.entries, self.channels).digests

    def _known(self, node: Node, look: _Look) -> dict[str, str]:
        """Give the digests that are known before what it needs was computed."""
        known: dict[str, str] = {}
        for key, source in node.inputs.items():
            if source.is_channel:
                known[key] = self.channels.read(source.name)[1]
            elif not source.members and source.name in self.entries:
                known[key] = f"{self.entries[source.name].key}.{source.key}"
        look.unknown = tuple(key for key in node.inputs if key not in known)
        return known

    def _identity(self, node: Node) -> str:
        """Ask each environment once: the answer costs a process."""
        placement = node.placement
        key = placement.environment, placement.image, placement.packages, placement.launcher
        if key not in self.identities:
            self.identities[key] = _answer(lambda: identity_of(placement))
        answer = self.identities[key]
        if isinstance(answer, Exception):
            raise answer
        return answer

    def _standing(self, node: Node, look: _Look, former: str | None, failed: bool) -> Standing:
        if look.fault:
            return Standing(state="unknown", why=(look.fault,))
        if node.name in self.entries:
            if node.name in self.fresh:
                return Standing(state="compute", why=("asked for",))
            return Standing(state="cached")
        needs = tuple(f"needs {name}" for name in look.needs)
        if look.damaged:
            return Standing(state="compute", why=("damaged",))
        if former is None:
            return Standing(state="compute", why=("failed before" if failed else "new",))
        changed = self._changed(node, look, former)
        if needs:
            return Standing(state="needs", why=(*changed, *needs))
        return Standing(state="compute", why=changed or ("its former result is gone",))

    def _changed(self, node: Node, look: _Look, former: str) -> tuple[str, ...]:
        assert look.parts is not None  # noqa: S101 - there is no fault
        if former == parts_key(look.parts):
            return ()
        before = _parts(self.store, former)
        if before is None:
            return () if look.needs else ("changed; its former result is gone",)
        changes = describe_changes(
            before,
            look.parts,
            sources={key: str(source) for key, source in node.inputs.items()},
            image=node.placement.image,
            unknown=look.unknown,
        )
        return tuple(changes)


def _producers(source: Source) -> list[str]:
    if source.is_channel:
        return []
    return [member.node for member in source.members] or [source.name]


class _ChannelDigests(ChannelReader):
    """Channels by their digests alone: nothing is decoded."""

    def read(self, name: str) -> tuple[Ref, str]:
        if name not in self._known:
            self._known[name] = Ref("image", "none"), self.digest(name)
        return self._known[name]


def _parts(store: Store, key: str) -> Mapping[str, JSON] | None:
    try:
        entry = store.look(key)
    except ValueError:
        return None
    parts: Mapping[str, JSON] | None = entry.facts.get("parts") if entry else None
    return parts


def _answer(ask: Callable[[], str]) -> str | Exception:
    try:
        return ask()
    except (CytoError, OSError) as error:
        return error
