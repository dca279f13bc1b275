"""How each stage's time falls with the number of workers: prepared once, measured in turn."""

from __future__ import annotations

import os
import shutil
import subprocess
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from bench_assay import CHUNKED, Stage, stages, tasks, write_movies
from bench_engine import fresh, planned, run, write_pipeline
from bench_rows import CannotRunError
from bench_settings import Settings

from cyto.core.layout import RunLayout
from cyto.core.placement import Placement
from cyto.engine.outcomes import NodeReport, RunReport
from cyto.engine.record import Event
from cyto.runners.environment import get_environment

Measurement = dict[str, Any]
"""``stage``, ``workers``, ``repetition``, ``seconds`` (first node's start to last one's end),
``run_s`` (the whole run), ``task_s`` (sum over tasks), ``cpu_s``, ``peak_mb``, ``nodes``."""


@dataclass(frozen=True, kw_only=True)
class Container:
    """The SIF that nodes run in; *sif* is empty for bare metal."""

    sif: str = ""
    python: tuple[str, ...] = ()

    def entry(self) -> dict[str, Any]:
        """Give a profile's entry."""
        if not self.sif:
            return {"type": "baremetal"}
        entry = {"type": "container", "runner": "apptainer", "image": self.sif}
        return {**entry, "python": list(self.python)} if self.python else entry

    def digest(self) -> str:
        """Give the image's digest, as the store knows it; empty on bare metal."""
        if not self.sif:
            return ""
        placement = Placement(environment="apptainer", image=self.sif)
        return str(get_environment("apptainer").identity(placement))


def container(settings: Settings) -> Container:
    """Find out where nodes run.

    Raises
    ------
    CannotRunError
        The SIF is not there, or Apptainer is not.
    """
    given = settings["containers"]
    inside = os.environ.get("APPTAINER_CONTAINER") or os.environ.get("SINGULARITY_CONTAINER")
    if not given["gpu_sif"] or inside:
        return Container()
    sif = Path(given["gpu_sif"]).expanduser().absolute()
    if not sif.is_file():
        raise CannotRunError(
            f"containers.gpu_sif: there is no {sif}; make it with: "
            'bash containers/apptainer/build.sh, or set gpu_sif = "" for bare metal'
        )
    python = tuple(given["python"].split()) or _python_of(sif)
    return Container(sif=str(sif), python=python)


def _python_of(sif: Path) -> tuple[str, ...]:
    """Ask the SIF whether it has pixi."""
    privileges = ["--no-privs"] if os.geteuid() == 0 else []
    argv = ["apptainer", "exec", *privileges, str(sif), "sh", "-c", "command -v pixi"]
    try:
        done = subprocess.run(argv, capture_output=True, text=True, check=False)
    except FileNotFoundError as error:
        raise CannotRunError(
            'containers.gpu_sif needs apptainer, which is not installed; gpu_sif = "" is bare metal'
        ) from error
    if done.returncode == 0:
        return ("pixi", "run", "-e", "gpu", "python")
    return ()


