"""The Task Manager: runs a plan to its end, whatever its nodes do."""

from __future__ import annotations

import os
import signal
import threading
import time
import uuid
from collections.abc import Callable, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path
from types import FrameType

from cyto._typing import JSON
from cyto.core.layout import RunLayout
from cyto.engine.cluster import ClusterRunner
from cyto.engine.inputs import ChannelReader
from cyto.engine.job import JobMaker
from cyto.engine.kept import keep_files, made_from
from cyto.engine.local import LocalRunner
from cyto.engine.lock import RunLock
from cyto.engine.outcomes import NodeReport, Outcome, RunReport
from cyto.engine.plan import Node, Plan
from cyto.engine.pool import WorkerPool, clear_scratch
from cyto.engine.record import Listener, RunRecord
from cyto.engine.results import Results
from cyto.engine.runs import remember_run
from cyto.engine.scheduler import Grant, Scheduler
from cyto.engine.store import Store
from cyto.engine.turns import End, Turns
from cyto.errors import UnavailableError
from cyto.runners.environment import get_environment
from cyto.runners.machine import this_machine

_LOOK_S = 0.2


def new_run_id() -> str:
    """Make a run's name: when it began, and something that no other has."""
    return f"{time.strftime('%Y%m%d-%H%M%S')}-{uuid.uuid4().hex[:4]}"


def _elsewhere(node: Node) -> bool:
    return node.placement.launcher != "local"


