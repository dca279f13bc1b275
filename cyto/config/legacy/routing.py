"""Which step reads what: the four dictionaries of images, labels, tables and networks."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from cyto.config.legacy.kinds import FEATURE, IMAGE, LABEL, NETWORK, Kind
from cyto.config.legacy.steps import ALL, Step
from cyto.config.pipeline_model import RESERVED
from cyto.errors import Problem, nearest

if TYPE_CHECKING:
    from cyto.config.source import Source

_NO_INPUT = {"pixel_size_um", "frame_interval_s", "channel", "frame_offset"}
"""Names that mean something else to a task than an image."""
_MAKERS = {
    LABEL: "segmentation makes labels",
    FEATURE: "label_to_sparse makes tables of the first of each pair",
    NETWORK: "postprocessing makes networks",
}
_WORDS = {IMAGE: "image", LABEL: "label", FEATURE: "table", NETWORK: "network"}


@dataclass(frozen=True, kw_only=True)
class Use:
    """One use of a step's class: what becomes a node.

    Parameters
    ----------
    step, kind
        The step, and the class.
    number
        Which entry of the step's channels it is.
    node
        The node's name.
    channels
        The channels that it is given together, by their old names.
    inputs
        References by input key.
    name
        The channel that its results become.
    makes
        The output's key by dictionary.
    """

    step: Step
    kind: Kind
    number: int
    node: str
    channels: tuple[str, ...]
    inputs: dict[str, str]
    name: str
    makes: dict[str, str]


@dataclass
class Names:
    """Names of nodes and channels that the present format takes, each once."""

    taken: set[str] = field(default_factory=lambda: set(RESERVED))

    def give(self, wanted: str) -> str:
        """Give *wanted* with ``_`` for what a name cannot hold, and a number where it is taken."""
        plain = re.sub(r"[^A-Za-z0-9_-]+", "_", wanted)[:120].strip("_-") or "channel"
        name, number = plain, 2
        while name in self.taken:
            name, number = f"{plain}_{number}", number + 1
        self.taken.add(name)
        return name


class Router:
    """Follow the steps of a file, and tell what each reads.

    Parameters
    ----------
    source
        The file.
    images
        References of the channels, by their old names.
    names
        Those that are taken.
    """

    def __init__(self, source: Source, images: dict[str, str], names: Names) -> None:
        self._source, self._names = source, names
        self._known: dict[str, dict[str, str]] = {
            IMAGE: dict(images), LABEL: {}, FEATURE: {}, NETWORK: {},
        }  # fmt: skip
        self._lost: set[str] = set()
        self.problems: list[Problem] = []

    def follow(self, steps: Iterable[Step]) -> Iterator[Use]:
        """Give the uses of each step, in order; what is wrong goes into `problems`."""
        for step in steps:
            if step.kind is None:
                self._lose(step)
                continue
            for use in self._uses(step, step.kind):
                if use is not None:
                    for kind, key in use.makes.items():
                        self._known[kind][use.name] = f"{use.node}.{key}"
                    yield use

    def _lose(self, step: Step) -> None:
        """Remember what a step that is not known may have made, so that it is not missed later."""
        self._lost.update(step.names)
        for entry in step.channels if step.channels != ALL else ():
            self._lost.update([entry] if isinstance(entry, str) else ())

    def _uses(self, step: Step, kind: Kind) -> Iterator[Use | None]:
        entries = self._entries(step, kind)
        if step.channels == ALL and not entries and not self._lost:
            message = f"there is no {_WORDS[self._reads(step, kind)]} yet to take all of"
            self._say(step, ("channels",), message, _MAKERS.get(self._reads(step, kind), ""))
        if step.stage == "postprocessing" and not self._right_names(step, len(entries)):
            self._lost.update(step.names)
            return
        for number, entry in enumerate(entries):
            names = (entry,) if isinstance(entry, str) else entry
            yield self._use(step, kind, number, names, nested=not isinstance(entry, str))

    def _entries(self, step: Step, kind: Kind) -> tuple[str | tuple[str, ...], ...]:
        if isinstance(step.channels, str):
            return tuple(self._known[self._reads(step, kind)])
        return step.channels

    @staticmethod
    def _reads(step: Step, kind: Kind) -> str:
        """Tell in which dictionary ``all`` looks."""
        if step.stage == "segmentation":
            return LABEL if LABEL in step.reads else IMAGE
        return FEATURE if FEATURE in kind.needs else IMAGE

    def _right_names(self, step: Step, count: int) -> bool:
        if len(step.names) == count:
            return True
        has = "is missing" if not step.names else f"has {len(step.names)} names"
        message = f"output_channel_name {has}, and there are {count} entries of channels"
        self._say(step, ("output_channel_name",), message, "write a list with a name for each")
        return False

    def _use(
        self, step: Step, kind: Kind, number: int, names: tuple[str, ...], *, nested: bool
    ) -> Use | None:
        name = self._result(step, number, names, nested=nested)
        fits = self._together(step, kind, number, names, nested=nested)
        makes = self._makes(step, kind)
        inputs = self._inputs(step, kind, number, names) if fits else None
        if inputs is None or makes is None or name is None:
            self._lost.update([name] if name else ())
            return None
        return Use(
            step=step,
            kind=kind,
            number=number,
            node=self._names.give(
                f"{name}_{'table' if step.stage == 'label_to_sparse' else step.name}"
            ),
            channels=names,
            inputs=inputs,
            name=name,
            makes=makes,
        )

    def _result(
        self, step: Step, number: int, names: tuple[str, ...], *, nested: bool
    ) -> str | None:
        """Name the channel that a result becomes."""
        if step.stage in {"postprocessing", "label_to_sparse"}:
            return step.names[number if step.stage == "postprocessing" else 0]
        if not nested:
            return names[0]
        if step.names:
            return step.names[number] if number < len(step.names) else step.names[-1]
        message = "output_channel_name is missing: the name of the image made of several"
        self._say(step, ("channels", number), message, "write output_channel_name: NAME")
        return None

    def _together(
        self, step: Step, kind: Kind, number: int, names: tuple[str, ...], *, nested: bool
    ) -> bool:
        """Tell whether a class is given as many channels together as it takes."""
        if kind.together == 1 and not nested:
            return True
        if nested and kind.together in {0, len(names)} and kind.together != 1:
            return True
        listed = f"[{', '.join(names)}]" if nested else names[0]
        if kind.together == 1:
            text = f"{step.name} takes one channel at a time, not {listed} together"
            hint = f"write channels: {listed}"
        else:
            many = {0: "several channels", 2: "two channels"}[kind.together]
            text = f"{step.name} takes {many} together, not {listed}"
            hint = "write a list in the list: [[A, B]]"
        self._say(step, ("channels", number), text, hint)
        return False

    def _makes(self, step: Step, kind: Kind) -> dict[str, str] | None:
        """Choose what is kept of a class's results."""
        wanted = step.makes or tuple(kind.makes)
        wrong = [each for each in wanted if each not in kind.makes]
        for each in wrong:
            message = f"{step.name} makes {' and '.join(kind.makes)}, not {each!r}"
            self._say(step, ("output_type",), message, nearest(each, kind.makes, what="type"))
        keys = {each: kind.makes[each] for each in wanted if each in kind.makes}
        if step.args.get("gradient") is True and step.name == "KernelDensityEstimation":
            keys[IMAGE] = "gradient"
        return None if wrong else keys

    def _inputs(
        self, step: Step, kind: Kind, number: int, names: tuple[str, ...]
    ) -> dict[str, str] | None:
        if not self._right_types(step, kind):
            return None
        if not kind.reads:
            return self._images(step, number, names)
        found: dict[str, str] = {}
        for key, (where, place) in kind.reads.items():
            source = LABEL if step.stage == "segmentation" and LABEL in step.reads else where
            if kind.task.endswith(".TrackMate") and key == "image":
                if names[0] in self._known[IMAGE]:  # only its size is wanted
                    found[key] = self._known[IMAGE][names[0]]
                continue
            reference = self._look(step, number, names[place], source, place)
            if reference:
                found[key] = reference
        return found if all(key in found or key == "image" for key in kind.reads) else None

    def _images(self, step: Step, number: int, names: tuple[str, ...]) -> dict[str, str] | None:
        """Give images by their channels' names."""
        own = Names(set(_NO_INPUT))
        found = {
            own.give(name): self._look(step, number, name, IMAGE, place)
            for place, name in enumerate(names)
        }
        return found if all(found.values()) else None

    def _right_types(self, step: Step, kind: Kind) -> bool:
        if step.stage == "segmentation":
            odd = [each for each in step.reads if each not in {IMAGE, LABEL}]
            for each in odd:
                self._say(step, ("input_type",), f"expected image or label, received {each!r}")
            return not odd
        if step.stage != "postprocessing" or not step.reads:
            return True
        lacking = [each for each in kind.needs if each not in step.reads]
        odd = [each for each in step.reads if each not in {IMAGE, LABEL, FEATURE}]
        if odd:
            hint = nearest(odd[0], [IMAGE, LABEL, FEATURE], what="type")
            self._say(step, ("input_type",), f"there is no input type {odd[0]!r}", hint)
        elif lacking:
            message = f"{step.name} needs {' and '.join(kind.needs)}"
            self._say(
                step, ("input_type",), message, f"write input_type: [{', '.join(kind.needs)}]"
            )
        return not lacking and not odd

    def _look(self, step: Step, number: int, name: str, where: str, place: int) -> str:
        """Find what a name means in a dictionary; empty, with a problem, where it means nothing."""
        known = self._known[where]
        if name in known:
            return known[name]
        if name in self._lost:
            return ""
        path: tuple[str | int, ...] = ("channels", number)
        if step.stage == "label_to_sparse":
            path = (place,)
        elif step.channels != ALL and not isinstance(step.channels[number], str):
            path = ("channels", number, place)
        everywhere = {each for names in self._known.values() for each in names}
        if name not in everywhere:
            hint = nearest(name, known or everywhere, what="channel")
            self._say(step, path, f"there is no channel {name!r}", hint)
        else:
            have = f"there are: {', '.join(known)}" if known else "there is none yet"
            hint = "; ".join(part for part in (_MAKERS.get(where, ""), have) if part)
            self._say(step, path, f"there is no {_WORDS[where]} of {name!r}", hint)
        return ""

    def _say(self, step: Step, keys: tuple[str | int, ...], message: str, hint: str = "") -> None:
        problem = self._source.problem(step.place(*keys), message, hint)
        if problem not in self.problems:
            self.problems.append(problem)
