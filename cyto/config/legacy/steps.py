"""The steps of a stage-based file, taken from its plain data; whatever is wrong is passed over."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING

from cyto.config.legacy.kinds import KINDS, LABEL_TO_SPARSE, Kind
from cyto.config.legacy.model import STAGES
from cyto.errors import Problem, nearest

if TYPE_CHECKING:
    from cyto._typing import JSON
    from cyto.config.marks import KeyPath
    from cyto.config.source import Source

ALL = "all"
_NAMES = {"channels", "image_label_pair", "output_channel_name"}
"""Keys of steps under which channels are named."""


@dataclass(frozen=True, kw_only=True)
class Step:
    """One step, as far as it can be understood.

    Parameters
    ----------
    stage, path
        Its stage, and where it is written.
    name, kind
        Its class; *kind* is ``None`` where there is no such class in this stage.
    channels
        Names, tuples of names that are given together, or ``all``.
    args
        Its parameters.
    reads, makes
        Its ``input_type`` and ``output_type``; empty where it says none.
    names
        Its ``output_channel_name``, as a list.
    output
        Whether results are written.
    """

    stage: str
    path: KeyPath
    name: str
    kind: Kind | None
    channels: tuple[str | tuple[str, ...], ...] | str
    args: dict[str, JSON]
    reads: tuple[str, ...] = ()
    makes: tuple[str, ...] = ()
    names: tuple[str, ...] = ()
    output: bool = False

    @property
    def runs(self) -> bool:
        """Whether it has an effect: of tracking the first step alone has."""
        return self.stage != "tracking" or self.path[-1] == 0

    def place(self, *keys: str | int) -> KeyPath:
        """Give the path of a key in the step."""
        return (*self.path, *keys)


def with_text_names(data: dict[str, JSON]) -> dict[str, JSON]:
    """Make text of channel names that are whole numbers, such as wavelengths."""

    def named(value: JSON, here: bool) -> JSON:
        if isinstance(value, dict):
            return {
                key: part if key == "args" else named(part, here=key in _NAMES)
                for key, part in value.items()
            }
        if isinstance(value, list):
            return [named(part, here) for part in value]
        whole = isinstance(value, int) and not isinstance(value, bool)
        return str(value) if here and whole else value

    return {**data, "pipeline": named(data.get("pipeline"), here=False)}


def steps_of(source: Source) -> Iterator[Step]:
    """Give the steps in the order in which they run."""
    written_stages = source.data.get("pipeline")
    stages = written_stages if isinstance(written_stages, dict) else {}
    for stage in STAGES:
        written = stages.get(stage)
        if stage == "label_to_sparse":
            yield from _pairs(written)
            continue
        for number, step in enumerate(written if isinstance(written, list) else ()):
            if isinstance(step, dict):
                yield _step(stage, number, step)


def _step(stage: str, number: int, written: dict[str, JSON]) -> Step:
    name = written.get("name")
    known = KINDS.get(name) if isinstance(name, str) else None
    args = written.get("args")
    return Step(
        stage=stage,
        path=("pipeline", stage, number),
        name=name if isinstance(name, str) else "",
        kind=known if known is not None and stage in known.stages else None,
        channels=_channels(written.get("channels")),
        args=args if isinstance(args, dict) else {},
        reads=_texts(written.get("input_type")),
        makes=_texts(written.get("output_type")),
        names=_texts(written.get("output_channel_name")),
        output=written.get("output") is True,
    )


def _pairs(written: JSON) -> Iterator[Step]:
    """Give a step for each pair of image and label."""
    pairs = written.get("image_label_pair") if isinstance(written, dict) else None
    for number, pair in enumerate(pairs if isinstance(pairs, list) else ()):
        names = _texts(pair)
        if len(names) == 2:
            yield Step(
                stage="label_to_sparse",
                path=("pipeline", "label_to_sparse", "image_label_pair", number),
                name="label_to_sparse",
                kind=LABEL_TO_SPARSE,
                channels=(names,),
                args={},
                names=(names[0],),
                output=isinstance(written, dict) and written.get("output") is True,
            )


def _channels(written: JSON) -> tuple[str | tuple[str, ...], ...] | str:
    if written == ALL:
        return ALL
    found: list[str | tuple[str, ...]] = []
    for each in written if isinstance(written, list) else ():
        names = _texts(each)
        if names:
            found.append(names if isinstance(each, list) else names[0])
    return tuple(found)


def _texts(written: JSON) -> tuple[str, ...]:
    if isinstance(written, str):
        return (written,)
    items = written if isinstance(written, list) else ()
    return tuple(item for item in items if isinstance(item, str))


def check_steps(source: Source) -> list[Problem]:
    """Find classes that are not there, and parameters that they do not have or lack."""
    problems: list[Problem] = []
    for step in steps_of(source):
        if step.kind is None and step.name:
            problems.append(_unknown(source, step))
        elif step.kind is not None:
            problems += _check_args(source, step, step.kind)
    return problems


def _unknown(source: Source, step: Step) -> Problem:
    elsewhere = KINDS.get(step.name)
    if elsewhere is not None:
        text = f"{step.name} is no step of {step.stage}"
        return source.problem(
            step.place("name"), text, f"it is one of {' and of '.join(elsewhere.stages)}"
        )
    here = [name for name, kind in KINDS.items() if step.stage in kind.stages]
    near = nearest(step.name, KINDS, what="step")
    hint = near if near.startswith("did") else nearest(step.name, here, what="step")
    return source.problem(step.place("name"), f"there is no step {step.name!r}", hint)


def _check_args(source: Source, step: Step, kind: Kind) -> Iterator[Problem]:
    for key in step.args:
        if key not in kind.known:
            hint = nearest(key, kind.known, what="parameter")
            yield source.problem(
                step.place("args", key), f"{step.name} has no parameter {key!r}", hint, key=True
            )
    for key in kind.required:
        if key not in step.args:
            message = f"{step.name} needs the parameter {key!r}"
            yield source.problem(step.place("args"), message, "write it under args", key=True)
