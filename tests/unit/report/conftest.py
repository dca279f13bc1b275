"""Runs whose records and results a test writes itself, through the real record and store."""

from __future__ import annotations

import contextlib
import json
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from cyto.core.layout import RunLayout
from cyto.core.request import Ref
from cyto.engine.record import RunRecord
from cyto.engine.store import Entry, Store
from cyto.engine.view import RunView, read_view
from cyto.report.details import Details
from cyto.runners import exchange

NOTHING = {"cpus": None, "memory_bytes": None, "gpus": 0, "walltime_s": None}


@dataclass
class Recorded:
    """A run that is written event by event."""

    output: Path
    run_id: str = "20260101-120000-0001"
    keys: int = 0

    def __post_init__(self) -> None:
        self.layout = RunLayout(self.output, self.run_id)
        self.record = RunRecord(self.layout.record)
        self.layout.logs.mkdir(exist_ok=True)
        self.store = Store(self.layout.store)

    @staticmethod
    def node(task: str = "mine.Task", **more: Any) -> dict[str, Any]:
        """Give what ``run_started`` says of a node."""
        return {
            "task": task,
            "params": {},
            "inputs": {},
            "dependencies": [],
            "tags": [],
            "environment": "baremetal",
            "image": None,
            "launcher": "local",
            "options": {},
            "resources": NOTHING,
            **more,
        }

    def start(self, nodes: dict[str, dict[str, Any]], **more: Any) -> Recorded:
        self.record.write(
            "run_started",
            **{
                "run": self.run_id,
                "pipeline": "/lab/pipeline.assay.yaml",
                "output_dir": str(self.output),
                "profile": "local",
                "host": "here",
                "samples": {},
                "channels": {},
                "nodes": nodes,
                **more,
            },
        )
        return self

    def write(self, event: str, **more: Any) -> None:
        self.record.write(event, **more)

    def finish(self, node: str, outcome: str = "succeeded", **more: Any) -> None:
        """Write the end of a node."""
        self.record.write(
            "node_finished",
            **{
                "node": node,
                "outcome": outcome,
                "message": "",
                "reason": "",
                "log": str(self.layout.log(node)),
                "wall_s": 2.0,
                "cpu_s": 1.0,
                "peak_bytes": 1000,
                "findings": [],
                **more,
            },
        )

    def publish(
        self, node: str, channel: str = "", um: float | None = None, **values: tuple[str, Any]
    ) -> None:
        """Store what a node made, each value with its kind, and write the node's end."""
        self.keys += 1
        key, out = f"{self.keys:032x}", self.output / f"out-{self.keys}"
        out.mkdir(parents=True)
        refs: dict[str, Ref] = {
            name: exchange.save(value, kind, out, name) for name, (kind, value) in values.items()
        }
        told = {"channel": channel or None, "pixel_size_um": um}
        context = {name: value for name, value in told.items() if value is not None}
        made = {"node": node, "run": self.run_id, "versions": {"numpy": "2"}, "parts": {}}
        self.store.publish(key, out, Entry(key=key, outputs=refs, context=context, facts=made))
        self.finish(node, key=key, versions={"numpy": "2"})

    def end(self, exit_code: int = 0) -> None:
        self.record.write("run_finished", exit_code=exit_code, stopped=False, wall_s=3.0)
        self.record.close()

    def view(self) -> RunView:
        return read_view(self.layout)

    def details(self, view: RunView) -> Details:
        return Details(view, self.store)


@pytest.fixture
def recorded(tmp_path: Path) -> Iterator[Recorded]:
    """Give a run that nothing is written of yet."""
    recorded = Recorded(tmp_path / "out")
    yield recorded
    recorded.store.close()
    with contextlib.suppress(ValueError):  # it was closed
        recorded.record.close()


@pytest.fixture
def data_of() -> Callable[[str], dict[str, Any]]:
    """Read the data out of a page, as the browser does."""

    def read(page: str) -> dict[str, Any]:
        text = page.partition('<script type="application/json" id="data">')[2]
        parts: dict[str, Any] = json.loads(text.partition("</script>")[0])
        return parts

    return read
