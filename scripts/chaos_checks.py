"""What must hold after each kill and at the end, looked at from outside the engine."""

from __future__ import annotations

import fcntl
import hashlib
import json
import os
import shutil
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from chaos_project import MARK, Project, is_split

GONE_WITHIN_S = 10.0
_OF_ONE_RUN = {"report.html", "ro-crate-metadata.json"}
_STAMP = ".exported.json"


def digest(path: Path) -> str:
    return hashlib.sha256(path.read_bytes()).hexdigest()


def marked(mark: str) -> dict[int, str]:
    """Give the command lines of all processes that bear *mark*, in containers too."""
    found = {}
    for entry in Path("/proc").iterdir():
        if not entry.name.isdigit() or int(entry.name) == os.getpid():
            continue
        try:
            if f"{MARK}={mark}".encode() in (entry / "environ").read_bytes():
                words = (entry / "cmdline").read_bytes().split(b"\0")
                found[int(entry.name)] = b" ".join(words).decode(errors="replace")[:200]
        except OSError:
            continue
    return found


def await_end(mark: str) -> tuple[float, list[str]]:
    """Wait until no process bears *mark*; give how long it took, and what stayed."""
    started = time.monotonic()
    while (left := marked(mark)) and time.monotonic() - started < GONE_WITHIN_S:
        time.sleep(0.02)
    stayed = [f"process {pid} runs {GONE_WITHIN_S:g} s later: {c}" for pid, c in left.items()]
    return time.monotonic() - started, stayed


def lock_faults(project: Project) -> list[str]:
    """See that nobody holds the output folder."""
    path = project.state / "lock"
    if not path.exists():
        return []
    with open(path, encoding="utf-8") as file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:
            return [f"the lock is held: {file.read()}"]
    return []


def published(project: Project) -> dict[str, Any]:
    """Give for each node in the store what it holds: key, context, and its outputs' contents."""
    found = {line["facts"]["node"]: _values(line) for line in lines(project)}
    for path in project.state.glob("store/??/*/manifest.json"):
        manifest = json.loads(path.read_text(encoding="utf-8"))
        outputs = {
            name: digest(path.parent / ref["path"]) if ref.get("path") else ref
            for name, ref in manifest["outputs"].items()
        }
        node = manifest["facts"]["node"]
        found[node] = [path.parent.name, manifest["context"], outputs]
    return found


def lines(project: Project) -> list[dict[str, Any]]:
    """Read the results that are lines of one file; the last of a key counts, if it is whole."""
    path, found = project.state / "store" / "values.jsonl", {}
    for text in path.read_bytes().split(b"\n") if path.exists() else []:
        try:
            line = json.loads(text)
        except ValueError:
            continue  # a kill cut it short
        found[line["key"]] = line
    return list(found.values())


def _values(line: dict[str, Any]) -> Any:
    return [line["key"], line["context"], line["outputs"]]


def entries(project: Project) -> set[str]:
    """Name everything that lies where entries lie, whole or not."""
    store = project.state / "store"
    found = {str(path.relative_to(store)) for path in store.glob("*") if path.name[0] == "."}
    found |= {line["key"] for line in lines(project)}
    return found | {path.name for path in store.glob("??/*")}


def files_for_people(project: Project, *, hidden: bool) -> dict[str, str]:
    """Give the digests of all files outside our own folder, by their path in the output folder."""
    found = {}
    for path in _walk(project.output):
        name = str(path.relative_to(project.output))
        log_of_chunks = path.suffix == ".log" and is_split(path.stem)
        if path.name == _STAMP or name in _OF_ONE_RUN or log_of_chunks:
            found[name] = ""  # differs by nature: times; what the run printed that did the rest
        elif hidden or not path.name.startswith("."):
            found[name] = digest(path)
    return found


def _walk(output: Path) -> Iterator[Path]:
    for path in sorted(output.rglob("*")) if output.exists() else []:
        if ".cyto" not in path.relative_to(output).parts and path.is_file():
            yield path


def export_faults(project: Project, wanted: dict[str, str]) -> list[str]:
    """See that every result under its final name is whole, while the run is not over."""
    found = files_for_people(project, hidden=False)
    return [
        f"{name} is not what it should be"
        for name, sha in found.items()
        if not name.startswith("logs/") and wanted.get(name) != sha
    ]


def moment(project: Project, runs_before: set[str]) -> str:
    """Say what the driver was at when it was killed, from what it left."""
    new = set(runs(project)) - runs_before
    if not new:
        return "planning"
    run = project.state / "runs" / new.pop()
    events = run / "events.jsonl"
    if events.exists() and '{"event": "run_finished"' in events.read_text():
        return "ending"
    if any(path.name.endswith((".tmp", ".part")) for path in _walk(project.output)):
        return "exporting"
    if any(out.with_name("result.json").exists() for out in run.glob("jobs/*/*/out")):
        return "publishing"
    return "computing"


def runs(project: Project) -> list[str]:
    folder = project.state / "runs"
    return sorted(path.name for path in folder.iterdir()) if folder.exists() else []


def containers_left(project: Project) -> list[str]:
    """List the Docker containers of this project's runs, stopped ones too."""
    docker = shutil.which("docker")
    if docker is None:
        return []
    argv = [docker, "ps", "--all", "--format", "{{.Names}}"]
    listed = subprocess.run(argv, capture_output=True, text=True, check=False).stdout.split()
    prefixes = tuple(f"cyto-{run}-" for run in runs(project))
    return [f"container {name} is left" for name in listed if name.startswith(prefixes)]


def end_faults(project: Project, wanted: Project) -> list[str]:
    """Compare a finished project with the undisturbed one."""
    faults = [f"store: {fault}" for fault in _differences(published(project), published(wanted))]
    strange = entries(project) ^ entries(wanted)
    faults += [f"store: {name} is there alone or lacks" for name in sorted(strange)]
    found, files = (files_for_people(p, hidden=True) for p in (project, wanted))
    faults += [f"output: {fault}" for fault in _differences(found, files)]
    return faults + containers_left(project) + lock_faults(project)


def _differences(found: dict[str, Any], wanted: dict[str, Any]) -> list[str]:
    lost = [f"{name} is not there" for name in sorted(wanted.keys() - found.keys())]
    more = [f"{name} is too many" for name in sorted(found.keys() - wanted.keys())]
    both = sorted(found.keys() & wanted.keys())
    return lost + more + [f"{name} differs" for name in both if found[name] != wanted[name]]
