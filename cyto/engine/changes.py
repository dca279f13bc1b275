"""What differs between what a result depended on and what it depends on now, in words."""

from __future__ import annotations

import json
from collections.abc import Collection, Iterator, Mapping
from typing import Any

from cyto.task.ports import CONTEXT_KEYS

Parts = Mapping[str, Any]
_LONGEST = 40
_FILE = "a file"


def describe_changes(
    before: Parts,
    now: Parts,
    *,
    sources: Mapping[str, str],
    image: str | None = None,
    unknown: Collection[str] = (),
) -> list[str]:
    """Say what changed.

    Parameters
    ----------
    before, now
        Parts as `cyto.engine.fingerprint.node_parts` gives them.
    sources
        Names of channels or outputs by input key.
    image
        The image that runs now.
    unknown
        Input keys whose digests are not known yet; they do not count, nor does calibration.

    Returns
    -------
    Such as ``parameter diameter 25 → 30``, the likely cause first; empty where nothing changed.
    """
    if before.get("format") != now["format"]:
        return ["the format of pyCyto's store"]
    if before["task"] != now["task"]:  # everything else differs with it
        return [f"task {_short(before['task'])} → {_short(now['task'])}"]
    return [
        *_params(before, now),
        *_inputs(dict(before["inputs"]), dict(now["inputs"]), sources, unknown),
        *_order(before["inputs"], now["inputs"], unknown),
        *([] if before["code"] == now["code"] else [f"code of {_short(now['task'])}"]),
        *_environment(before["environment"], now["environment"], image),
        *_each("variable", dict(before["env"]), dict(now["env"])),
        *_each("", {"seed": before["seed"]}, {"seed": now["seed"]}),
    ]


def _params(before: Parts, now: Parts) -> Iterator[str]:
    """Name parameters; one that names a file counts by what is in the file."""
    files = before["files"].keys() & now["files"].keys()
    yield from (f"file of {name}" for name in sorted(files) if _differ(before, now, name))
    yield from _each(
        "parameter",
        {**before["params"], **dict.fromkeys(before["files"].keys() - files, _FILE)},
        {**now["params"], **dict.fromkeys(now["files"].keys() - files, _FILE)},
    )


def _differ(before: Parts, now: Parts, name: str) -> bool:
    return bool(before["files"][name] != now["files"][name])


def _inputs(
    before: Mapping[str, str],
    now: Mapping[str, str],
    sources: Mapping[str, str],
    unknown: Collection[str],
) -> Iterator[str]:
    for key, source in sources.items():
        if key in unknown:
            continue
        if key not in before:
            yield f"input {key} added: {source}"
        elif before[key] != now[key]:
            yield f"input {source}"
    if unknown:
        return
    yield from (f"input {key} gone" for key in before if key not in {*now, *CONTEXT_KEYS})
    told = [{k: v for k, v in side.items() if k in CONTEXT_KEYS} for side in (before, now)]
    yield from _each("", *told)


def _order(before: list[Any], now: list[Any], unknown: Collection[str]) -> list[str]:
    keys = [[key for key, _ in side] for side in (before, now)]
    swapped = not unknown and keys[0] != keys[1] and sorted(keys[0]) == sorted(keys[1])
    return ["the order of inputs"] if swapped else []


def _environment(before: str, now: str, image: str | None) -> list[str]:
    if before == now:
        return []
    old, new = before.split(), now.split()
    if old[:1] != new[:1]:
        return [f"environment {' '.join(old[:1])} → {' '.join(new[:1])}"]
    if image:
        return [f"image digest of {image}"]
    if len(old) != len(new):
        return ["environment"]
    pairs = [(f"{name} {a}", b) for name, a, b in zip(["", *old], old, new, strict=False) if a != b]
    return ["environment: " + ", ".join(f"{a} → {b}" for a, b in pairs)]


def _each(what: str, before: Mapping[str, Any], now: Mapping[str, Any]) -> Iterator[str]:
    for name in dict.fromkeys([*now, *before]):
        old, new = _shown(before, name), _shown(now, name)
        if before.get(name) != now.get(name) or (name in before) != (name in now):
            yield f"{what} {name} {old} → {new}".strip()


def _shown(values: Mapping[str, Any], name: str) -> str:
    if name not in values:
        return "unset"
    value = values[name]
    if isinstance(value, float) and value.is_integer():
        value = int(value)  # as people write it
    text = value if isinstance(value, str) and value else json.dumps(value, ensure_ascii=False)
    return text if len(text) <= _LONGEST else f"{text[: _LONGEST - 1]}…"


def _short(task: str) -> str:
    return task.rpartition(".")[2]
