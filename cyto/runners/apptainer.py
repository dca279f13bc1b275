"""Workers in Apptainer (Singularity) containers, as HPC clusters have them."""

from __future__ import annotations

import hashlib
import os
import shutil
from collections.abc import Sequence
from functools import cache
from pathlib import Path
from typing import ClassVar

from cyto.core.placement import Placement
from cyto.errors import UnavailableError
from cyto.runners.building import how_to_build
from cyto.runners.docker import csv_field, inside_variables
from cyto.runners.environment import (
    Ending,
    Mount,
    WorkerSpec,
    exit_ending,
    no_python_ending,
    tail,
)
from cyto.runners.process import run

_HEADER = 1 << 16  # bytes of a SIF that hold its id and the time it was built


class ApptainerRunner:
    """A worker in an Apptainer container; ``singularity`` is the same thing."""

    name: ClassVar[str] = "apptainer"
    sees_host: ClassVar[bool] = False
    limits_memory: ClassVar[bool] = False

    def check(self, placement: Placement) -> None:
        """Make sure of the program and of the SIF.

        Raises
        ------
        UnavailableError
            One of them is missing; the hint says which command makes it.
        """
        self.check_program()
        if placement.pids is not None:
            raise UnavailableError(
                "apptainer cannot limit the number of processes, and 'pids' asks for it",
                hint="leave pids out, or use docker",
            )
        image = placement.image or ""
        if "://" in image:
            raise UnavailableError(
                f"{image!r} is no SIF on this machine, and nothing is pulled while a run waits",
                hint=f"make one first with: {program()} pull NAME.sif {image}",
            )
        path = Path(image)
        if not path.exists():
            raise UnavailableError(
                f"there is no SIF {image!r}",
                hint=f"make it with: {how_to_build(image, 'apptainer')}\n"
                "    or run without it: --profile local",
            )
        if not os.access(path, os.R_OK):
            raise UnavailableError(f"the SIF {image!r} cannot be read by this user")

    def check_program(self) -> str:
        """Make sure that the program is there and starts; give its version."""
        name = program()
        if shutil.which(name) is None:
            raise UnavailableError(
                "apptainer is not installed: neither 'apptainer' nor 'singularity' is on the PATH",
                hint="on a cluster try 'module load apptainer'; else install it, choose another "
                "runner in the resources file, or use --profile local",
            )
        answer = run([name, "version"])
        if not answer.ok:
            raise UnavailableError(f"{name} does not work here: {tail(answer.err, 3)}")
        return answer.out.strip()

    def identity(self, placement: Placement) -> str:
        """Give a digest of the SIF's header, which holds its id and build time."""
        path = Path(placement.image or "")
        if path.is_dir():  # an unpacked sandbox
            return f"apptainer folder {path} {path.stat().st_mtime_ns}"
        with path.open("rb") as file:
            digest = hashlib.sha256(file.read(_HEADER)).hexdigest()
        return f"apptainer {digest} {path.stat().st_size}"

    def wrap(self, spec: WorkerSpec, args: Sequence[str]) -> list[str]:
        """Give the ``exec`` command."""
        placement = spec.placement
        # Apptainer's own --env evaluates values in a shell; env(1) takes them as they are
        variables = [f"{name}={value}" for name, value in self._inside(spec).items()]
        return [
            program(), "--silent", "exec",
            "--containall", "--no-home", "--workdir", spec.scratch, "--pwd", "/tmp",  # noqa: S108
            *(["--no-privs"] if spec.user[0] == 0 else []),
            *([] if placement.network else ["--net", "--network", "none"]),
            *(["--nv"] if spec.gpu_ids else []),
            *(part for mount in spec.mounts for part in ("--mount", mount_option(mount))),
            placement.image or "", "env", *variables, *placement.python, "-S", "-s", *args,
        ]  # fmt: skip

    def variables(self, spec: WorkerSpec) -> dict[str, str]:  # noqa: ARG002 - none of them goes in
        """Give Apptainer the caller's variables, without those that it would hand on."""
        handed_on = ("APPTAINERENV_", "SINGULARITYENV_", "APPTAINER_BIND", "SINGULARITY_BIND")
        return {k: v for k, v in os.environ.items() if not k.startswith(handed_on)}

    def explain(self, spec: WorkerSpec, code: int | None, stderr: str) -> Ending:
        """Explain the exit code; 255 is Apptainer's own failure."""
        if code in {126, 127} or (code == 255 and "executable file not found" in stderr):
            return no_python_ending(spec.placement, stderr)
        if code == 255:
            return Ending(reason="lost", message=f"apptainer could not run it: {tail(stderr)}")
        return exit_ending(code, stderr, spec.placement)

    def _inside(self, spec: WorkerSpec) -> dict[str, str]:
        gpus = {"CUDA_VISIBLE_DEVICES": ",".join(spec.gpu_ids)} if spec.gpu_ids else {}
        return {**inside_variables(spec), **gpus}

    def remove(self, spec: WorkerSpec) -> None:
        """Do nothing: the launcher ends the process and all in its session."""

    def sweep(self) -> None:
        """Do nothing: a worker ends with its driver."""


@cache
def program() -> str:
    """Give the name that this machine knows Apptainer by."""
    return (
        "apptainer"
        if shutil.which("apptainer") or not shutil.which("singularity")
        else "singularity"
    )


def mount_option(mount: Mount) -> str:
    """Write a mount as ``--mount`` reads it: a line of CSV, so that any path can be named."""
    fields = ["type=bind", f"source={mount.source}", f"destination={mount.target}"]
    if not mount.writable:
        fields.append("ro")
    return ",".join(csv_field(text) for text in fields)
