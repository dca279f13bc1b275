"""Tasks of the pipeline that ``chaos.py`` kills: small, exact, each computation written down.

``CYTO_CHAOS_LOG`` names the file that takes a line per computation. It lies outside the output
folder, and it is a variable, not a parameter, so that it is no part of what a result is known by.
Runs in containers too, on Python 3.9.
"""

from __future__ import annotations

import os
import time
from typing import Any, ClassVar

from cyto.task import Param, PipelineTask, Port


class _Noted(PipelineTask):
    number: int = Param(0, help="the node's number, which makes its result its own")
    work_ms: int = Param(0, help="how long it takes at least", unit="ms")

    def run_baremetal(self, data: Any) -> dict[str, Any]:
        line = f"{self.number} {data.get('frame_offset') or 0}\n".encode()
        log = os.open(os.environ["CYTO_CHAOS_LOG"], os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o666)
        os.write(log, line)  # one write: lines of several workers never mix
        os.close(log)
        print(f"node {self.number} computes", flush=True)
        time.sleep(self.work_ms / 1000)
        return self.compute(data)

    def compute(self, data: Any) -> dict[str, Any]:
        raise NotImplementedError


class Draw(_Noted):
    """Draw a movie by chance, or add chance to one."""

    size_px: int = Param(64, help="height and width", unit="px")
    inputs: ClassVar = {"image": Port("image", "taken as it is", optional=True)}
    outputs: ClassVar = {"image": Port("image", "(2, size, size) uint16")}

    def compute(self, data: Any) -> dict[str, Any]:
        import numpy as np

        movie = np.random.default_rng(self.number).integers(
            0, 4096, (2, self.size_px, self.size_px), np.uint16
        )
        if data.get("image") is not None:
            movie[:, : data["image"].shape[1], : data["image"].shape[2]] += data["image"][:2]
        return {"image": movie}


class Turn(_Noted):
    """Turn a movie by a quarter and move its values."""

    inputs: ClassVar = {"image": Port("image", "any movie")}
    outputs: ClassVar[dict[str, Port]] = {"image": Port("image", "the same size")}

    def compute(self, data: Any) -> dict[str, Any]:
        import numpy as np

        return {"image": np.rot90(data["image"], axes=(1, 2)) * np.uint16(3) + self.number % 7}


class Fade(Turn):
    """Do the same to each frame alone, so that it can be split; give a table of them too."""

    framewise = True
    outputs: ClassVar = {"image": Port("image"), "dataframe": Port("dataframe", "a row per frame")}

    def compute(self, data: Any) -> dict[str, Any]:
        import pandas as pd

        movie = super().compute(data)["image"]
        rows = {"frame": range(len(movie)), "mean": [float(frame.mean()) for frame in movie]}
        return {"image": movie, "dataframe": pd.DataFrame(rows)}


class Join(_Noted):
    """Add movies, and say which pixels are bright."""

    inputs: ClassVar = {"a": Port("image"), "b": Port("image"), "c": Port("image")}
    outputs: ClassVar = {"image": Port("image"), "label": Port("label")}

    def compute(self, data: Any) -> dict[str, Any]:
        import numpy as np

        total = data["a"] // 3 + data["b"] // 3 + data["c"] // 3
        return {"image": total, "label": (total > total.mean()).astype(np.uint8)}


class Measure(_Noted):
    """Measure each row of each frame."""

    inputs: ClassVar = {"image": Port("image"), "label": Port("label")}
    outputs: ClassVar = {"dataframe": Port("dataframe"), "profile": Port("value", "long")}

    def compute(self, data: Any) -> dict[str, Any]:
        import pandas as pd

        image, label = data["image"], data["label"]
        rows = [
            {"frame": t, "row": y, "mean": float(image[t, y].mean()), "n": int(label[t, y].sum())}
            for t in range(image.shape[0])
            for y in range(image.shape[1])
        ]
        table = pd.DataFrame(rows)
        return {"dataframe": table, "profile": [round(v, 3) for v in table["mean"]] * 5}


class Connect(_Noted):
    """Connect rows that have the same count."""

    inputs: ClassVar = {"dataframe": Port("dataframe")}
    outputs: ClassVar = {"network": Port("network")}

    def compute(self, data: Any) -> dict[str, Any]:
        import networkx as nx

        graph = nx.Graph()
        counts = data["dataframe"]["n"].tolist()
        graph.add_nodes_from((i, {"n": n}) for i, n in enumerate(counts))
        graph.add_edges_from((i, i + 1) for i in range(len(counts) - 1) if counts[i] % 2)
        return {"network": graph}


class Total(_Noted):
    """Sum a table's counts, on top of the total before."""

    inputs: ClassVar = {"dataframe": Port("dataframe"), "total": Port("value", optional=True)}
    outputs: ClassVar = {"total": Port("value")}

    def compute(self, data: Any) -> dict[str, Any]:
        return {"total": int(data["dataframe"]["n"].sum()) + (data.get("total") or 0)}
