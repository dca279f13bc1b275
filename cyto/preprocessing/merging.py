"""Several channels in one image."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, ClassVar, Dict, List, Optional, Union  # noqa: UP035

from cyto.errors import TaskInputError, nearest
from cyto.task import Param, PipelineTask, Port
from cyto.task.ports import CONTEXT_KEYS

if TYPE_CHECKING:
    from collections.abc import Mapping

    from cyto._typing import TaskData


class ChannelMerge(PipelineTask):
    """Add up channels, each times its weight: one image with all cells in it.

    The channels are freely named inputs, as in ``inputs: {tcell: tcell, cancer: cancer}``.

    Parameters
    ----------
    weights
        By channel name, as in ``{tcell: 0.3, cancer: 0.7}``, or a list in the order of the inputs.
        ``None``: in proportion to 1 / mean of each channel over the whole movie, so that all are
        equally bright, and of sum 1.

    Raises
    ------
    TaskInputError
        The channels differ in shape; a weight has no channel or a channel no weight; a channel's
        mean is below 0 where its weight must be found.

    Notes
    -----
    About 1 ms per frame of 1024² and channel, as much again for weights that must be found; memory
    beside the result is a few frames. The result is float32, not a number wherever a channel is.
    """

    weights: Optional[Union[Dict[str, float], List[float]]] = Param(  # noqa: UP006
        None, help="by channel name, or in the order of the inputs; null: as 1 / mean"
    )

    libraries: ClassVar[tuple[str, ...]] = ("numpy",)
    more_inputs: ClassVar[Port] = Port("image", "a channel, (T, Y, X)")
    outputs: ClassVar[Mapping[str, Port]] = {"image": Port("image", "the sum, float32")}

    def run_baremetal(self, data: TaskData) -> dict[str, Any]:
        """Add up all images; gives ``image``."""
        from cyto.preprocessing._intensities import merge
        from cyto.preprocessing._movie import check_same_shape

        channels = {
            key: data[key] for key in data if key not in CONTEXT_KEYS and key != "frame_offset"
        }
        check_same_shape(channels, type(self).__name__)
        return {"image": merge(channels, self._weights(channels))}

    def _weights(self, channels: Mapping[str, Any]) -> dict[str, float]:
        if isinstance(self.weights, dict):
            return self._named(self.weights, channels)
        if self.weights is None:
            return self._found(channels)
        if len(self.weights) != len(channels):
            raise TaskInputError(
                f"there are {len(self.weights)} weights for {len(channels)} channels "
                f"({', '.join(channels)})",
                task=type(self).__name__,
                hint="one per channel, best by name: weights: {tcell: 0.3, cancer: 0.7}",
            )
        return dict(zip(channels, self.weights))

    def _named(self, weights: Mapping[str, float], channels: Mapping[str, Any]) -> dict[str, float]:
        for name in weights:
            if name not in channels:
                raise TaskInputError(
                    f"there is a weight for {name!r} and no such channel",
                    task=type(self).__name__,
                    hint=nearest(name, channels, what="channel"),
                )
        for name in channels:
            if name not in weights:
                raise TaskInputError(
                    "has no weight",
                    task=type(self).__name__,
                    key=name,
                    hint=f"add it to weights: {dict(weights)}; 0 leaves it out",
                )
        return dict(weights)

    def _found(self, channels: Mapping[str, Any]) -> dict[str, float]:
        from cyto.preprocessing._intensities import balanced_weights

        found = {}
        for key, weight in balanced_weights(channels).items():
            if weight is None:
                raise TaskInputError(
                    "has a mean below 0, which gives no weight",
                    task=type(self).__name__,
                    key=key,
                    hint="give the weights: weights: {tcell: 0.3, cancer: 0.7}",
                )
            found[key] = weight
        return found
