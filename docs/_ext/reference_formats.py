"""Every key of the two file formats, from the models that read them."""

from __future__ import annotations

import json
from typing import Any

from reference_words import code, plain, table

from cyto.config import pipeline_model, resources_model
from cyto.config.sbatch_options import FLAGS, VALUES
from cyto.config.schemas import schema

_SHAPES = {"pipeline": pipeline_model.SHAPES, "resources": resources_model.SHAPES}
_TOP = {"pipeline": "pipeline.NAME.yaml", "resources": "pipeline-resources.NAME.yaml"}
_NAMES = {
    "string": "text",
    "integer": "whole number",
    "number": "number",
    "boolean": "true or false",
    "null": "null",
    "object": "mapping",
    "array": "list",
}


def format_page(kind: str) -> str:
    """Give a section with a table for each mapping of the format *kind*."""
    whole = schema("pipeline" if kind == "pipeline" else "resources")
    done: set[str] = set()
    parts = []
    for path, model in _SHAPES[kind].items():
        if model.__name__ in done:
            continue
        done.add(model.__name__)
        found = whole if path == () else whole["$defs"][model.__name__]
        parts.append(_section(kind, path, found))
    if kind == "resources":
        parts.append(_sbatch())
    return "\n\n".join(parts)


def _section(kind: str, path: tuple[str, ...], model: dict[str, Any]) -> str:
    title = ".".join(path).replace("configs.*.*", "configs.PROFILE.ENTRY").replace("*", "NAME")
    head = f"## {code(title) if title else 'At the top of ' + code(_TOP[kind])}"
    required = set(model.get("required", ()))
    rows = [
        (code(key), _type(value), _default(key, value, required), _meaning(value))
        for key, value in model["properties"].items()
        if key not in FLAGS and key not in VALUES
    ]
    about = plain(model.get("description", ""))
    return f"{head}\n\n{about}\n\n" + table(("key", "type", "default", "meaning"), rows)


def _sbatch() -> str:
    return (
        "## Options of sbatch\n\nEach stands under its own name among the `resources` of an entry, "
        "or under `slurm:`, and makes the node run on Slurm.\n\n"
        f"With a value: {', '.join(map(code, VALUES))}.\n\n"
        f"`true` sets them: {', '.join(map(code, FLAGS))}.\n"
    )


def _meaning(value: dict[str, Any]) -> str:
    return plain(value.get("description", ""))


def _default(key: str, value: dict[str, Any], required: set[str]) -> str:
    if key in required:
        return "must be given"
    default = value.get("default")
    return "left out" if default in (None, "", [], {}) else code(json.dumps(default))


def _type(value: dict[str, Any]) -> str:
    """Say in words which values a JSON Schema takes."""
    choices = value.get("anyOf") or value.get("oneOf")
    if choices:
        words = [_type(choice) for choice in choices if choice.get("type") != "null"]
        return " or ".join(dict.fromkeys(words))
    if "enum" in value:
        return " or ".join(code(json.dumps(choice).strip('"')) for choice in value["enum"])
    if "const" in value:
        return code(json.dumps(value["const"]).strip('"'))
    if "$ref" in value:
        name = value["$ref"].rsplit("/", 1)[1]
        return "mapping" if name[0].isupper() else name
    kind = value.get("type", "anything")
    if isinstance(kind, list):
        return " or ".join(_NAMES[one] for one in kind)
    text = _NAMES.get(kind, kind)
    if kind == "array" and isinstance(value.get("items"), dict):
        items = _type(value["items"])
        return f"list of ({items})" if " or " in items else f"list of {items}"
    return text + _limits(value)


def _limits(value: dict[str, Any]) -> str:
    low = value.get("minimum")
    if low is not None and "maximum" in value:
        return f", {low} to {value['maximum']}"
    if low is not None:
        return f", {low} or more"
    if "exclusiveMinimum" in value:
        return f" above {value['exclusiveMinimum']}"
    return ""
