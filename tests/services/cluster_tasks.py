"""Tasks that tests run on the cluster: they tell where they run, wait, fail, or need memory."""
# ruff: noqa: ARG002 - tasks take data

from __future__ import annotations

import os
import time
from pathlib import Path
from typing import ClassVar

from cyto.task import Param, PipelineTask, Port

HERE = Path(__file__).resolve().parent


def note(text: str) -> None:
    """Tell in a file beside this one what ran, and where."""
    with open(HERE / "ran.txt", "a", encoding="utf-8") as file:
        file.write(f"{text} {os.environ.get('SLURM_JOB_ID')}\n")


class Bright(PipelineTask):
    """Mark what is bright; wait while a file ``hold`` is there, fail where one says so."""

    inputs: ClassVar = {"image": Port("image")}
    outputs: ClassVar = {"label": Port("label"), "dataframe": Port("dataframe")}
    framewise = True

    def run_baremetal(self, data):
        import numpy as np
        import pandas as pd

        first, image = data.get("frame_offset", 0), data["image"]
        note(f"bright{first}")
        print(f"from {first}", flush=True)
        while (HERE / "hold").exists() or (HERE / f"hold{first}").exists():
            time.sleep(0.05)
        if (HERE / f"fail{first}").exists():
            raise RuntimeError(f"no luck at {first}")
        table = pd.DataFrame({"frame": first + np.arange(len(image)), "n": image.sum((1, 2))})
        return {"label": (image > image.mean((1, 2), keepdims=True)).astype("u1"),
                "dataframe": table}  # fmt: skip


class Hungry(PipelineTask):
    """Take memory."""

    megabytes: int = Param(400)
    outputs: ClassVar = {"value": Port("value")}

    def run_baremetal(self, data):
        import numpy as np

        held = np.ones(self.megabytes << 17)
        time.sleep(5)
        return {"value": float(held[0])}


class Number(PipelineTask):
    """Give a number, or one more than what comes."""

    number: int = Param(0)
    inputs: ClassVar = {"value": Port("value", optional=True)}
    outputs: ClassVar = {"value": Port("value")}

    def run_baremetal(self, data):
        note(f"number{self.number}")
        return {"value": self.number + (data.get("value") or 0)}
