"""What tests with real services share: images, a marked ``cyto``, a movie, and a clean end."""

from __future__ import annotations

import shutil
import sys
import uuid
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
import tifffile

for folder in (Path(__file__).parents[1], Path(__file__).parents[1] / "contract"):
    if str(folder) not in sys.path:
        sys.path.append(str(folder))
pytest.register_assert_rewrite("services_support")

import services_support as services  # noqa: E402 - found by what is above


@pytest.fixture
def mark() -> Iterator[str]:
    """Name the test in all that it starts; see at its end that nothing of it is left."""
    mark = f"test-{uuid.uuid4().hex[:12]}"
    try:
        yield mark
        services.assert_nothing_left(mark)
    finally:
        services.clean_up(mark)


@pytest.fixture
def cyto(tmp_path: Path, mark: str) -> services.Cyto:
    """Give the command, in a folder in which `contract_tasks` lies too."""
    folder = tmp_path / "project"
    folder.mkdir()
    shutil.copy(Path(__file__).parents[1] / "contract" / "contract_tasks.py", folder)
    return services.Cyto(folder, mark)


@pytest.fixture(scope="session")
def movie() -> np.ndarray:
    """Give a small simulated movie of cancer cells, (T, Y, X)."""
    from cyto.simulation import simulate_assay

    return simulate_assay(frames=3, size=(160, 200), tcells=4, cancer_cells=8, seed=3).cancer


@pytest.fixture
def movie_file(cyto: services.Cyto, movie: np.ndarray) -> Path:
    """Give the movie as a file in the project."""
    path = cyto.folder / "cancer.ome.tif"
    tifffile.imwrite(path, movie, metadata={"axes": "TYX"})
    return path


@pytest.fixture
def entries(mark: str) -> services.Entries:
    """Give what profile entries say, by runner."""
    return services.Entries(mark)
