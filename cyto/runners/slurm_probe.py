"""A job that looks around on a compute node: what is there that is here, and what is not."""

from __future__ import annotations

import json
import os
import shlex
import time
import uuid
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from cyto.errors import UnavailableError
from cyto.runners.environment import get_environment, tail
from cyto.runners.process import run
from cyto.runners.slurm_commands import Commands, JobState, SilentError
from cyto.runners.slurm_endings import advice, waiting
from cyto.runners.slurm_script import option_line, python_command

ENVIRONMENTS = ("apptainer", "docker", "podman")
_PAUSE_S = 0.2
_GRACE_S = 10.0


@dataclass(frozen=True, kw_only=True)
class Seen:
    """What a probe job saw in one partition.

    Parameters
    ----------
    partition, node
        Where; *node* is empty when no job ran.
    fault
        Why nothing is known; empty when the job answered.
    hint
        What to do about it.
    python
        Version of the Python that runs tasks on bare metal, there.
    cpus
        What the job was given.
    gpus
        Names of the node's GPUs, as ``nvidia-smi`` lists them.
    environments
        For each environment its version, or what is wrong with it.
    """

    partition: str
    node: str = ""
    fault: str = ""
    hint: str = ""
    python: str = ""
    cpus: int = 0
    gpus: tuple[str, ...] = ()
    environments: Mapping[str, tuple[bool, str]] = field(default_factory=dict)


def probe(
    partition: str,
    *,
    folder: Path,
    options: Mapping[str, str] | None = None,
    limit_s: float = 120.0,
    commands: Commands | None = None,
) -> Seen:
    """Submit one small job and wait for what it saw.

    Parameters
    ----------
    partition
        Its name; empty is the cluster's default.
    folder
        Where the job leaves its answer: on the file system that runs will use. Nothing stays.
    options
        More options of ``sbatch`` that the site wants, such as ``account``.
    limit_s
        The job is cancelled when it has not answered after so many seconds.
    """
    commands = commands or Commands()
    given = {**(options or {}), **({"partition": partition} if partition else {})}
    home = folder / f".cyto-probe-{uuid.uuid4().hex[:8]}"
    home.mkdir(parents=True)
    try:
        (home / "probe.sh").write_bytes(os.fsencode(probe_script(home, given)))
        commands.check([partition] if partition else [])
        job, cluster = commands.submit(home / "probe.sh", given)
        try:
            return _wait(commands, partition, job, cluster, home, limit_s)
        finally:
            commands.cancel(job, cluster)
    except UnavailableError as error:
        return Seen(partition=partition, fault=error.message, hint=error.hint or advice(error))
    finally:
        for name in ("probe.sh", "log.txt", "seen.json", "seen.json.part"):
            (home / name).unlink(missing_ok=True)
        home.rmdir()


def probe_script(home: Path, options: Mapping[str, str]) -> str:
    """Write the script of the probe job."""
    more = {"job-name": "cyto-probe", "chdir": "/", "output": "/dev/null", "time": "5"}
    asked = {**more, **options}
    command = [*python_command("cyto.runners.slurm_probe"), str(home / "seen.json")]
    return "\n".join(
        [
            "#!/bin/sh",
            *(option_line(name, value) for name, value in asked.items()),
            f"exec >>{shlex.quote(str(home / 'log.txt'))} 2>&1",
            f"exec {shlex.join(command)}",
            "",
        ]
    )


def _wait(
    commands: Commands, partition: str, job: str, cluster: str, home: Path, limit_s: float
) -> Seen:
    end, ended, state = time.monotonic() + limit_s, 0.0, JobState(state="PENDING")
    while True:
        if (home / "seen.json").exists():
            return _read(partition, json.loads((home / "seen.json").read_text(encoding="utf-8")))
        now = time.monotonic()
        if ended and now > ended + _GRACE_S:
            return _silent(partition, job, state, home)
        if now > end:
            said = waiting([(job, state)]) or "it does not end"
            fault = f"job {job} gave no answer within {limit_s:g} s: {said}"
            return Seen(partition=partition, fault=fault, hint="try again when nodes are free")
        try:
            state = commands.states(cluster).get(job, state)
        except SilentError:
            state = JobState(state="PENDING", reason="the controller does not answer")
        ended = ended or (now if state.ended else 0.0)
        time.sleep(_PAUSE_S if ended or now < end - limit_s + 5 else 1.0)


def _silent(partition: str, job: str, state: JobState, home: Path) -> Seen:
    """Say why a job that ended left nothing."""
    log = home / "log.txt"
    if not log.exists():
        fault = f"job {job} left nothing: node {state.node} does not see {home.parent}"
        hint = "work in a folder that all nodes share, and start from there"
        return Seen(partition=partition, node=state.node, fault=fault, hint=hint)
    said = tail(log.read_text(encoding="utf-8", errors="replace"))
    return Seen(
        partition=partition,
        node=state.node,
        fault=f"this Python does not start pyCyto on node {state.node}: {said}",
        hint="install pyCyto in an environment on the file system that all nodes share",
    )


def _read(partition: str, seen: dict[str, object]) -> Seen:
    environments = seen.pop("environments")
    gpus = seen.pop("gpus")
    if not isinstance(environments, dict) or not isinstance(gpus, list):
        return Seen(partition=partition, fault=f"the probe answered {seen!r}")
    return Seen(
        partition=partition,
        node=str(seen["node"]),
        python=str(seen["python"]),
        cpus=int(str(seen["cpus"])),
        gpus=tuple(gpus),
        environments={name: (bool(fine), text) for name, (fine, text) in environments.items()},
    )


def main(argv: Sequence[str]) -> int:
    """Look around, on the compute node; write what is there to the file that *argv* names."""
    import site
    import sys

    site.main()  # environments are found as entry points, and tasks' libraries lie there
    listed = run(["nvidia-smi", "--query-gpu=name", "--format=csv,noheader"], timeout_s=20)
    seen = {
        "node": os.environ.get("SLURMD_NODENAME") or os.uname().nodename,
        "python": sys.version.split()[0],
        "cpus": int(os.environ.get("SLURM_CPUS_ON_NODE", "0")),
        "gpus": listed.out.splitlines() if listed.ok else [],
        "environments": {name: _try(name) for name in ENVIRONMENTS},
    }
    part = Path(argv[0] + ".part")
    part.write_text(json.dumps(seen), encoding="utf-8")
    part.replace(argv[0])
    return 0


def _try(name: str) -> tuple[bool, str]:
    try:
        version: str = get_environment(name).check_program()  # type: ignore[attr-defined]
    except UnavailableError as error:
        return False, error.message
    return True, version
