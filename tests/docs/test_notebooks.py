"""The notebooks are valid and stored without outputs; they run, with and without a container."""

from __future__ import annotations

import base64
import json
import os
import sys
import warnings
from pathlib import Path
from typing import Any

import pytest

nbformat = pytest.importorskip("nbformat")
nbclient = pytest.importorskip("nbclient")

if str(Path(__file__).parents[1]) not in sys.path:
    sys.path.append(str(Path(__file__).parents[1]))

import services_support as services  # noqa: E402 - found by what is above

FOLDER = services.ROOT / "notebooks"
EXAMPLE = FOLDER / "segmentation" / "example_17.ipynb"
PLOTS = 6
PROBE = """
import json

print(json.dumps({
    "tcells": [int(frame.max()) for frame in tcell_labels],
    "tcells_true": [len(np.unique(frame)) - 1 for frame in assay.tcell_labels],
    "deaths": sorted(fate["deaths"]["frame"].tolist()),
    "deaths_true": sorted(assay.deaths["frame"].tolist()),
    "kills": int((kills["dataframe"]["killer"] > 0).sum()),
    "kills_true": int((assay.deaths["killer"] > 0).sum()),
    "survival": survival["dataframe"]["survival"].tolist(),
}))
"""
"""A last cell that the test adds, to look at the results."""


@pytest.fixture
def jupyter(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Let no setting or kernel of the user's into the notebook; give a cache for its calls."""
    for name in ("CYTO_NOTEBOOK_IMAGE", "CYTO_NOTEBOOK_MODEL"):
        monkeypatch.delenv(name, raising=False)
    for name in ("JUPYTER_CONFIG_DIR", "JUPYTER_DATA_DIR", "JUPYTER_RUNTIME_DIR", "IPYTHONDIR"):
        monkeypatch.setenv(name, str(tmp_path / name.lower()))
    return tmp_path / "cache"  # for the kernel alone: the trained model lies in the usual one


def execute(path: Path, **env: str) -> Any:
    """Run a notebook in this Python, beside its own file; a cell that fails fails the test."""
    notebook = nbformat.read(path, as_version=4)
    notebook.cells.append(nbformat.v4.new_code_cell(PROBE, id="probe"))
    with warnings.catch_warnings():
        warnings.simplefilter("default")  # ours count, not those of Jupyter's own libraries
        client = nbclient.NotebookClient(
            notebook, timeout=300, resources={"metadata": {"path": str(path.parent)}}
        )
        client.execute(env={**os.environ, **env})
    return notebook


def outputs(notebook: Any) -> dict[str, list[Any]]:
    """Give what each code cell showed, by the cell's id."""
    return {cell.id: cell.outputs for cell in notebook.cells if cell.cell_type == "code"}


def texts(shown: list[Any], kind: str = "text/plain") -> str:
    """Join what a cell showed in one form; Markdown has a plain form too, which is left out."""
    found = [one.data for one in shown if kind in one.get("data", {})]
    return "\n".join(one[kind] for one in found if kind != "text/plain" or len(one) == 1)


def complete(notebook: Any) -> dict[str, Any]:
    """Check that every cell ran without error or warning and every plot is there; give results."""
    shown = outputs(notebook)
    assert all(cell.execution_count for cell in notebook.cells if cell.cell_type == "code")
    (probe,) = shown.pop("probe")
    every = [one for some in shown.values() for one in some]
    assert [one for one in every if one.output_type == "error"] == []
    assert [one.text for one in every if one.output_type == "stream"] == []
    plots = [one.data["image/png"] for one in every if "image/png" in one.get("data", {})]
    assert len(plots) == PLOTS
    assert all(len(base64.b64decode(plot)) > 5000 for plot in plots)
    results: dict[str, Any] = json.loads(probe.text)
    return results


def assert_right(results: dict[str, Any], *, missed: float = 0.05, kills_missed: int = 0) -> None:
    """Compare with the truth that the simulation knows.

    *missed* is the part of the T cells that may be left out, *kills_missed* how many kills may
    have no killer for it.
    """
    assert sum(results["tcells"]) == pytest.approx(sum(results["tcells_true"]), rel=missed)
    assert len(results["deaths"]) == len(results["deaths_true"])
    apart = zip(results["deaths"], results["deaths_true"], strict=True)
    assert all(abs(found - true) <= 1 for found, true in apart)
    assert 0 <= results["kills_true"] - results["kills"] <= kills_missed
    assert results["survival"] == sorted(results["survival"], reverse=True)


@pytest.mark.parametrize("path", sorted(FOLDER.rglob("*.ipynb")), ids=lambda path: path.name)
def test_a_notebook_is_valid_and_stored_clean(path: Path) -> None:
    notebook = nbformat.read(path, as_version=nbformat.NO_CONVERT)
    nbformat.validate(notebook)
    assert (notebook.nbformat, notebook.nbformat_minor) == (4, 5)
    for cell in notebook.cells:
        assert not cell.get("outputs"), "clear all outputs before you commit"
        assert cell.get("execution_count") is None


def test_without_docker_it_says_so_and_goes_on(jupyter: Path, tmp_path: Path) -> None:
    empty = tmp_path / "bin"
    empty.mkdir()
    env = {"PATH": str(empty), "CYTO_CACHE": str(jupyter), "CYTO_NOTEBOOK_MODEL": "no_such_model"}
    notebook = execute(EXAMPLE, **env)
    assert_right(complete(notebook))
    shown = outputs(notebook)["segment"]
    assert texts(shown).endswith("{'T cells': 'Watershed', 'cancer cells': 'Watershed'}")
    said = texts(shown, "text/markdown")
    assert "T cells: Watershed instead of CellPose" in said
    assert "docker is not installed" in said
    assert "cyto build cellpose" in said
    assert "Cancer cells: Watershed instead of CellPose" in said
    assert "pip install 'pycyto[cellpose]'" in said


@pytest.mark.cellpose
@pytest.mark.docker
def test_with_docker_cellpose_finds_the_tcells(jupyter: Path) -> None:
    image, model = services.image("cellpose"), services.model("cellpose")
    mark = f"test-{os.urandom(6).hex()}"
    env = {services.MARK: mark, "CYTO_CACHE": str(jupyter)}
    try:
        notebook = execute(
            EXAMPLE, CYTO_NOTEBOOK_IMAGE=image, CYTO_NOTEBOOK_MODEL=str(model), **env
        )
        services.assert_nothing_left(mark)
    finally:
        services.clean_up(mark)
    # the tiny model learned cancer cells: it leaves out a tenth of the T cells, two killers of 7
    # among them
    assert_right(complete(notebook), missed=0.15, kills_missed=3)
    shown = outputs(notebook)["segment"]
    assert "'T cells': 'CellPose'" in texts(shown)
    assert "T cells" not in texts(shown, "text/markdown")
    assert list((jupyter / "calls").iterdir()) == [], "it ran elsewhere, and its data went with it"


@pytest.mark.cellpose
@pytest.mark.docker
def test_an_image_without_the_weights_is_said_too(jupyter: Path) -> None:
    env = {"CYTO_NOTEBOOK_IMAGE": services.image("cellpose"), "CYTO_CACHE": str(jupyter)}
    notebook = execute(EXAMPLE, CYTO_NOTEBOOK_MODEL="nuclei_of_nowhere", **env)
    assert_right(complete(notebook))
    said = texts(outputs(notebook)["segment"], "text/markdown")
    assert "T cells: Watershed instead of CellPose" in said
    assert "there is no model 'nuclei_of_nowhere'" in said
