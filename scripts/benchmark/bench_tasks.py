"""Tasks that cost nothing of their own, so that what is timed is the engine."""

from __future__ import annotations

from typing import Any, ClassVar

from cyto.task import Param, PipelineTask, Port


class Noop(PipelineTask):
    """Give a number back."""

    number: int = Param(0, help="what to give back")
    inputs: ClassVar = {"value": Port("value", "ignored", optional=True)}
    outputs: ClassVar = {"value": Port("value", "the number")}

    def run_baremetal(self, data: Any) -> dict[str, Any]:  # noqa: ARG002
        return {"value": self.number}


class Produce(PipelineTask):
    """Make a float32 movie."""

    megabytes: int = Param(500, help="its size", unit="MB")
    outputs: ClassVar = {"image": Port("image", "(T, 1000, 1000)")}

    def run_baremetal(self, data: Any) -> dict[str, Any]:  # noqa: ARG002
        import numpy as np

        return {"image": np.ones((self.megabytes // 4, 1000, 1000), np.float32)}


class Consume(PipelineTask):
    """Read every pixel of a movie."""

    inputs: ClassVar = {"image": Port("image", "any movie")}
    outputs: ClassVar = {"value": Port("value", "the sum of its pixels")}

    def run_baremetal(self, data: Any) -> dict[str, Any]:
        return {"value": float(data["image"].sum(dtype="float64"))}


def burn(steps: int) -> int:
    """Keep one core busy without touching memory; give what comes out of it."""
    value = 1
    for _ in range(steps):
        value = (value * 1103515245 + 12345) & 0x7FFFFFFF
    return value


class Burn(PipelineTask):
    """Compute for a while for each frame, and give one pixel."""

    steps: int = Param(500_000, help="how long, in steps of Python")
    inputs: ClassVar = {"image": Port("image", "any movie")}
    outputs: ClassVar = {"image": Port("image", "(T, 1, 1)")}
    framewise: ClassVar = True

    def run_baremetal(self, data: Any) -> dict[str, Any]:
        import numpy as np

        found = [burn(self.steps) for _ in data["image"]]
        return {"image": np.array(found, np.float32).reshape(-1, 1, 1)}


class Same(PipelineTask):
    """Give a movie back, frame by frame."""

    inputs: ClassVar = {"image": Port("image", "any movie")}
    outputs: ClassVar = {"image": Port("image", "the same")}
    framewise: ClassVar = True

    def run_baremetal(self, data: Any) -> dict[str, Any]:
        return {"image": data["image"]}
