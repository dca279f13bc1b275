"""How nodes and runs end."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import Enum
from pathlib import Path
from typing import Any

from cyto._typing import JSON


class Outcome(str, Enum):
    """How a node ended."""

    SUCCEEDED = "succeeded"
    CACHED = "cached"
    FAILED = "failed"
    SKIPPED = "skipped"
    CANCELLED = "cancelled"

    @property
    def ok(self) -> bool:
        """Whether its result is there."""
        return self in {Outcome.SUCCEEDED, Outcome.CACHED}


def ending(exit_code: int) -> str:
    """Say in a word how a run ended: ``done``, ``failed`` or ``stopped``."""
    return {0: "done", 130: "stopped"}.get(exit_code, "failed")


@dataclass(frozen=True, kw_only=True)
class Finding:
    """One exported result, in words.

    *text* says what is in the file: ``24 frames, 256 × 256, 16 cells per frame``.
    """

    key: str
    path: str
    text: str


@dataclass(frozen=True, kw_only=True)
class NodeReport:
    """How one node ended.

    Parameters
    ----------
    message
        Why, when it did not succeed.
    reason
        As in `cyto.core.request.TaskResult`.
    log
        Path of what the tool printed.
    wall_s, cpu_s, peak_bytes
        What it used.
    findings
        What was exported for people.
    facts
        More, for the record.
    """

    node: str
    outcome: Outcome
    message: str = ""
    reason: str = ""
    log: str = ""
    wall_s: float = 0.0
    cpu_s: float = 0.0
    peak_bytes: int = 0
    findings: tuple[Finding, ...] = ()
    facts: Mapping[str, JSON] = field(default_factory=dict)

    def as_event(self) -> dict[str, Any]:
        """Give what the record holds of it."""
        return {
            "node": self.node,
            "outcome": self.outcome.value,
            "message": self.message,
            "reason": self.reason,
            "log": self.log,
            "wall_s": self.wall_s,
            "cpu_s": self.cpu_s,
            "peak_bytes": self.peak_bytes,
            "findings": [vars(finding) for finding in self.findings],
            **self.facts,
        }


@dataclass(frozen=True, kw_only=True)
class RunReport:
    """How a run ended.

    Parameters
    ----------
    nodes
        Reports by node, in the plan's order.
    stopped
        Whether the user stopped it.
    """

    run_id: str
    output_dir: Path
    nodes: Mapping[str, NodeReport]
    wall_s: float = 0.0
    stopped: bool = False

    @property
    def exit_code(self) -> int:
        """0, 1 when a node failed, 130 when the user stopped it."""
        if self.stopped:
            return 130
        return 0 if all(report.outcome.ok for report in self.nodes.values()) else 1

    @property
    def nothing_done(self) -> bool:
        """Whether every node had been done before."""
        return all(report.outcome is Outcome.CACHED for report in self.nodes.values())
