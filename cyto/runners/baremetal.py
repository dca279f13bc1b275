"""A worker on the host itself, with the Python that runs pyCyto."""

from __future__ import annotations

import os
import site
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import ClassVar

import cyto
from cyto._version import VERSION
from cyto.core.placement import Placement
from cyto.runners.environment import Ending, WorkerSpec, exit_ending

_START = (
    "import gc, sys; gc.disable(); sys.path.append({folder!r}); "
    "from cyto.runners.container_worker import main; sys.exit(main())"
)


class BaremetalRunner:
    """A worker process with the host's own Python and libraries."""

    name: ClassVar[str] = "baremetal"
    sees_host: ClassVar[bool] = True
    limits_memory: ClassVar[bool] = False

    def check(self, placement: Placement) -> None:
        """Do nothing: the host is there."""

    def identity(self, placement: Placement) -> str:  # noqa: ARG002 - one host, one identity
        """Give the versions of Python and pyCyto."""
        return f"baremetal python {sys.version.split()[0]} cyto {VERSION}"

    def wrap(self, spec: WorkerSpec, args: Sequence[str]) -> list[str]:  # noqa: ARG002
        """Start this Python without its site packages; the worker adds them when it needs them."""
        user_site = [] if site.ENABLE_USER_SITE else ["-s"]
        folder = str(Path(cyto.__file__).resolve().parent.parent)
        return [sys.executable, "-S", *user_site, "-c", _START.format(folder=folder), *args]

    def variables(self, spec: WorkerSpec) -> dict[str, str]:
        """Give the host's variables, without those that would change this Python."""
        kept = {k: v for k, v in os.environ.items() if not k.startswith("PYTHON")}
        gpus = {"CUDA_VISIBLE_DEVICES": ",".join(spec.gpu_ids)}
        own = {"PYTHONUTF8": "1", "TMPDIR": spec.scratch, **gpus, **spec.env}
        return {**kept, **own, **dict(spec.placement.env)}

    def explain(self, spec: WorkerSpec, code: int | None, stderr: str) -> Ending:
        """Explain the exit code."""
        return exit_ending(code, stderr, spec.placement)

    def remove(self, spec: WorkerSpec) -> None:
        """Do nothing: the launcher ends the process."""

    def sweep(self) -> None:
        """Do nothing: a worker ends with its driver."""
