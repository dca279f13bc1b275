"""What importing pyCyto imports: nothing heavy, and on Python 3.9 what a container loads."""

from __future__ import annotations

import json
import os
import pkgutil
import shutil
import subprocess
import sys
import sysconfig
from pathlib import Path

import pytest

import cyto

ROOT = Path(cyto.__file__).parent
HEAVY = {
    "torch", "tensorflow", "cellpose", "stardist", "pandas", "pyarrow", "skimage", "scipy", "cv2",
    "matplotlib", "networkx", "napari", "numba",
}  # fmt: skip
IN_CONTAINERS = [
    "_typing.py", "_version.py", "errors.py", "core", "task", "runners/__init__.py",
    "runners/container_worker.py", "runners/exchange.py", "preprocessing", "segmentation",
    "tabulation", "tracking", "contact", "postprocessing",
]  # fmt: skip


def fresh(code: str, *flags: str) -> list[str]:
    """Run *code* in a new Python and give the names of the modules that it then has."""
    done = subprocess.run(
        [sys.executable, *flags, "-c", (f"import sys; before = set(sys.modules)\n{code}\n"
         "new = sorted(set(sys.modules) - before)\nimport json; print('\\n' + json.dumps(new))")],
        capture_output=True, text=True, check=False, timeout=60,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout.splitlines()[-1])


def public_modules() -> list[str]:
    found = [info.name for info in pkgutil.walk_packages([str(ROOT)], "cyto.")]
    return [name for name in found if "._" not in name]


def test_import_cyto_imports_nothing():
    assert [m for m in fresh("import cyto") if m.partition(".")[0] != "cyto"] == []
    assert [m for m in fresh("import cyto.runners") if not m.startswith("cyto")] == []


def test_no_public_module_imports_a_heavy_library():
    names = public_modules()
    assert {"cyto.cli.main", "cyto.engine.manager", "cyto.task.base"} <= set(names)
    loaded = fresh("\n".join(f"import {name}" for name in names))
    assert HEAVY & {name.partition(".")[0] for name in loaded} == set()


@pytest.mark.parametrize(
    "line", ["from cyto.segmentation.cellpose import CellPose", "from cyto.task import Param"]
)
def test_tasks_are_imported_without_their_tools(line):
    loaded = {name.partition(".")[0] for name in fresh(line)}
    assert (HEAVY | {"numpy", "pydantic", "rich", "click", "yaml"}) & loaded == set()


def test_help_imports_neither_pydantic_nor_numpy_nor_rich():
    program = Path(sysconfig.get_path("scripts")) / "cyto"
    loaded = fresh(
        f"import runpy; sys.argv = ['cyto', '--help']\n"
        f"try: runpy.run_path({str(program)!r}, run_name='__main__')\n"
        "except SystemExit as end: assert not end.code, end.code"
    )
    assert "cyto.cli.main" in loaded
    assert (HEAVY | {"numpy", "pydantic", "rich", "yaml", "psutil", "tifffile"}) & {
        name.partition(".")[0] for name in loaded
    } == set()


def test_the_worker_starts_on_the_standard_library_alone():
    loaded = fresh(
        f"sys.path.insert(0, {str(ROOT.parent)!r})\nimport cyto.runners.container_worker",
        "-S", "-s", "-I",
    )  # fmt: skip
    foreign = {
        name.partition(".")[0]
        for name in loaded
        if name.partition(".")[0] not in sys.stdlib_module_names
    }
    assert foreign == {"cyto"}


def python39() -> str | None:
    """Find an interpreter that really is Python 3.9."""
    folders = sorted(Path.home().glob(".pyenv/versions/3.9*/bin"))
    found = [shutil.which("python3.9"), *(str(folder / "python3.9") for folder in folders)]
    for path in filter(None, found):
        asked = subprocess.run(
            [path, "-c", "import sys; print(sys.version_info[:2])"],
            capture_output=True, text=True, check=False,
        )  # fmt: skip
        if asked.stdout.strip() == "(3, 9)":
            return path
    return None


TASK = '''
import sys
from typing import Optional
from cyto.task import Param, PipelineTask, Port

class Double(PipelineTask):
    """Double."""
    factor: float = Param(2.0, gt=0)
    limit: Optional[float] = Param(None)
    inputs = {"value": Port("value")}
    outputs = {"value": Port("value"), "python": Port("value")}
    def run_baremetal(self, data):
        print("from the tool")
        return {"value": data["value"] * self.factor, "python": list(sys.version_info[:2])}
'''


def test_the_worker_runs_a_task_on_python_39(tmp_path):
    python = python39()
    if python is None:
        pytest.skip("there is no Python 3.9 on this machine")
    (tmp_path / "old_task.py").write_text(TASK)
    shutil.copytree(ROOT, tmp_path / "code" / "cyto", ignore=shutil.ignore_patterns("__pycache__"))
    job = tmp_path / "job"
    job.mkdir()
    request = {
        "task": "old_task.Double", "params": {"factor": 3}, "folder": str(job),
        "inputs": {"value": {"kind": "value", "format": "inline", "value": 7}},
        "code": [str(tmp_path / "old_task.py")],
    }  # fmt: skip
    (job / "request.json").write_text(json.dumps(request))
    done = subprocess.run(
        [python, "-S", "-s", "-m", "cyto.runners.container_worker", str(job / "request.json")],
        env={"PATH": os.environ["PATH"], "PYTHONPATH": str(tmp_path / "code")},
        capture_output=True, text=True, check=False, timeout=60,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    result = json.loads((job / "result.json").read_text())
    assert result["outputs"]["value"]["value"] == 21.0
    assert result["outputs"]["python"]["value"] == [3, 9]
    assert result["versions"]["python"].startswith("3.9.")


def test_every_public_task_module_imports_on_python_39():
    python = python39()
    if python is None:
        pytest.skip("there is no Python 3.9 on this machine")
    homes = {p.partition("/")[0] for p in IN_CONTAINERS if not p.endswith(".py")}
    names = [n for n in public_modules() if n.split(".")[1] in homes and n != "cyto.task.remote"]
    done = subprocess.run(
        [python, "-I", "-c", f"import sys; sys.path.insert(0, {str(ROOT.parent)!r}); "
         "sys.dont_write_bytecode = True; " + "; ".join(f"import {name}" for name in names)],
        capture_output=True, text=True, check=False, timeout=60,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    assert len(names) > 10


def test_what_containers_load_is_written_for_python_39():
    pytest.importorskip("vermin", reason="vermin is not installed")
    paths = [str(ROOT / part) for part in IN_CONTAINERS if (ROOT / part).exists()]
    done = subprocess.run(
        [sys.executable, "-c", "from vermin.main import main; main()", "-t=3.9-", "--violations",
         "--eval-annotations", "--no-tips", *paths],
        capture_output=True, text=True, check=False, timeout=60,
    )  # fmt: skip
    assert done.returncode == 0, done.stdout + done.stderr
    assert "Minimum required versions: 3." in done.stdout, "or nothing was looked at"