class TaskManager:
    """Run a plan: as much at once as the machine has room for.

    A node that fails stops only what depends on it. Ctrl-C and SIGTERM stop everything and leave
    no process, container or half result.

    Parameters
    ----------
    plan
        A checked plan.
    jobs
        At most so many nodes at once; ``None`` leaves it to cpus, memory and GPUs.
    fail_fast
        Stop everything at the first failure.
    fresh
        Nodes that are computed again, whatever the store has.
    listeners
        Called with each event of the record, in order.
    asked
        What the user asked for, as `cyto run` takes it, so that another driver can go on.
    run_id
        The run's name; ``None`` makes one.
    """

    def __init__(
        self,
        plan: Plan,
        *,
        jobs: int | None = None,
        fail_fast: bool = False,
        fresh: frozenset[str] = frozenset(),
        listeners: tuple[Listener, ...] = (),
        asked: Mapping[str, JSON] | None = None,
        run_id: str | None = None,
    ) -> None:
        self._asked, self._run_id = dict(asked or {}), run_id or new_run_id()
        self._plan = plan
        self._fail_fast = fail_fast
        self._jobs = jobs
        self._fresh = fresh
        self._listeners = listeners
        self._stop = threading.Event()
        self._interrupted = False
        self._reports: dict[str, NodeReport] = {}

    def run(self) -> RunReport:
        """Run all nodes.

        Returns
        -------
        How every node ended; failures are in it, not raised.

        Raises
        ------
        RunLockedError
            Another run works in the output folder.
        """
        layout = RunLayout(self._plan.output_dir, self._run_id)
        started = time.monotonic()
        with RunLock(layout.lock), self._signals():
            for folder in {layout.logs, *(layout.log(n).parent for n in self._plan.nodes)}:
                folder.mkdir(parents=True, exist_ok=True)
            record = RunRecord(layout.record, self._listeners)
            try:
                record.write("run_started", **self._facts(self._run_id))
                keep_files(self._plan, layout)
                remember_run(layout, self._plan.pipeline)
                self._run_nodes(layout, record)
                report = RunReport(
                    run_id=self._run_id,
                    output_dir=self._plan.output_dir,
                    nodes={name: self._reports[name] for name in self._plan.nodes},
                    wall_s=time.monotonic() - started,
                    stopped=self._interrupted,
                )
                record.write(
                    "run_finished",
                    exit_code=report.exit_code,
                    stopped=report.stopped,
                    wall_s=report.wall_s,
                )
            finally:
                record.close()
                clear_scratch(layout.jobs)
        return report

    def stop(self) -> None:
        """Stop everything as soon as can be; `run` returns with what there is."""
        self._interrupted = True
        self._stop.set()

    def _run_nodes(self, layout: RunLayout, record: RunRecord) -> None:
        nodes, machine = self._plan.nodes, this_machine()
        for name in {node.placement.environment for node in nodes.values()}:
            get_environment(name).sweep()
        scheduler = Scheduler(
            {name: node.dependencies for name, node in nodes.items()},
            {name: None if _elsewhere(n) else n.placement.resources for name, n in nodes.items()},
            machine,
            self._jobs,
            soft={name: node.soft for name, node in nodes.items() if node.soft},
        )
        pool = WorkerPool(nodes.values(), self._plan.channels, layout, machine)
        store = Store(layout.store)
        store.sweep()
        results = Results(layout, store)
        channels = ChannelReader(self._plan.channels, layout.store, self._plan.faults)
        maker = JobMaker(layout, results, channels, record, self._fresh)
        local = LocalRunner(layout, maker, results, pool, record, self._stop)
        limit = min(self._jobs or machine.cpus, machine.cpus)
        threads = ThreadPoolExecutor(max_workers=limit, thread_name_prefix="node")
        cluster: ClusterRunner | None = None

        def run(grant: Grant) -> End:
            node = nodes[grant.node]
            if grant.chunk is None:
                return local.run(node, grant.gpu_ids)
            return local.run_chunk(node, grant.chunk, grant.gpu_ids)

        def elsewhere(grant: Grant) -> bool:
            if cluster is None or not _elsewhere(nodes[grant.node]):
                return False
            cluster.start(nodes[grant.node])
            return True

        def waited() -> None:
            pool.reap()
            if layout.stop_request.exists():
                self.stop()

        turns = Turns(
            scheduler,
            threads,
            run=run,
            elsewhere=elsewhere,
            settle=lambda report: self._settle(scheduler, record, report),
            stop=self._stop,
        )
        if any(map(_elsewhere, nodes.values())):
            cluster = ClusterRunner(layout, maker, results, pool, record, turns.ended, self._stop)
        try:
            with threads:
                try:
                    self._loop(turns, record, cluster, waited)
                except BaseException:
                    self._stop.set()  # or what runs would be waited for
                    raise
        finally:
            if cluster is not None:
                cluster.close()
            pool.close()
            store.close()

    def _loop(
        self,
        turns: Turns,
        record: RunRecord,
        cluster: ClusterRunner | None,
        waited: Callable[[], None],
    ) -> None:
        def not_started(name: str) -> None:
            outcome = Outcome.CANCELLED
            self._report(record, NodeReport(node=name, outcome=outcome, message="was not started"))

        stopping, looked = False, 0.0
        while not turns.over:
            if self._stop.is_set() and not stopping:
                stopping = True
                turns.drop(not_started)
                if cluster is not None:
                    cluster.cancel()
                continue
            turns.start()
            if cluster is not None:
                cluster.flush()
            if turns.stuck:
                raise UnavailableError(
                    "what is left asks for more than this machine has", hint="see cyto plan"
                )
            turns.wait(_LOOK_S)  # short, so that a signal is noticed
            if time.monotonic() - looked > _LOOK_S:
                looked = time.monotonic()
                waited()

    def _settle(self, scheduler: Scheduler, record: RunRecord, report: NodeReport) -> None:
        self._report(record, report)
        if report.outcome.ok:
            scheduler.finish(report.node)
            return
        for name in scheduler.give_up(report.node):
            cancelled = report.outcome is Outcome.CANCELLED
            self._report(
                record,
                NodeReport(
                    node=name,
                    outcome=Outcome.CANCELLED if cancelled else Outcome.SKIPPED,
                    message=f"needs {report.node}, which {_ended(report.outcome)}"
                    if not cancelled
                    else "was not started",
                ),
            )
        if self._fail_fast and report.outcome is Outcome.FAILED:
            self._stop.set()

    def _report(self, record: RunRecord, report: NodeReport) -> None:
        self._reports[report.node] = report
        record.write("node_finished", **report.as_event())

    @contextmanager
    def _signals(self) -> Iterator[None]:
        """Turn Ctrl-C and SIGTERM into `stop` while the block lasts."""
        if threading.current_thread() is not threading.main_thread():
            yield
            return

        def stop(number: int, frame: FrameType | None) -> None:  # noqa: ARG001
            self.stop()

        before = {s: signal.signal(s, stop) for s in (signal.SIGINT, signal.SIGTERM)}
        try:
            yield
        finally:
            for number, handler in before.items():
                signal.signal(number, handler)

    def _facts(self, run_id: str) -> dict[str, object]:
        plan = self._plan
        return {
            "run": run_id,
            "pipeline": str(plan.pipeline),
            "resources": str(plan.resources) if plan.resources else None,
            "output_dir": str(plan.output_dir),
            "profile": plan.profile,
            "profile_reason": plan.profile_reason,
            "host": os.uname().nodename,
            "pid": os.getpid(),
            "folder": str(Path.cwd()),
            "asked": self._asked,
            "only": list(plan.only),
            **made_from(plan),
            "samples": {name: dict(given) for name, given in plan.samples.items()},
            "nodes": {
                name: {
                    "task": node.task,
                    "params": dict(node.params),
                    "inputs": {key: str(source) for key, source in node.inputs.items()},
                    "dependencies": list(node.dependencies),
                    "tags": list(node.tags),
                    "environment": node.placement.environment,
                    "image": node.placement.image,
                    "launcher": node.placement.launcher,
                    "resources": vars(node.placement.resources),
                }
                for name, node in plan.nodes.items()
            },
        }


def _ended(outcome: Outcome) -> str:
    """Say after "which" how a node ended."""
    return "failed" if outcome is Outcome.FAILED else f"was {outcome.value}"
