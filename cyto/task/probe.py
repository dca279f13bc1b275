"""A task that says which libraries its environment has."""

from __future__ import annotations

import importlib.metadata
import importlib.util
from typing import Any, ClassVar

from cyto._typing import TaskData
from cyto.task.base import PipelineTask
from cyto.task.parameters import Param
from cyto.task.ports import Port

_DISTRIBUTIONS = {"cv2": "opencv-python-headless", "skimage": "scikit-image"}


class Probe(PipelineTask):
    """Look for libraries without importing them."""

    libraries_wanted: list[str] = Param((), help="names of modules to look for")
    outputs: ClassVar = {"value": Port("value", "version by module; null where it is not there")}

    def run_baremetal(self, data: TaskData) -> dict[str, Any]:  # noqa: ARG002 - takes nothing
        """Find each module's version."""
        return {"value": {name: _version(name) for name in self.libraries_wanted}}


def _version(module: str) -> Any:
    if importlib.util.find_spec(module) is None:
        return None
    try:
        return importlib.metadata.version(_DISTRIBUTIONS.get(module, module))
    except importlib.metadata.PackageNotFoundError:
        return "of unknown version"
