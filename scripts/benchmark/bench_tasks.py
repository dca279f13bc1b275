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
