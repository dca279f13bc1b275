"""Everything that a page shows, as JSON values in parts that can be replaced one by one."""

from __future__ import annotations

import shlex
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from cyto.engine.view import NodeView, RunView, Span
from cyto.report.details import Details
from cyto.report.folding import fold
from cyto.report.layering import draw

_SPANS = 300
"""Stretches of work drawn for one node; more cannot be told apart."""


def run_part(view: RunView, notes: list[str]) -> dict[str, Any]:
    """Say what ran, where, and how it ended; *notes* is what the page leaves out."""
    begun = view.started
    start = float(begun["time"])
    end = float(view.finished.get("time", 0.0)) or view.last
    return {
        "id": view.layout.run_id,
        "state": view.state,
        "pipeline": begun["pipeline"],
        "title": _title(Path(begun["pipeline"]).name),
        "resources": begun.get("resources") or "",
        "profile": begun.get("profile", ""),
        "profile_reason": begun.get("profile_reason", ""),
        "output_dir": str(view.layout.output_dir),
        "folder": begun.get("folder", ""),
        "host": begun.get("host", ""),
        "version": begun.get("version", ""),
        "machine": dict(begun.get("machine", {})),
        "samples": {name: dict(given) for name, given in begun.get("samples", {}).items()},
        "command": asked_command(begun.get("asked") or {}),
        "only": list(begun.get("only", ())),
        "start": start,
        "started": time.strftime("%Y-%m-%d %H:%M:%S %z", time.localtime(start)),
        "elapsed": round(max(0.0, end - start), 3),
        "channels": [
            {
                "name": name,
                "path": facts.get("path", ""),
                "shape": " × ".join(map(str, facts.get("shape", ()))),
                "pixel_size_um": facts.get("pixel_size_um"),
                "frame_interval_s": facts.get("frame_interval_s"),
            }
            for name, facts in begun.get("channels", {}).items()
        ],
        "notes": list(notes),
    }


def _title(name: str) -> str:
    """Give the X of ``pipeline.X.yaml``, else the file's name without its ending."""
    stem = name.rsplit(".", 1)[0]
    return stem.removeprefix("pipeline.") or name


def asked_command(asked: Mapping[str, Any]) -> str:
    """Write the ``cyto run`` that was asked for; empty where the run was begun otherwise."""
    if not asked.get("pipeline"):
        return ""
    argv = ["cyto", "run", str(asked["pipeline"])]
    for option, name in (("--profile", "profile"), ("--resources", "resources")):
        argv += [option, str(asked[name])] if asked.get(name) else []
    argv += ["--output-dir", str(asked["output_dir"])] if asked.get("output_dir") else []
    several = {"overrides": "--set", "only": "--only", "sample": "--sample"}
    for name, option in {**several, "force": "--force", "since": "--from"}.items():
        argv += [part for value in asked.get(name) or () for part in (option, str(value))]
    argv += ["--jobs", str(asked["jobs"])] if asked.get("jobs") else []
    argv += ["--fail-fast"] if asked.get("fail_fast") else []
    return shlex.join(argv)


def graph_part(view: RunView) -> dict[str, Any]:
    """Give the picture of the graph: boxes with their nodes' indices, and arrows."""
    boxes = fold(view)
    drawing = draw(boxes)
    order = {box.key: place for place, box in enumerate(boxes)}
    return {
        "width": round(drawing.width, 1),
        "height": round(drawing.height, 1),
        "boxes": [
            {
                "name": box.name,
                "under": box.under,
                "nodes": box.nodes,
                "x": round(drawing.places[box.key].x, 1),
                "y": round(drawing.places[box.key].y, 1),
                "w": round(drawing.places[box.key].width, 1),
                "h": round(drawing.places[box.key].height, 1),
            }
            for box in boxes
        ],
        "arrows": [
            {
                "from": order[start],
                "to": order[end],
                "points": [[round(x, 1), round(y, 1)] for x, y in points],
            }
            for start, end, points in drawing.arrows
        ],
    }


def node_part(view: RunView, node: NodeView) -> dict[str, Any]:
    """Give what is shown of a node without asking; times are seconds since the run began."""
    start = float(view.started["time"])
    facts, end = node.facts, node.end
    asked = facts["resources"]
    return {
        "name": node.name,
        "plain": node.plain,
        "sample": node.sample,
        "task": facts["task"].rpartition(".")[2],
        "module": facts["task"],
        "state": node.state,
        "message": end.get("message") or node.text,
        "environment": facts["environment"],
        "image": facts.get("image") or "",
        "launcher": facts.get("launcher", "local"),
        "cpus": asked.get("cpus"),
        "memory": asked.get("memory_bytes"),
        "gpus": asked.get("gpus", 0),
        "limit": asked.get("walltime_s"),
        "wall": round(end.get("wall_s", 0.0), 3),
        "cpu": round(end.get("cpu_s", 0.0), 3),
        "peak": end.get("peak_bytes", 0),
        "begun": None if node.begun is None else round(node.begun - start, 3),
        "finished": None if node.finished is None else round(node.finished - start, 3),
        "jobs": node.jobs[:8],
        "done": node.done,
        "total": node.total,
        "attempts": len(node.attempts),
        "chunks": sum(span.chunk is not None for span in node.spans),
        "spans": [_span(span, start) for span in node.spans[:_SPANS]],
    }


def _span(span: Span, start: float) -> list[Any]:
    frames = f"frames {span.frames[0]}–{span.frames[1] - 1}" if span.frames else ""
    end = None if span.end is None else round(span.end - start, 3)
    where = span.host or span.worker
    return [round(span.begin - start, 3), end, int(span.ok), frames, where]


def environments_part(view: RunView, details: Details) -> list[dict[str, Any]]:
    """List what tasks ran in: image, digest, and versions, with the nodes of each."""
    found: dict[str, dict[str, Any]] = {}
    for node in view.nodes.values():
        entry = details.entry(node)
        if entry is None:
            continue
        identity = str((entry.facts.get("parts") or {}).get("environment", ""))
        versions = entry.facts.get("versions", {})
        group = found.setdefault(
            f"{node.facts['environment']} {node.facts.get('image')} {identity}",
            {
                "environment": node.facts["environment"],
                "image": node.facts.get("image") or "",
                "identity": identity,
                "versions": {},
                "nodes": [],
            },
        )
        group["versions"].update(versions)
        if node.plain not in group["nodes"]:
            group["nodes"].append(node.plain)
    return list(found.values())
