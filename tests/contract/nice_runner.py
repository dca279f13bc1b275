"""An environment as a third party writes it: an empty set of variables and a low priority."""

# ruff: noqa: ARG002 - the protocol's parameters
from __future__ import annotations

import shutil
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import ClassVar

import cyto
from cyto.core.placement import Placement
from cyto.errors import UnavailableError
from cyto.runners.environment import Ending, WorkerSpec, exit_ending

_START = (
    "import sys; sys.path.append({folder!r}); "
    "from cyto.runners.container_worker import main; sys.exit(main())"
)


class NiceRunner:
    """A worker process that gives way to everything else on the machine."""

    name: ClassVar[str] = "nice"
    sees_host: ClassVar[bool] = True
    limits_memory: ClassVar[bool] = False

    def check(self, placement: Placement) -> None:
        if shutil.which("nice") is None:
            raise UnavailableError("there is no program 'nice'", hint="install coreutils")

    def identity(self, placement: Placement) -> str:
        return f"nice python {sys.version.split()[0]}"

    def wrap(self, spec: WorkerSpec, args: Sequence[str]) -> list[str]:
        start = _START.format(folder=str(Path(cyto.__file__).resolve().parents[1]))
        given = {"TMPDIR": spec.scratch, **spec.env, **dict(spec.placement.env)}
        inside = [f"{name}={value}" for name, value in given.items()]
        python = [sys.executable, "-S", "-s", "-c", start]
        return ["env", "-i", *inside, "nice", "-n", "5", *python, *args]

    def variables(self, spec: WorkerSpec) -> dict[str, str]:
        return {"PATH": "/usr/bin:/bin"}

    def explain(self, spec: WorkerSpec, code: int | None, stderr: str) -> Ending:
        return exit_ending(code, stderr, spec.placement)

    def remove(self, spec: WorkerSpec) -> None:
        pass

    def sweep(self) -> None:
        pass
