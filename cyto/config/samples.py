"""The samples of a pipeline: matches of a glob, a list, or the rows of a CSV with conditions."""

from __future__ import annotations

import glob
import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING

from cyto.config.placeholders import MAGIC, placeholders
from cyto.config.sample_table import NAME_COLUMN, read_table
from cyto.core.layout import SAFE_NAME
from cyto.errors import ConfigError, Problem, nearest

if TYPE_CHECKING:
    from cyto._typing import JSON
    from cyto.config.marks import KeyPath
    from cyto.config.pipeline import PipelineConfig
    from cyto.config.pipeline_model import Channel

MATCH = "path"
"""The placeholder for where a sample lies; a column of this name is no condition."""
_TAKEN = dict.fromkeys(("logs", "workflow"), "the output folder has a folder of that name")


@dataclass(frozen=True, kw_only=True)
class Sample:
    """One sample: the pipeline runs once for it.

    Parameters
    ----------
    name
        Unique; its results lie in a folder of that name.
    conditions
        What the user says of it, put into collected tables: texts, numbers, true or false,
        ``None`` where nothing is said.
    values
        What placeholders in the paths of channels stand for.
    place
        Where it is written: a `Problem` without a message.
    """

    name: str
    conditions: Mapping[str, JSON] = field(default_factory=dict)
    values: Mapping[str, str] = field(default_factory=dict)
    place: Problem = field(default=Problem(""), compare=False)


def read_samples(config: PipelineConfig) -> tuple[Sample, ...]:
    """Find the samples of a pipeline; none where it does not say ``samples``.

    Raises
    ------
    ConfigError
        Nothing matches, the CSV is missing, empty or ragged, a name stands twice or cannot name a
        folder, a channel's path holds an unknown placeholder, or none holds any.
    """
    written = config.model.samples
    if written is None:
        return ()
    table = samples_file(config)
    if not isinstance(written, str):
        found = _listed(config, written)
    elif table is not None:
        found = _tabled(config, table)
    else:
        found = _matching(config, written)
    problems = [*_name_problems(config, found), *_placeholder_problems(config, found)]
    if problems:
        raise ConfigError(config.source.ordered(problems))
    return tuple(found)


def samples_file(config: PipelineConfig) -> Path | None:
    """Name the CSV file that holds the samples; ``None`` where they are written otherwise."""
    written = config.model.samples
    if not isinstance(written, str) or not written.lower().endswith(".csv"):
        return None
    return None if MAGIC.search(written) else config.resolve(written)


def templates(channel: Channel) -> dict[str, str]:
    """Give the texts of a channel that may hold placeholders, by key."""
    texts = {"path": channel.path, "channel": channel.channel, "scene": channel.scene}
    return {key: text for key, text in texts.items() if isinstance(text, str)}


def varying_channels(config: PipelineConfig) -> frozenset[str]:
    """Name the channels that differ between samples: those that hold a placeholder."""
    if config.model.samples is None:
        return frozenset()
    return frozenset(
        name
        for name, channel in config.channels.items()
        if any(placeholders(text) for text in templates(channel).values())
    )


def _matching(config: PipelineConfig, pattern: str) -> list[Sample]:
    """Make a sample of each match of a glob."""
    place = config.problem(("samples",), "")
    full = str(config.resolve(pattern))
    paths = sorted(glob.glob(full, recursive=True), key=_natural)  # noqa: PTH207 - it is absolute
    if not paths:
        there = Path(MAGIC.split(full, maxsplit=1)[0] + "_").parent
        hint = f"there is no folder {there}" if not there.is_dir() else f"looked in {there}"
        raise ConfigError([replace(place, message=f"nothing matches {full}", hint=hint)])
    return [_sample(_stem(Path(path)), {}, {MATCH: path}, place) for path in paths]


def _stem(path: Path) -> str:
    """Take the endings off a name: ``a.ome.tif`` and ``a.ome.zarr`` are ``a``."""
    if path.is_dir() and path.suffix != ".zarr":
        return path.name
    stem = path.stem
    return stem[:-4] if stem.lower().endswith(".ome") and len(stem) > 4 else stem


def _natural(text: str) -> list[tuple[int, str]]:
    parts = re.split(r"(\d+)", text)
    return [(int(part), "") if i % 2 else (-1, part) for i, part in enumerate(parts)]


