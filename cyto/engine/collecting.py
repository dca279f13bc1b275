"""The tables of all samples as one input of a node that collects."""

from __future__ import annotations

import json
from collections.abc import Mapping

import xxhash

from cyto._typing import JSON
from cyto.core.request import Ref
from cyto.engine.plan import Member, Node, Source
from cyto.engine.store import Entry
from cyto.errors import CytoError, TaskInputError
from cyto.task.ports import CARRIED_KEYS

_SHOWN = 8


class NoSampleLeftError(CytoError):
    """No sample has all the tables that a node collects."""


def lacking_samples(node: Node, entries: Mapping[str, Entry]) -> tuple[str, ...]:
    """Name the samples that are left out of *node*: one of their nodes that it collects failed.

    A sample is in all of a node's inputs or in none, so that they can be joined.
    """
    members = [member for source in node.inputs.values() for member in source.members]
    return tuple(dict.fromkeys(m.sample for m in members if m.node not in entries))


def collect(node: Node, key: str, entries: Mapping[str, Entry]) -> tuple[Ref, str, dict[str, JSON]]:
    """Join what the samples' nodes made for the input *key*.

    Returns
    -------
    The reference, its digest, and the calibration that all samples share.

    Raises
    ------
    NoSampleLeftError
        No sample is left.
    TaskInputError
        A sample made no such output or no table, its table has a column with the name of a
        condition, or the samples differ in their frame interval.
    """
    source, lacking = node.inputs[key], set(lacking_samples(node, entries))
    members = [member for member in source.members if member.sample not in lacking]
    if not members:
        raise NoSampleLeftError(f"no sample has all that it collects, such as {source.name}")
    parts: list[JSON] = []
    keys: list[JSON] = []
    for member in members:
        entry = entries[member.node]
        columns: dict[str, JSON] = {"sample": member.sample, **dict(member.conditions)}
        parts.append({"columns": columns, "ref": _table(node, key, source, member, entry)})
        keys.append([columns, entry.key])
    digest = xxhash.xxh3_128_hexdigest(json.dumps(keys).encode())
    context = _shared_context(node, key, members, entries)
    return Ref("dataframe", "collected", value=parts), f"{digest}.{source.key}", context


def without(lacking: tuple[str, ...], node: Node) -> str:
    """Say which samples a result lacks, for people; empty when none."""
    total = len({m.sample for source in node.inputs.values() for m in source.members})
    return f"without {len(lacking)} of {total} samples: {_listed(lacking)}" if lacking else ""


def _table(node: Node, key: str, source: Source, member: Member, entry: Entry) -> dict[str, JSON]:
    def fault(message: str, hint: str = "") -> TaskInputError:
        return TaskInputError(message, task=node.name, key=key, hint=hint)

    ref = entry.outputs.get(source.key)
    if ref is None:
        made = ", ".join(entry.outputs) or "nothing"
        raise fault(f"node {member.node!r} made no {source.key!r}; it made: {made}")
    if ref.kind != "dataframe":
        text = f"{member.node}.{source.key} is of kind {ref.kind}, and only tables are collected"
        raise fault(text, "make a table of it once per sample first")
    twice = {"sample", *dict(member.conditions)}.intersection(ref.columns or ())
    if twice:
        text = f"the table of sample {member.sample!r} has a column {min(twice)!r} already"
        raise fault(text, "give the condition, or the column, another name")
    return ref.to_json()


def _shared_context(
    node: Node, key: str, members: list[Member], entries: Mapping[str, Entry]
) -> dict[str, JSON]:
    """Give the calibration in which all samples agree.

    Tables whose frames take different times cannot be joined; a pixel size that differs is left
    out, as tables may well be in µm.
    """
    shared: dict[str, JSON] = {}
    for name in CARRIED_KEYS:
        by_value: dict[JSON, list[str]] = {}
        for member in members:
            by_value.setdefault(entries[member.node].context.get(name), []).append(member.sample)
        if len(by_value) == 1:
            shared[name] = next(iter(by_value))
        elif name == "frame_interval_s":
            listed = "; ".join(
                f"{'unknown' if value is None else f'{value:g} s'}: {_listed(tuple(names))}"
                for value, names in by_value.items()
            )
            raise TaskInputError(
                f"the samples differ in frame_interval_s: {listed}",
                task=node.name,
                key=key,
                hint="correct the images' metadata, or collect those that are alike (--sample)",
            )
    return {name: value for name, value in shared.items() if value is not None}


def _listed(names: tuple[str, ...]) -> str:
    more = f" and {len(names) - _SHOWN} more" if len(names) > _SHOWN else ""
    return ", ".join(names[:_SHOWN]) + more
