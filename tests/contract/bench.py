"""Workers on a test bench: made, asked, and looked after."""

from __future__ import annotations

import socket
import threading
import uuid
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import services_support as services

from cyto.core.layout import JobLayout
from cyto.core.placement import Placement, Resources
from cyto.core.request import Ref, TaskRequest, TaskResult
from cyto.runners import exchange
from cyto.runners.environment import Environment
from cyto.runners.worker import Worker, worker_spec

TASKS = Path(__file__).with_name("contract_tasks.py")


@dataclass
class Done:
    """How one request ended."""

    result: TaskResult
    job: JobLayout

    @property
    def values(self) -> dict[str, Any]:
        """The outputs, read as the next task would."""
        assert self.result.ok, f"{self.result.message}\n{self.result.traceback}\n{self.log}"
        return {key: exchange.load(ref) for key, ref in self.result.outputs.items()}

    @property
    def value(self) -> Any:
        return self.values["value"]

    @property
    def log(self) -> str:
        log = self.job.log
        return log.read_text(encoding="utf-8", errors="replace") if log.exists() else ""


class Bench:
    """Start workers of one environment in *folder*, and ask them."""

    def __init__(self, folder: Path, environment: Environment, placement: Placement) -> None:
        self.folder, self.environment, self.placement = folder, environment, placement
        self.mark = f"test-{uuid.uuid4().hex[:12]}"
        self.inputs = folder / "in"
        self.inputs.mkdir(parents=True, exist_ok=True)
        self._count = 0

    @contextmanager
    def worker(
        self,
        *,
        jobs: Path | None = None,
        readable: Sequence[str | Path] = (),
        code: Sequence[Path] = (TASKS,),
        threads: int | None = None,
        user: tuple[int, int] | None = None,
        **placement: Any,
    ) -> Iterator[Worker]:
        """Give a worker that sees the bench's input folder; it bears the bench's mark."""
        self._count += 1
        jobs = jobs or self.folder / f"jobs{self._count}"
        jobs.mkdir(parents=True, exist_ok=True)
        spec = worker_spec(
            name=f"cyto-{self.mark}-{self._count}",
            placement=replace(self.placement, **placement),
            jobs=jobs,
            readable=[str(self.inputs), *map(str, readable)],
            code=[str(path) for path in code],
            threads=threads,
        )
        spec = replace(spec, env={**spec.env, services.MARK: self.mark}, user=user or spec.user)
        with Worker(spec, self.environment) as worker:
            yield worker

    def ask(
        self,
        worker: Worker,
        task: str,
        params: Mapping[str, Any] | None = None,
        inputs: Mapping[str, Any] | None = None,
        *,
        paths: Sequence[str] = (),
        name: str = "",
        stop: threading.Event | None = None,
    ) -> Done:
        """Ask for one task of `contract_tasks`, with values or references as inputs."""
        self._count += 1
        jobs = Path(next(m.source for m in worker.spec.mounts if m.target.endswith("/jobs")))
        job = JobLayout(jobs / (name or f"job{self._count}"))
        job.folder.mkdir(parents=True, exist_ok=True)
        request = TaskRequest(
            task=task if "." in task else f"contract_tasks.{task}",
            params=dict(params or {}),
            inputs={key: self.ref(key, value) for key, value in (inputs or {}).items()},
            folder=str(job.folder),
            node="node",
            path_params=tuple(paths),
            code=tuple(m.source for m in worker.spec.mounts if m.target.endswith(TASKS.name)),
        )
        return Done(worker.run(request, stop=stop), job)

    def ref(self, key: str, value: Any) -> Ref:
        """Lay a value down in the input folder, as an earlier task would have."""
        if isinstance(value, Ref):
            return value
        folder = self.inputs / uuid.uuid4().hex[:8]
        folder.mkdir()
        return exchange.save(value, exchange.infer_kind(key, value), folder, key)

    def run(self, task: str, params: Any = None, inputs: Any = None, **worker: Any) -> Done:
        """Ask a worker of its own."""
        with self.worker(**worker) as one:
            return self.ask(one, task, params, inputs)

    def run_aside(self, worker: Worker, *args: Any, **more: Any) -> Aside:
        """Ask without waiting for the answer."""
        return Aside(lambda: self.ask(worker, *args, **more))

    def limits(self, **amounts: Any) -> dict[str, Any]:
        """Give what a placement says when a resources file sets limits in its line 12."""
        return {"resources": Resources(**amounts), "source": "pipeline-resources.x.yaml:12"}


class Aside:
    """A request that runs meanwhile."""

    def __init__(self, ask: Any) -> None:
        self._done: list[Done | BaseException] = []
        self._thread = threading.Thread(target=self._run, args=(ask,), daemon=True)
        self._thread.start()

    def _run(self, ask: Any) -> None:
        try:
            self._done.append(ask())
        except BaseException as error:  # noqa: BLE001 - it is raised where it is waited for
            self._done.append(error)

    def end(self, within_s: float = 60.0) -> Done:
        """Wait for the answer."""
        self._thread.join(within_s)
        assert self._done, "no answer came"
        done = self._done[0]
        if isinstance(done, BaseException):
            raise done
        return done


@contextmanager
def listener() -> Iterator[int]:
    """Listen on the host's loopback; give the port."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        yield server.getsockname()[1]
