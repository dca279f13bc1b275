"""Samples in a container: each one's image is seen there, and their tables are joined there."""

from __future__ import annotations

from pathlib import Path

import pandas as pd
import pytest
import services_support as services

pytestmark = pytest.mark.docker


def test_bare_metal_and_docker_collect_the_same(
    cyto: services.Cyto, movie_file: Path, entries: services.Entries
) -> None:
    for name in ("one", "two"):
        (movie_file.parent / name).mkdir()
        (movie_file.parent / name / "m.tif").write_bytes(movie_file.read_bytes())
    tasks = {
        "seg": {
            "module": "cyto.segmentation.watershed.Watershed",
            "params": {"diameter_px": 18, "threshold_factor": 0.9},
            "inputs": {"image": "m"},
        },
        "cells": {
            "module": "cyto.tabulation.regions.RegionFeatures",
            "inputs": {"label": "seg.label", "image": "m"},
        },
        "all": {
            "module": "cyto.postprocessing.tables.FeatureFilter",
            "params": {"column": "area", "operation": ">", "value": 50},
            "inputs": {"dataframe": "cells"},
            "collect": True,
            "output": True,
        },
    }
    samples = [{"sample": "one", "dose": 0.5}, {"sample": "two", "dose": 2}]
    channels = {"m": {"path": "{sample}/m.tif", "pixel_size_um": 0.65}}
    tables = {}
    for runner in ("baremetal", "docker"):
        data = {"samples": samples, "channels": channels, "tasks": tasks, "output_dir": runner}
        pipeline = cyto.write(data, default=entries(runner))
        run = cyto("run", pipeline, "--json")
        assert run.code == 0, run.said
        tables[runner] = pd.read_csv(run.nodes["all"]["findings"][0]["path"])
    assert tables["docker"].columns[:2].tolist() == ["sample", "dose"]
    assert tables["docker"].groupby("sample")["dose"].unique().map(list).to_dict() == {
        "one": [0.5],
        "two": [2.0],
    }
    counts = tables["docker"]["sample"].value_counts()
    assert counts["one"] == counts["two"] > 0
    pd.testing.assert_frame_equal(tables["docker"], tables["baremetal"])