def profile(settings: Settings, place: Container, workers: int, pieces: int = 1) -> dict[str, Any]:
    """Give the profile that lets *workers* work at once.

    On this machine the run's ``--jobs`` does that. On Slurm an array has so many elements at once,
    and *pieces*, the nodes that are ready together, are packed into so many jobs.
    """
    resources = {}
    if settings["run"]["launcher"] == "slurm":
        resources = {name: value for name, value in settings["slurm"].items() if value}
    shared = {**place.entry(), "launcher": settings["run"]["launcher"]}
    chunks: dict[str, Any] = {
        **shared,
        "resources": {**resources, "batch_size": settings["framewise"]["batch_size"]},
    }
    if shared["launcher"] == "slurm":
        chunks["resources"]["max_parallel"] = workers
    entries = {"default": {**shared, "resources": resources}}
    if shared["launcher"] == "slurm":
        entries["default"]["group"] = -(-pieces // workers)
    entries |= {f"long_cancer_{name}": chunks for name in CHUNKED}
    if settings["containers"]["gpus"]:
        _with_gpus(entries, settings)
    return entries


def _with_gpus(entries: dict[str, Any], settings: Settings) -> None:
    for node in tasks(settings):
        if node.endswith("_segmentation"):
            entry = entries.get(node, entries["default"])
            gpus = {"gpus": settings["containers"]["gpus"]}
            entries[node] = {**entry, "resources": {**entry["resources"], **gpus}}


class Scaling:
    """Measure stages with more and more workers.

    Parameters
    ----------
    settings, place
        What to do and where.
    folder
        A scratch folder of this benchmark's own.
    """

    def __init__(self, settings: Settings, place: Container, folder: Path) -> None:
        self._settings, self._place, self._folder = settings, place, folder
        self._stages = stages(settings)
        self.pieces = {stage.name: stage.pieces for stage in self._stages}
        self._channels: dict[str, str] = {}
        self._keys: dict[str, str] = {}
        self._most = max(settings["run"]["workers"])

    def prepare(self) -> None:
        """Simulate the movies, and compute all once: stages find there what they need."""
        movies = self._folder / "movies"
        movies.mkdir()
        self._channels = write_movies(movies, self._settings)
        self._run(self._folder / "base", [n for stage in self._stages for n in stage.nodes], None)

    def measure(self, say: Callable[[Measurement], None]) -> list[Measurement]:
        """Measure everything; tell *say* of each as it comes."""
        found = []
        for stage, repetition, workers in self._turns():
            measurement = {
                "stage": stage.name,
                "workers": workers,
                "repetition": repetition,
                **self._once(stage, workers),
            }
            found.append(measurement)
            say(measurement)
        return found

    def _turns(self) -> Iterator[tuple[Stage, int, int]]:
        for stage in self._stages:
            for repetition in range(self._settings["run"]["repetitions"]):
                for workers in self._settings["run"]["workers"]:
                    yield stage, repetition, workers

    def _once(self, stage: Stage, workers: int) -> Measurement:
        with fresh(self._folder) as work:
            output = work / "output"
            self._hand_over(stage, output)
            return self._run(output, stage.nodes, workers, stage.pieces)

    def _hand_over(self, stage: Stage, output: Path) -> None:
        """Give the run what others computed: all results but the stage's own, by hard links."""
        if stage.name == "assay":
            return
        base = RunLayout(self._folder / "base", "").store
        target = RunLayout(output, "").store
        shutil.copytree(base, target, copy_function=os.link)
        for node in stage.nodes:
            for entry in target.glob(f"*/{self._keys[node]}"):
                shutil.rmtree(entry)

    def _run(
        self, output: Path, nodes: Sequence[str], workers: int | None, pieces: int = 1
    ) -> Measurement:
        seen: dict[str, list[Event]] = {}

        def listen(event: dict[str, Any]) -> None:
            for node in event.get("nodes", ()) if event["event"] == "submitted" else ():
                seen.setdefault(node, []).append(event)
            if "node" in event:
                seen.setdefault(event["node"], []).append(event)

        output.mkdir(parents=True, exist_ok=True)
        prepares = workers is None
        limits = profile(self._settings, self._place, workers or self._most, pieces)
        pipeline = write_pipeline(output, tasks(self._settings), limits, self._channels)
        plan = planned(pipeline, only=nodes, output_dir=output)
        seconds, report = run(plan, workers, listen)
        if prepares:
            self._keys = {name: node.facts["key"] for name, node in report.nodes.items()}
        return _facts(report, seen, nodes, seconds)


def _facts(
    report: RunReport, seen: dict[str, list[Event]], nodes: Sequence[str], seconds: float
) -> Measurement:
    mine = [report.nodes[name] for name in nodes]
    cached = [node.node for node in mine if node.outcome.value == "cached"]
    if cached:
        raise CannotRunError(f"{cached[0]} was not computed but found: nothing to measure")
    times = [event["time"] for name in nodes for event in seen[name]]
    return {
        "seconds": max(times) - min(times),
        "run_s": seconds,
        "task_s": sum(_task_s(node, seen[node.node]) for node in mine),
        "cpu_s": sum(node.cpu_s for node in mine),
        "peak_mb": max(node.peak_bytes for node in mine) / 1e6,
        "nodes": len(mine),
    }


def _task_s(node: NodeReport, events: Sequence[Event]) -> float:
    """Give how long a node's task was at work; where it was split, all its chunks together."""
    chunks = [event["wall_s"] for event in events if event["event"] == "chunk_finished"]
    return sum(chunks) if chunks else node.wall_s
