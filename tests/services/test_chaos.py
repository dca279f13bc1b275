"""The script that kills runs: a short use of it, and that it sees what it is there to see."""

from __future__ import annotations

import fcntl
import json
import os
import subprocess
import sys
from pathlib import Path

import pytest
import services_support as services

SCRIPTS = Path(__file__).parents[2] / "scripts"
sys.path.append(str(SCRIPTS))

import chaos_checks as checks  # noqa: E402 - lies among the scripts
from chaos_project import Project  # noqa: E402


def chaos(*args: object) -> str:
    """Run the script; give what it printed."""
    argv = [sys.executable, str(SCRIPTS / "chaos.py"), *map(str, args)]
    done = subprocess.run(argv, capture_output=True, text=True, check=False, timeout=500)
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


def test_kills_on_bare_metal(tmp_path: Path) -> None:
    said = chaos("--nodes", 10, "--times", 1, "--seed", 3, "--folder", tmp_path)
    assert "trial  1/1" in said
    assert "violations                                             0" in said
    assert list(tmp_path.iterdir()) == [], "nothing is kept of a good end"


@pytest.mark.docker
def test_kills_in_docker(tmp_path: Path) -> None:
    image = services.image("tasks")
    args = ["--nodes", 5, "--times", 1, "--seed", 4, "--profile", "docker", "--docker", image]
    assert "trial  1/1" in chaos(*args, "--folder", tmp_path)


def test_explains_itself() -> None:
    assert "--profile mixed" in chaos("--help")


@pytest.fixture(scope="module")
def finished(tmp_path_factory: pytest.TempPathFactory) -> list[Project]:
    """Give two projects that ran to their end."""
    folder = tmp_path_factory.mktemp("chaos")
    projects = [Project(folder / name, "mark-of-the-test", folder / "cache") for name in "ab"]
    for project in projects:
        assert project.make(10, "local", {}).start().wait(120) == 0
    return projects


def test_equal_runs_are_equal(finished: list[Project]) -> None:
    assert checks.end_faults(*finished) == []
    assert len(checks.published(finished[0])) == 10
    assert len(finished[0].computed()) == 11, "one node has two chunks"


def test_every_difference_is_seen(finished: list[Project]) -> None:
    project, wanted = finished
    results = checks.files_for_people(wanted, hidden=True)
    manifest = next(project.state.glob("store/??/*/manifest.json"))
    data = json.loads(manifest.read_text())
    changed = json.dumps({**data, "context": {"channel": "another"}})
    for path, text, fault in [
        (manifest, changed, f"store: {data['facts']['node']} differs"),
        (project.state / "store" / "ab" / "half" / "image.npy", "", "store: half is there alone"),
        (project.output / "n006" / "image.ome.tif", "half", "output: n006/image.ome.tif differs"),
        (project.output / "n006" / ".0123.tmp", "half", "output: n006/.0123.tmp is too many"),
        (project.output / "logs" / "n001.log", "", "output: logs/n001.log differs"),
    ]:
        old = path.read_bytes() if path.exists() else None
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
        assert [f for f in checks.end_faults(project, wanted) if f.startswith(fault)], fault
        if old is None:
            path.unlink()
        else:
            path.write_bytes(old)
    (project.state / "store" / "ab" / "half").rmdir()
    assert checks.export_faults(project, results) == []
    (project.output / "n007" / "dataframe.csv").write_text("frame,row\n")
    assert checks.export_faults(project, results) == ["n007/dataframe.csv is not what it should be"]


def test_what_runs_on_and_what_holds_the_lock_is_seen(
    finished: list[Project], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(checks, "GONE_WITHIN_S", 0.2)
    project = finished[1]
    assert checks.await_end(project.mark)[1] == []
    env = {**os.environ, checks.MARK: project.mark}
    sleeper = subprocess.Popen(["sleep", "600"], env=env)  # noqa: S607 - any process
    try:
        services.until(lambda: checks.marked(project.mark))
        (fault,) = checks.await_end(project.mark)[1]
        assert f"process {sleeper.pid} runs" in fault
    finally:
        sleeper.kill()
        sleeper.wait()
    assert checks.lock_faults(project) == []
    with open(project.state / "lock", encoding="utf-8") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        assert "the lock is held" in checks.lock_faults(project)[0]
