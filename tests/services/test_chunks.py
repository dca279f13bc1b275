"""Chunks of frames in containers, beside one another, give what one process gives."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import services_support as services
import tifffile

RUNNERS = [
    pytest.param("docker", marks=pytest.mark.docker),
    pytest.param("apptainer", marks=pytest.mark.apptainer),
]


@pytest.mark.parametrize("runner", RUNNERS)
def test_chunks_in_containers(
    cyto: services.Cyto, entries: Any, movie_file: Path, runner: str
) -> None:
    services.require(runner)
    tasks = {
        "cells": {"module": "cyto.segmentation.watershed.Watershed", "output": True},
        "table": {
            "module": "cyto.tabulation.regions.RegionFeatures",
            "inputs": {"label": "cells"},
            "output": True,
        },
    }
    chunks = {"resources": {"batch_size": 1}}
    pipeline = cyto.write(
        {"channels": {"cell": movie_file.name}, "tasks": tasks}, default=entries(runner, **chunks)
    )
    done = cyto("run", pipeline)
    assert done.code == 0, done.err
    assert "cells: started on" in done.said
    assert "in 3 chunks" in done.said
    assert cyto("run", pipeline, "--profile", "local", "-o", "whole").code == 0
    there, here = (cyto.folder / folder for folder in ("output", "whole"))
    np.testing.assert_array_equal(
        tifffile.imread(there / "cells" / "label.ome.tif"),
        tifffile.imread(here / "cells" / "label.ome.tif"),
    )
    tables = [(folder / "table" / "dataframe.csv").read_text() for folder in (there, here)]
    assert tables[0] == tables[1]
