"""From labels to camera images."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
from scipy.ndimage import gaussian_filter

if TYPE_CHECKING:
    from collections.abc import Mapping

    from numpy.typing import NDArray

    from cyto.simulation._raster import Layer
    from cyto.simulation._world import World

OFFSET = 100.0
"""Counts of a camera in the dark."""
READ_NOISE = 3.0
BACKGROUND = {"tcell": 40.0, "cancer": 60.0, "death": 30.0}
"""Electrons per pixel from the medium."""
SIGNAL = {"tcell": 300.0, "cancer": 400.0, "death": 500.0}
"""Electrons per pixel in the middle of a cell of brightness 1."""
BLUR_PX = 1.0
FADE_FRAMES = 8.0
REMAINS = 0.35
"""Fraction of the live marker that a dead cell keeps."""
RISE_FRAMES = 3.0


def expose(
    layers: Mapping[str, Layer], world: World, frame: int, rng: np.random.Generator
) -> dict[str, NDArray[np.uint16]]:
    """Take one picture of every channel: (Y, X) uint16 by channel name."""
    live, dead = _levels(world, frame)
    cancer = layers["cancer"]
    scenes = {
        "tcell": live[layers["tcell"].labels] * layers["tcell"].glow,
        "cancer": live[cancer.labels] * cancer.glow,
        "death": dead[cancer.labels] * cancer.glow,
    }
    return {name: _picture(scene, name, rng) for name, scene in scenes.items()}


def _levels(world: World, frame: int) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
    """Give the brightness of the live and of the death marker by track id."""
    live, dead = np.zeros((2, 1 << 16), np.float32)
    for cell in world.cells:
        live[cell.track_id], dead[cell.track_id] = cell.brightness, 0.02
        if not cell.alive(frame) and cell.died is not None:
            since = frame - cell.died + 1
            live[cell.track_id] *= REMAINS + (1 - REMAINS) * np.exp(-since / FADE_FRAMES)
            dead[cell.track_id] = 1 - np.exp(-since / RISE_FRAMES)
    return live, dead


def _picture(scene: NDArray[np.float32], name: str, rng: np.random.Generator) -> NDArray[np.uint16]:
    height, width = scene.shape
    y, x = np.ogrid[-1 : 1 : height * 1j, -1 : 1 : width * 1j]
    light = 1 - 0.08 * (y**2 + x**2)  # brighter in the middle of the field
    electrons = light * (BACKGROUND[name] + SIGNAL[name] * gaussian_filter(scene, BLUR_PX))
    counts = OFFSET + rng.poisson(electrons) + rng.normal(0, READ_NOISE, scene.shape)
    image: NDArray[np.uint16] = np.clip(np.rint(counts), 0, 65535).astype(np.uint16)
    return image