def _tabled(config: PipelineConfig, path: Path) -> list[Sample]:
    """Make a sample of each row of a CSV."""
    try:
        table = read_table(path)
    except ConfigError as error:
        missing = [
            config.problem(("samples",), p.message, p.hint) if p.line is None else p
            for p in error.problems
        ]
        raise ConfigError(missing) from error
    return [_sample(row.name, row.conditions, row.values, row.place) for row in table]


def _listed(config: PipelineConfig, written: Sequence[object]) -> list[Sample]:
    """Make a sample of each item of a list."""
    problems: list[Problem] = []
    found = []
    for index, item in enumerate(written):
        row: dict[str, JSON] = dict(item) if isinstance(item, Mapping) else {NAME_COLUMN: str(item)}
        place = config.problem(("samples", index), "")
        name = row.pop(NAME_COLUMN, None)
        if not isinstance(name, str | int) or isinstance(name, bool):
            message = f"the key {NAME_COLUMN!r}, the sample's name, is missing"
            problems.append(replace(place, message=message))
            continue
        found.append(_sample(str(name), row, {k: _text(v) for k, v in row.items()}, place))
    problems += _uneven(found)
    if problems:
        raise ConfigError(config.source.ordered(problems))
    return found


def _uneven(samples: list[Sample]) -> Iterator[Problem]:
    """Find samples that lack a condition which others have."""
    keys = list(dict.fromkeys(key for sample in samples for key in sample.values))
    for sample in samples:
        lacking = [key for key in keys if key not in sample.values]
        if lacking:
            message = f"sample {sample.name!r} has no {' and no '.join(map(repr, lacking))}"
            hint = "other samples have; write null where nothing is known"
            yield replace(sample.place, message=message, hint=hint)


def _text(value: JSON) -> str:
    if isinstance(value, bool):
        return str(value).lower()
    return "" if value is None else str(value)


def _sample(
    name: str, conditions: Mapping[str, JSON], values: Mapping[str, str], place: Problem
) -> Sample:
    return Sample(
        name=name,
        conditions={key: value for key, value in conditions.items() if key != MATCH},
        values={**values, NAME_COLUMN: name},
        place=place,
    )


def _name_problems(config: PipelineConfig, samples: Iterable[Sample]) -> Iterator[Problem]:
    seen: dict[str, Sample] = {}
    for sample in samples:
        name = sample.name
        why = _TAKEN.get(name) or ("a node has that name" if name in config.tasks else "")
        if not SAFE_NAME.fullmatch(name):
            message = f"{name!r} cannot name a sample, as its results go into a folder of that name"
            hint = "letters, digits, '_', '-' and '.' can, at most 128; a CSV can give other names"
            yield replace(sample.place, message=message, hint=hint)
        elif why:
            yield replace(sample.place, message=f"{name!r} cannot name a sample: {why}")
        elif name in seen:
            yield replace(sample.place, message=_twice(seen[name], sample))
        seen.setdefault(name, sample)


def _twice(first: Sample, second: Sample) -> str:
    message = f"two samples are named {second.name!r}"
    if MATCH in first.values:
        return f"{message}: {first.values[MATCH]} and {second.values[MATCH]}"
    return f"{message}, the first in line {first.place.line}" if first.place.line else message


def _placeholder_problems(config: PipelineConfig, samples: Sequence[Sample]) -> Iterator[Problem]:
    known, used = set(samples[0].values), False
    for name, channel in config.channels.items():
        for key, text in templates(channel).items():
            path = config.channel_key(name, key)
            try:
                names = placeholders(text)
            except ValueError as error:
                yield config.problem(path, str(error))
                used = True
                continue
            used = used or bool(names)
            for unknown in (each for each in names if each not in known):
                hint = nearest(unknown, known, what="placeholder")
                yield config.problem(path, f"there is no placeholder {{{unknown}}}", hint)
            for sample in (each for each in samples if each.name):
                for empty in (each for each in names if sample.values.get(each) == ""):
                    message = f"sample {sample.name!r} says nothing for {{{empty}}}"
                    yield replace(sample.place, message=message, hint=f"channels.{name} needs it")
    if not used:
        message = "all samples would be the same: no channel's path holds a placeholder"
        hint = f"write one of {{{'}, {'.join(sorted(known))}}} in the paths that differ"
        yield config.problem(("samples",), message, hint, key=True)


def sample_place(config: PipelineConfig, sample: Sample, path: KeyPath) -> str:
    """Say where a sample is written, unless it is where *path* is; for hints."""
    place = sample.place
    same = place.file == config.problem(path, "").file
    at = f"{Path(place.file).name}:{place.line}" if place.file and place.line else ""
    return "" if same or not at else f"the sample is in {at}"
