"""What run_benchmark.py leaves: all numbers as CSV and JSON, and a page that reads them."""

from __future__ import annotations

import csv
import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

from bench_assay import CHUNKED
from bench_figures import HOW_TO_GET, can_draw, draw
from bench_overhead_table import short
from bench_reading import Point, points, what_limits

COLUMNS = (
    "stage", "workers", "repetition", "seconds", "run_s", "task_s", "cpu_s", "peak_mb", "nodes",
)  # fmt: skip


def write_results(folder: Path, results: Mapping[str, Any]) -> list[Path]:
    """Write everything; give the paths.

    Parameters
    ----------
    results
        ``provenance``, ``settings``, ``pieces`` (by stage), ``measurements``.
    """
    lines = points(results["measurements"], results["pieces"])
    summary = {stage: [asdict(point) for point in line] for stage, line in lines.items()}
    made = [_csv(folder / "measurements.csv", results["measurements"])]
    path = folder / "results.json"
    text = json.dumps({**results, "summary": summary}, indent=2, ensure_ascii=False)
    path.write_text(text + "\n", encoding="utf-8")
    made.append(path)
    figures = draw(folder, lines, _where(results)) if can_draw() else []
    page = folder / "README.md"
    page.write_text("\n".join(_page(results, lines, bool(figures))) + "\n", encoding="utf-8")
    return [*made, *figures, page]


def _csv(path: Path, measurements: Sequence[Mapping[str, Any]]) -> Path:
    with path.open("w", newline="", encoding="utf-8") as file:
        writer = csv.DictWriter(file, COLUMNS)
        writer.writeheader()
        writer.writerows(measurements)
    return path


def _where(results: Mapping[str, Any]) -> str:
    launcher = results["settings"]["run"]["launcher"]
    facts = results["provenance"]
    place = "Slurm" if launcher == "slurm" else f"{facts['cpu']}, {facts['cpus']} cores"
    return f"{place}, {'a SIF' if facts['image'] or facts['inside'] else 'bare metal'}"


def _page(
    results: Mapping[str, Any], lines: Mapping[str, Sequence[Point]], figures: bool
) -> Iterator[str]:
    yield "# Scaling of the killing assay"
    yield ""
    yield from _introduction(results)
    yield from _times(lines)
    yield from _efficiencies(lines)
    yield from _limits(results, lines)
    yield ""
    yield "![speed-up](speedup.png)\n\n![time](time.png)" if figures else HOW_TO_GET.capitalize()
    yield ""
    yield from _provenance(results)


def _introduction(results: Mapping[str, Any]) -> Iterator[str]:
    settings = results["settings"]
    movies, long = settings["movies"], settings["framewise"]
    size = movies["size_px"]
    chunked = ", ".join(CHUNKED)
    yield (
        f"Where: {_where(results)}. Each number is the median of "
        f"{settings['run']['repetitions']} runs, in seconds, from the start of a stage's first "
        "node to the end of its last; what the stage needs was computed before. A worker's start "
        "and its imports are in it."
    )
    yield ""
    yield (
        f"{chunked}: one movie of {long['frames']} frames of {size}², "
        f"{long['batch_size']} frames at a time ({settings['segmentation']['method']}). "
        f"The others: {movies['count']} movies of {movies['frames']} frames of {size}², "
        f"{movies['tcells']} T cells and {movies['cancer_cells']} cancer cells each."
    )
    yield ""


def _times(lines: Mapping[str, Sequence[Point]]) -> Iterator[str]:
    yield from _head("s: median (min … max)", lines)
    for stage, line in lines.items():
        cells = [f"{short(p.seconds)} ({short(p.least)} … {short(p.most)})" for p in line]
        yield f"| {stage} | {' | '.join(cells)} |"
    yield ""


def _efficiencies(lines: Mapping[str, Sequence[Point]]) -> Iterator[str]:
    yield from _head("speed-up (efficiency)", lines)
    for stage, line in lines.items():
        cells = [f"{point.speedup:.2f} × ({point.efficiency:.0%})" for point in line]
        yield f"| {stage} | {' | '.join(cells)} |"
    yield ""


def _head(title: str, lines: Mapping[str, Sequence[Point]]) -> Iterator[str]:
    workers = [f"N = {point.workers}" for point in next(iter(lines.values()))]
    yield f"| {title} | {' | '.join(workers)} |"
    yield f"|---|{'---|' * len(workers)}"


def _limits(results: Mapping[str, Any], lines: Mapping[str, Sequence[Point]]) -> Iterator[str]:
    local = results["settings"]["run"]["launcher"] == "local"
    cpus = results["provenance"]["cpus"] if local else None
    yield "What limits:"
    yield ""
    for stage, line in lines.items():
        yield f"- {stage}: {what_limits(line, cpus)}."


def _provenance(results: Mapping[str, Any]) -> Iterator[str]:
    facts = results["provenance"]
    state = {True: " with changes", False: "", None: ""}[facts["dirty"]]
    commit = f"commit {facts['commit'][:12]}{state}" if facts["commit"] else "outside of git"
    yield (
        f"{facts['time']}, pyCyto {facts['cyto']} ({commit}), Python {facts['python']}, "
        f"{facts['system']}, {facts['memory_gb']:g} GB, load {facts['load']:g} at the start and "
        f"{facts['load_at_end']:g} at the end."
    )
    if facts["inside"]:
        yield f"Run inside {facts['inside']}."
    if facts["image"]:
        yield f"Image: {facts['image']} ({facts['image_digest']})."
    yield "All measurements: measurements.csv; with versions and settings: results.json."
