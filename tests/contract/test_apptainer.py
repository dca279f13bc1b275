from __future__ import annotations

import json
import os
import shutil
import subprocess
import tempfile
from pathlib import Path

import pytest
import services_support as services
from bench import TASKS, Bench, listener
from environment_contract import HOSTILE, EnvironmentContract

pytestmark = pytest.mark.apptainer

NOBODY = 65534


class TestApptainer(EnvironmentContract):
    runner = "apptainer"

    @classmethod
    def find_image(cls) -> str:
        return services.image("tasks-sif")

    @pytest.mark.parametrize("name", ["option", "shell", "all"])
    def test_an_image_of_any_name(self, bench: Bench, image: str, name: str) -> None:
        path = bench.folder / HOSTILE[name] / f"{HOSTILE[name]}.sif"
        path.parent.mkdir()
        path.symlink_to(Path(image))
        assert bench.run("Echo", inputs={"a": 1}, image=str(path)).values == {"a": 1}

    @pytest.mark.skipif(os.getuid() != 0, reason="the whole suite runs as an ordinary user already")
    def test_an_ordinary_user_is_parted_as_well(self, image: str) -> None:
        python = shutil.which("python3", path="/usr/bin:/bin")
        if python is None or not services.readable_by_all(services.ROOT / "cyto"):
            pytest.skip("no Python, or no checkout, that an ordinary user could read")
        with tempfile.TemporaryDirectory() as name, listener() as port:
            folder = Path(name)
            os.link(image, sif := folder / "tasks.sif")
            shutil.copy(TASKS, folder)
            for path in (folder, folder / TASKS.name, sif):
                path.chmod(0o755)
            os.chown(folder, NOBODY, NOBODY)
            script = ORDINARY.format(folder=name, sif=str(sif), port=port)
            done = subprocess.run(
                [python, "-c", script], user=NOBODY, group=NOBODY, extra_groups=[], cwd="/",
                env={"PATH": os.environ["PATH"], "HOME": name, "PYTHONPATH": str(services.ROOT),
                     "PYTHONDONTWRITEBYTECODE": "1", "SECRET": "of the host"},
                capture_output=True, text=True, check=False,
            )  # fmt: skip
            assert done.returncode == 0, done.stderr
            result = json.loads(done.stdout)
            assert result["reason"] == "", result["message"]
            found = result["outputs"]["value"]["value"]
            assert (folder / "jobs" / "job" / "result.json").stat().st_uid == NOBODY
        assert found["user"] == [NOBODY] * 4
        assert "of the host" not in found["env"].values()
        assert found["made"] == {"/cyto/code/cyto": "OSError", "/cyto/jobs": "", "/tmp": ""}
        assert found["interfaces"] == ["lo"], "no network unless asked, for any user"
        assert found["connects"] != ""


ORDINARY = """
import json, os
from pathlib import Path
from cyto.core.placement import Placement
from cyto.core.request import TaskRequest
from cyto.runners.apptainer import ApptainerRunner
from cyto.runners.worker import Worker, worker_spec

folder = Path({folder!r})
(folder / "jobs" / "job").mkdir(parents=True)
placement = Placement(environment="apptainer", image={sif!r})
code = (str(folder / "contract_tasks.py"),)
spec = worker_spec(name="cyto-ordinary", placement=placement, jobs=folder / "jobs", code=code)
request = TaskRequest(
    task="contract_tasks.Surroundings",
    params={{"port": {port}, "folders": ["/cyto/code/cyto", "/cyto/jobs", "/tmp"]}},
    folder=str(folder / "jobs" / "job"),
    code=code,
)
with Worker(spec, ApptainerRunner()) as worker:
    print(json.dumps(worker.run(request).to_json()))
"""
