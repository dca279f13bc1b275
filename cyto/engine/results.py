"""What nodes made: found in the store or published there, exported, and reported."""

from __future__ import annotations

import contextlib
import os
import shutil
import traceback
from collections.abc import Callable, Mapping
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, TypeVar

from cyto._typing import JSON
from cyto.core.layout import RunLayout
from cyto.core.request import TaskResult
from cyto.engine.collecting import NoSampleLeftError, lacking_samples, without
from cyto.engine.durability import full_disk_explained
from cyto.engine.export import export_entry
from cyto.engine.outcomes import Finding, NodeReport, Outcome
from cyto.engine.plan import Node
from cyto.engine.store import Entry, Store
from cyto.errors import CytoError
from cyto.task.ports import CONTEXT_KEYS

if TYPE_CHECKING:
    from cyto.engine.job import Job

T = TypeVar("T")
_HOST = os.uname().nodename


class Results:
    """The results of a run's nodes, by name.

    Parameters
    ----------
    layout, store
        The run's.
    """

    def __init__(self, layout: RunLayout, store: Store) -> None:
        self._layout, self._store = layout, store
        self.entries: dict[str, Entry] = {}

    def find(self, node: Node, key: str) -> NodeReport | None:
        """Report a node whose result is in the store already."""
        entry = self._store.get(key)
        return None if entry is None else self._succeeded(node, entry, Outcome.CACHED)

    def publish(self, job: Job, result: TaskResult, out: Path) -> NodeReport:
        """Move what a node made from *out* into the store, and report it."""
        node, given = job.node, job.given
        told = {name: ref.value for name, ref in result.outputs.items() if name in CONTEXT_KEYS}
        facts: Mapping[str, JSON] = {
            "node": node.name,
            "task": node.task,
            "params": dict(node.params),
            "inputs": dict(given.digests),
            "parts": dict(job.hashed),
            "environment": node.placement.environment,
            "image": node.placement.image,
            "wall_s": result.wall_s,
            "cpu_s": result.cpu_s,
            "peak_bytes": result.peak_bytes,
            "versions": dict(result.versions),
            "run": self._layout.run_id,
            "host": _HOST,
        }
        outputs = {k: ref for k, ref in result.outputs.items() if k not in CONTEXT_KEYS}
        known = {**given.context, **told}
        context = {name: value for name, value in known.items() if value is not None}
        entry = Entry(key=job.key, outputs=outputs, context=context, facts=facts)
        entry = self._store.publish(job.key, out, entry, again=job.fresh)
        return self._succeeded(node, entry, Outcome.SUCCEEDED)

    def failed(self, node: Node, result: TaskResult, folder: Path, stopped: bool) -> NodeReport:
        """Report a node that did not succeed; *folder* is that of the job that failed."""
        shutil.rmtree(folder / "out", ignore_errors=True)
        cancelled = result.reason == "cancelled" or stopped
        return NodeReport(
            node=node.name,
            outcome=Outcome.CANCELLED if cancelled else Outcome.FAILED,
            message=result.message,
            reason=result.reason,
            log=str(self._layout.log(node.name)),
            wall_s=result.wall_s,
            cpu_s=result.cpu_s,
            peak_bytes=result.peak_bytes,
            facts={"job": str(folder), "traceback": result.traceback},
        )

    def guarded(self, node: Node, run: Callable[[], T]) -> T | NodeReport:
        """Call *run*; whatever it raises becomes a report, and the driver goes on."""
        log = str(self._layout.log(node.name))
        try:
            with full_disk_explained(self._layout.output_dir):
                return run()
        except NoSampleLeftError as error:
            return NodeReport(node=node.name, outcome=Outcome.SKIPPED, message=str(error))
        except CytoError as error:
            return NodeReport(node=node.name, outcome=Outcome.FAILED, message=str(error))
        except Exception as error:  # noqa: BLE001 - the driver goes on
            with contextlib.suppress(OSError), open(log, "a", encoding="utf-8") as file:
                file.write(traceback.format_exc())
            message = f"pyCyto itself failed: {type(error).__name__}: {error}"
            return NodeReport(node=node.name, outcome=Outcome.FAILED, message=message, log=log)

    def _exported(self, node: Node, entry: Entry) -> tuple[Finding, ...]:
        if node.export is None:
            return ()
        stamp = self._layout.named_exports(node.name)
        return export_entry(entry, self._layout.export(node.name), node.export, stamp)

    def _succeeded(self, node: Node, entry: Entry, outcome: Outcome) -> NodeReport:
        self.entries[node.name] = entry
        findings = self._exported(node, entry)
        lacking = lacking_samples(node, self.entries)
        report = NodeReport(
            node=node.name,
            outcome=outcome,
            message=without(lacking, node),
            log=str(self._layout.log(node.name)),
            peak_bytes=entry.facts["peak_bytes"],
            findings=findings,
            facts={
                "key": entry.key,
                "versions": entry.facts["versions"],
                **({"lacking": list(lacking)} if lacking else {}),
            },
        )
        if outcome is Outcome.CACHED:
            return report
        return replace(report, wall_s=entry.facts["wall_s"], cpu_s=entry.facts["cpu_s"])
