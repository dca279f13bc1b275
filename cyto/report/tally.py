"""Many samples in few lines: how far each node of the pipeline is, over all of them."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping
from pathlib import Path

from cyto.engine.outcomes import Finding, NodeReport
from cyto.engine.plan import plain_name

_PARTS = 10
_MANY = 50


class Tally:
    """Count the ends of nodes, by the name that the pipeline file has for them.

    Parameters
    ----------
    nodes
        All nodes of the run.
    """

    def __init__(self, nodes: Iterable[str]) -> None:
        self._total = Counter(map(plain_name, nodes))
        self._ended: dict[str, Counter[str]] = {name: Counter() for name in self._total}
        self._all, self._done, self._told = sum(self._total.values()), 0, 0

    def total(self, name: str) -> int:
        """Give how often a node runs."""
        return self._total[name]

    def add(self, node: str, outcome: str) -> list[str]:
        """Count one end; give the lines that are due now."""
        name = plain_name(node)
        self._ended[name][outcome] += 1
        self._done += 1
        lines = [self.line(name)] if self.complete(name) else []
        part = self._done * _PARTS // self._all
        if not lines and part > self._told and self._all >= _MANY:
            lines = [f"all nodes: {_counted(sum(self._ended.values(), Counter()))}"]
        self._told = part
        return lines

    def complete(self, name: str) -> bool:
        """Tell whether a node has ended for all samples."""
        return sum(self._ended[name].values()) == self._total[name]

    def line(self, name: str) -> str:
        """Say how far a node is: ``tcell_segmentation 95/96: 95 succeeded``."""
        fine = self._ended[name]["succeeded"] + self._ended[name]["cached"]
        return f"{name} {fine}/{self._total[name]}: {_counted(self._ended[name])}"


def _counted(ends: Mapping[str, int]) -> str:
    return ", ".join(f"{count} {outcome}" for outcome, count in ends.items() if count)


def summed_findings(
    found: Iterable[tuple[NodeReport, Finding]], output_dir: Path
) -> list[tuple[str, Finding]]:
    """Give the findings of a node that ran for several samples as one, with ``*`` for the sample.

    Returns
    -------
    Names of nodes and their findings, in the order given.
    """
    groups: dict[tuple[str, str], list[tuple[NodeReport, Finding]]] = {}
    for node, finding in found:
        groups.setdefault((plain_name(node.node), finding.key), []).append((node, finding))
    summed = []
    for (name, key), members in groups.items():
        node, first = members[0]
        sample = node.node.rpartition("/")[0]
        if sample and len(members) > 1:
            inside = Path(first.path).relative_to(output_dir / sample)
            text = f"{len(members)} samples; {sample}: {first.text}"
            first = Finding(key=key, path=str(output_dir / "*" / inside), text=text)
            summed.append((name, first))
        else:
            summed.append((node.node, first))
    return summed
