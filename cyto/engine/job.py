"""One node from its inputs to its published result."""

from __future__ import annotations

import contextlib
import os
import shutil
import threading
import time
import traceback
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path

from cyto._typing import JSON
from cyto.core.layout import JobLayout, RunLayout
from cyto.core.placement import Placement
from cyto.core.request import TaskRequest, TaskResult
from cyto.engine.durability import full_disk_explained
from cyto.engine.export import export_entry
from cyto.engine.fingerprint import file_digest, node_key
from cyto.engine.inputs import ChannelReader, Given, gather
from cyto.engine.outcomes import NodeReport, Outcome
from cyto.engine.plan import Node
from cyto.engine.pool import WorkerPool
from cyto.engine.record import RunRecord
from cyto.engine.store import Entry, Store
from cyto.errors import CytoError
from cyto.runners.environment import get_environment
from cyto.task.ports import CONTEXT_KEYS


class JobRunner:
    """Run nodes: from a thread each, any number at once.

    Parameters
    ----------
    layout, store, pool, channels, record
        The run's.
    stop
        When set, what runs is ended and reported as cancelled.
    """

    def __init__(
        self,
        layout: RunLayout,
        store: Store,
        pool: WorkerPool,
        channels: ChannelReader,
        record: RunRecord,
        stop: threading.Event,
    ) -> None:
        self._layout, self._store, self._pool = layout, store, pool
        self._channels, self._record, self._stop = channels, record, stop
        self._entries: dict[str, Entry] = {}
        self._identities: dict[tuple[object, ...], str] = {}

    def run(self, node: Node, gpu_ids: tuple[str, ...]) -> NodeReport:
        """Run one node whose dependencies have succeeded; every end is a report, none raises."""
        started = time.monotonic()
        log = str(self._layout.log(node.name))
        try:
            with full_disk_explained(self._layout.output_dir):
                report = self._run(node, gpu_ids)
        except CytoError as error:
            report = NodeReport(node=node.name, outcome=Outcome.FAILED, message=str(error))
        except Exception as error:  # noqa: BLE001 - the driver goes on
            with contextlib.suppress(OSError), open(log, "a", encoding="utf-8") as file:
                file.write(traceback.format_exc())
            message = f"pyCyto itself failed: {type(error).__name__}: {error}"
            report = NodeReport(node=node.name, outcome=Outcome.FAILED, message=message, log=log)
        finally:
            self._pool.done(node)
        return replace(report, wall_s=report.wall_s or time.monotonic() - started)

    def _run(self, node: Node, gpu_ids: tuple[str, ...]) -> NodeReport:
        given = gather(node, self._entries, self._channels)
        files = {name: file_digest(Path(str(node.params[name]))) for name in node.path_params}
        key = node_key(node, given.digests, self._identity(node.placement), files)
        entry = self._store.get(key)
        if entry is not None:
            return self._succeeded(node, entry, Outcome.CACHED)
        for attempt in range(node.retries + 1):
            job, result = self._attempt(node, given, gpu_ids, attempt)
            if result.ok or self._stop.is_set() or attempt == node.retries:
                break
            self._record.write(
                "attempt_failed", node=node.name, attempt=attempt, message=result.message
            )
        if not result.ok:
            shutil.rmtree(job.out, ignore_errors=True)
            return self._failed(node, job, result)
        return self._succeeded(
            node, self._publish(node, key, job, result, given), Outcome.SUCCEEDED
        )

    def _identity(self, placement: Placement) -> str:
        """Ask each environment once per image: the answer costs a process."""
        key = placement.environment, placement.image, placement.packages
        if key not in self._identities:
            environment = get_environment(placement.environment)
            self._identities[key] = environment.identity(placement)
        return self._identities[key]

    def _attempt(
        self, node: Node, given: Given, gpu_ids: tuple[str, ...], attempt: int
    ) -> tuple[JobLayout, TaskResult]:
        job = self._pool.job(node, attempt)
        log = self._layout.log(node.name)
        shared = _share_log(job.log, log)
        request = TaskRequest(
            task=node.task,
            params=node.params,
            inputs=given.refs,
            folder=str(job.folder),
            node=node.name,
            seed=node.seed,
            path_params=node.path_params,
            code=node.code,
        )
        worker = self._pool.acquire(node, gpu_ids)
        self._record.write(
            "node_started",
            node=node.name,
            attempt=attempt,
            job=str(job.folder),
            log=str(log),
            worker=worker.spec.name,
            gpus=list(gpu_ids),
        )
        try:
            result = worker.run(request, stop=self._stop)
        except BaseException:
            worker.close(patience_s=0)
            raise
        finally:
            self._pool.release(worker)
        if not shared and job.log.exists():
            shutil.copyfile(job.log, log)
        return job, result

    def _publish(
        self, node: Node, key: str, job: JobLayout, result: TaskResult, given: Given
    ) -> Entry:
        told = {name: ref.value for name, ref in result.outputs.items() if name in CONTEXT_KEYS}
        facts: Mapping[str, JSON] = {
            "node": node.name,
            "task": node.task,
            "params": dict(node.params),
            "inputs": dict(given.digests),
            "environment": node.placement.environment,
            "image": node.placement.image,
            "wall_s": result.wall_s,
            "cpu_s": result.cpu_s,
            "peak_bytes": result.peak_bytes,
            "versions": dict(result.versions),
            "run": self._layout.run_id,
            "host": os.uname().nodename,
        }
        outputs = {k: ref for k, ref in result.outputs.items() if k not in CONTEXT_KEYS}
        entry = Entry(key=key, outputs=outputs, context={**given.context, **told}, facts=facts)
        return self._store.publish(key, job.out, entry)

    def _succeeded(self, node: Node, entry: Entry, outcome: Outcome) -> NodeReport:
        self._entries[node.name] = entry
        findings = (
            export_entry(entry, self._layout.export(node.name), node.export) if node.export else ()
        )
        made = outcome is Outcome.SUCCEEDED
        return NodeReport(
            node=node.name,
            outcome=outcome,
            log=str(self._layout.log(node.name)),
            wall_s=entry.facts["wall_s"] if made else 0.0,
            cpu_s=entry.facts["cpu_s"] if made else 0.0,
            peak_bytes=entry.facts["peak_bytes"],
            findings=findings,
            facts={"key": entry.key, "versions": entry.facts["versions"]},
        )

    def _failed(self, node: Node, job: JobLayout, result: TaskResult) -> NodeReport:
        cancelled = result.reason == "cancelled" or self._stop.is_set()
        return NodeReport(
            node=node.name,
            outcome=Outcome.CANCELLED if cancelled else Outcome.FAILED,
            message=result.message,
            reason=result.reason,
            log=str(self._layout.log(node.name)),
            wall_s=result.wall_s,
            cpu_s=result.cpu_s,
            peak_bytes=result.peak_bytes,
            facts={"job": str(job.folder), "traceback": result.traceback},
        )


def _share_log(log: Path, shown: Path) -> bool:
    """Let the job's log be the node's log too while it grows; tell whether that worked."""
    shown.unlink(missing_ok=True)
    log.touch()
    try:
        os.link(log, shown)
    except OSError:  # a file system without hard links
        return False
    return True
