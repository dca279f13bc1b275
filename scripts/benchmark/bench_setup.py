"""What all rows of the overhead's table are made with."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from bench_peers import NAMES, POOL
from bench_raw import Place, apptainer, docker, test_image
from numpy.typing import NDArray


@dataclass(frozen=True, kw_only=True)
class Setup:
    """Images and sizes.

    Parameters
    ----------
    docker, sif, cellpose
        Images; ``None`` takes those of the tests, built where they are missing.
    nodes, chain, many, slow
        How many no-op nodes: in containers; in a chain; independent; independent for slow peers.
    megabytes, movie_megabytes
        The array that passes a container's boundary; the movie that passes the driver.
    frames, steps
        The framewise task: its frames, and how long each takes.
    cellpose_frames, elements
        Frames for CellPose; elements of the Slurm array.
    large, chunks
        No-op nodes of a large pipeline; chunks of one node.
    peers
        Whom to time beside.
    """

    docker: str | None = None
    sif: str | None = None
    cellpose: str | None = None
    nodes: int = 20
    chain: int = 100
    many: int = 1000
    slow: int = 100
    megabytes: int = 500
    movie_megabytes: int = 4000
    frames: int = 64
    steps: int = 1_000_000
    cellpose_frames: int = 50
    elements: int = 64
    large: int = 10_000
    chunks: int = 100_000
    peers: tuple[str, ...] = (POOL, *NAMES)

    def docker_place(self) -> Place:
        """Give the Docker image; raises `CannotRunError` where there is none."""
        return docker(self.docker or test_image("tasks"))

    def apptainer_place(self) -> Place:
        """Give the SIF; raises `CannotRunError` where there is none."""
        return apptainer(self.sif or test_image("tasks-sif"))

    def cellpose_place(self) -> Place:
        """Give the Docker image with CellPose; raises `CannotRunError` where there is none."""
        return docker(self.cellpose or test_image("cellpose"))


def write_movie(path: Path, movie: NDArray[Any]) -> Path:
    """Write a movie for a channel; give its path."""
    import tifffile

    tifffile.imwrite(path, movie, photometric="minisblack", metadata={"axes": "TYX"})
    return path


def small_movie(path: Path, frames: int) -> Path:
    """Write frames of 8² pixels, each another one."""
    pixels = np.arange(frames * 64, dtype=np.uint16).reshape(frames, 8, 8)
    return write_movie(path, pixels)
