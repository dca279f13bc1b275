"""A task called in Python runs in a container and gives what it gives on the host."""

from __future__ import annotations

import pickle
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import services_support as services
from contract_tasks import AllKinds, Ends, Hog

from cyto.errors import ParameterError, TaskFailedError, TaskInputError, UnavailableError
from cyto.segmentation.watershed import Watershed
from cyto.tabulation.regions import RegionFeatures


@pytest.fixture(
    params=[
        "baremetal",
        pytest.param("docker", marks=pytest.mark.docker),
        pytest.param("apptainer", marks=pytest.mark.apptainer),
    ]
)
def config(
    request: pytest.FixtureRequest,
    entries: services.Entries,
    mark: str,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> dict[str, Any]:
    """Give an execution config for each environment; data pass through the test's own cache."""
    config = entries(request.param)
    monkeypatch.setenv("CYTO_CACHE", str(tmp_path / "the cache"))
    return config


def calls(folder: Path) -> list[Path]:
    """List the folders that direct calls left."""
    return list((folder / "the cache").glob("calls/*"))


def test_equals_the_host(config: dict[str, Any], movie: np.ndarray, tmp_path: Path) -> None:
    there = Watershed(diameter_px=18, execution_config=config)({"image": movie})
    here = Watershed(diameter_px=18)({"image": movie})
    assert list(there) == list(here) == ["label"]
    assert there["label"].dtype == here["label"].dtype
    assert here["label"].max() > 3
    np.testing.assert_array_equal(there["label"], here["label"])
    there["label"][:] = 0  # a caller's own array, as on the host
    assert calls(tmp_path) == [], "nothing is left in the cache"


def test_tables_and_context_pass(config: dict[str, Any], movie: np.ndarray) -> None:
    labels = Watershed(diameter_px=18)({"image": movie})["label"]
    data = {"image": movie, "label": labels, "pixel_size_um": 0.5}
    there = RegionFeatures(execution_config=config)(data)["dataframe"]
    assert there.equals(RegionFeatures()(data)["dataframe"])


def test_one_frame_without_a_time_axis(config: dict[str, Any], movie: np.ndarray) -> None:
    there = Watershed(execution_config=config)({"image": movie[0]})["label"]
    np.testing.assert_array_equal(there, Watershed()({"image": movie[0]})["label"])


def test_strange_memory_layouts(config: dict[str, Any], movie: np.ndarray) -> None:
    image = np.asfortranarray(movie)[::-1, ::2].astype(">u2")
    there = Watershed(execution_config=config)({"image": image})["label"]
    np.testing.assert_array_equal(there, Watershed()({"image": image})["label"])


def test_a_failure_says_why_and_where(config: dict[str, Any], mark: str) -> None:
    with pytest.raises(TaskFailedError, match="ValueError: bad pixels") as caught:
        Ends(how="exception", execution_config=config)({})
    error = caught.value
    assert (error.node, error.reason) == ("Ends", "exception")
    assert "contract_tasks.py" in error.traceback
    assert "Traceback (most recent call last)" in error.traceback
    assert "about to end: exception" in Path(error.log).read_text()
    assert error.log in str(error)
    assert pickle.loads(pickle.dumps(error)).message == error.message


def test_a_crash_says_why_and_where(config: dict[str, Any], mark: str) -> None:
    with pytest.raises(TaskFailedError, match="SIGSEGV") as caught:
        Ends(how="segfault", execution_config=config)({})
    assert caught.value.reason == "signal"
    assert "Segmentation fault" in Path(caught.value.log).read_text()


def test_limits_hold(config: dict[str, Any]) -> None:
    memory = {**config, "resources": {"memory": "300Mi"}}
    with pytest.raises(TaskFailedError, match="memory limit of 300 MiB") as caught:
        Hog(execution_config=memory)({})
    assert caught.value.reason == "memory"
    short = {**config, "resources": {"walltime": "1s"}}
    with pytest.raises(TaskFailedError, match="longer than its time limit") as caught:
        Ends(how="sleep", execution_config=short)({})
    assert caught.value.reason == "timeout"


def test_bad_data_never_reach_the_worker(config: dict[str, Any], tmp_path: Path) -> None:
    task = Watershed(execution_config=config)
    for data in ({}, {"image": "a.tif"}, {"image": np.zeros((1, 2, 3, 4))}):
        with pytest.raises(TaskInputError, match="image"):
            task(data)
    assert calls(tmp_path) == [], "and leave nothing behind"


def test_bad_parameters_are_found_at_once(config: dict[str, Any]) -> None:
    with pytest.raises(ParameterError, match="diameter_px"):
        Watershed(diameter_px=-1, execution_config=config)


def test_a_file_among_the_results(config: dict[str, Any], tmp_path: Path) -> None:
    from environment_contract import values_of_all_kinds

    values = values_of_all_kinds(tmp_path)
    there = AllKinds(execution_config=config)(values)
    assert Path(there["file"]).read_bytes() == values["file"].read_bytes()[::-1]


@pytest.mark.docker
def test_an_image_that_is_not_there(movie: np.ndarray, mark: str) -> None:
    services.require("docker")
    config = {"type": "container", "runner": "docker", "image": f"{mark}:latest"}
    with pytest.raises(UnavailableError, match=f"no docker image '{mark}:latest'") as caught:
        Watershed(execution_config=config)({"image": movie})
    assert "docker build" in caught.value.hint
