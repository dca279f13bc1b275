"""What a task is: write a subclass of `PipelineTask`, declare its parameters and its data.

from cyto.task import Param, PipelineTask, Port

class Threshold(PipelineTask):
'''Mark every pixel above a level.'''

level: float = Param(100.0, ge=0, unit="counts", help="pixels above it are cell")
inputs = {"image": Port("image", "raw movie, (T, Y, X)")}
outputs = {"label": Port("label", "0 background, 1 cell")}
framewise = True

def run_baremetal(self, data):
return {"label": (data["image"] > self.level).astype("uint8")}
"""

from cyto.task.base import PipelineTask
from cyto.task.loading import build_task, load_task
from cyto.task.parameters import Param, Parameter
from cyto.task.ports import Port, require, require_pixel_size

__all__ = [
    "Param",
    "Parameter",
    "PipelineTask",
    "Port",
    "build_task",
    "load_task",
    "require",
    "require_pixel_size",
]
