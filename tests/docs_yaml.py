"""YAML and TOML of the documents: whole files are loaded, fragments fit one place of a format."""

from __future__ import annotations

import tempfile
from pathlib import Path
from typing import Any

import yaml

from cyto.config import load_pipeline, load_resources
from cyto.errors import ConfigError

_TASK = {"module": "cyto.segmentation.watershed.Watershed"}
_CHANNELS = {name: f"{name}.tif" for name in ("tcell", "cancer", "death")}


def check(text: str, path: Path | None) -> None:
    """Check a file that was written to *path*, or a fragment."""
    if path is not None and path.name.startswith("pipeline-resources."):
        load_resources(path)
    elif path is not None and path.name.startswith("pipeline.") and "tasks" in yaml.safe_load(text):
        load_pipeline(path)
    elif path is None or path.name.startswith("pipeline"):
        _fragment(yaml.safe_load(text))


def _fragment(found: Any) -> None:
    """Check what is a part of a pipeline or of a resources file, wherever it fits."""
    assert isinstance(found, dict), "a fragment is a mapping"
    if "pipeline" in found and "tasks" not in found:
        return  # a legacy pipeline, which its own page runs
    faults = []
    with tempfile.TemporaryDirectory() as folder:
        for name, whole in _wholes(found):
            file = Path(folder, name)
            file.write_text(yaml.safe_dump(whole, sort_keys=False), encoding="utf-8")
            try:
                load_resources(file) if "resources" in name else load_pipeline(file)
            except ConfigError as error:
                faults.append(str(error))
            else:
                return
    raise AssertionError("fits nowhere:\n" + "\n".join(faults))


def _wholes(found: dict[str, Any]) -> list[tuple[str, dict[str, Any]]]:
    """Give every whole file that the fragment may be a part of."""
    resources, pipeline = "pipeline-resources.x.yaml", "pipeline.x.yaml"
    entry = {"execution_configs": {"local": {"default": found}}}
    return [
        (resources, {"execution_configs": {"local": {"default": {"type": "baremetal"}}}, **found}),
        (resources, entry),
        (resources, {"execution_configs": {"local": found}}),
        (resources, {"execution_configs": found}),
        (pipeline, _completed({"channels": _CHANNELS, "tasks": {"a": _TASK}, **found})),
        (pipeline, _completed({"channels": _CHANNELS, "tasks": {"a": {**_TASK, **found}}})),
        (pipeline, _completed({"channels": _CHANNELS, "tasks": found})),
        (pipeline, {"channels": found, "tasks": {"a": _TASK}}),
    ]


def _completed(pipeline: dict[str, Any]) -> dict[str, Any]:
    """Add the nodes that a fragment names and does not show."""
    nodes = [node for node in pipeline["tasks"].values() if isinstance(node, dict)]
    inputs = [node["inputs"] for node in nodes if isinstance(node.get("inputs"), dict)]
    named = {str(source).partition(".")[0] for given in inputs for source in given.values()}
    lacking = named - set(pipeline["tasks"]) - set(pipeline["channels"])
    return {**pipeline, "tasks": {**pipeline["tasks"], **dict.fromkeys(lacking, _TASK)}}


def check_toml(text: str) -> None:
    """Check that TOML can be read, where this Python can."""
    try:
        import tomllib
    except ImportError:
        return
    tomllib.loads(text)
