"""Whatever is killed, interrupted or exhausted: its own message, and nothing left running."""

from __future__ import annotations

import contextlib
import signal
from pathlib import Path
from typing import Any

import psutil
import pytest
import services_support as services

RUNNERS = [
    "baremetal",
    pytest.param("docker", marks=pytest.mark.docker),
    pytest.param("apptainer", marks=pytest.mark.apptainer),
]
CONTAINERS = RUNNERS[1:]


class Project:
    """A pipeline of one bad node, one that depends on it, and one that does not."""

    def __init__(self, cyto: services.Cyto, entries: services.Entries) -> None:
        self.cyto, self._entries = cyto, entries

    def write(self, runner: str, how: str, task: str = "Ends", **resources: Any) -> Path:
        """Write the pipeline; *resources* are those of the bad node."""
        params = {"how": how} if task == "Ends" else {}
        tasks = {
            "bad": {"module": f"contract_tasks.{task}", "params": params},
            "later": {"module": "contract_tasks.Echo", "inputs": {"a": "bad.value"}},
            "other": {"module": "contract_tasks.Untidy"},
        }
        entry = self._entries(runner, **({"resources": resources} if resources else {}))
        return self.cyto.write({"tasks": tasks}, bad=entry)

    def wait_until_started(self, word: str = "about to end") -> None:
        """Wait until the bad node has begun its work."""
        log = self.cyto.folder / "output" / "logs" / "bad.log"
        assert services.until(lambda: log.exists() and word in log.read_text(), within_s=60)
        assert services.until(self._other_has_ended, within_s=60)

    def _other_has_ended(self) -> bool:
        records = (self.cyto.folder / "output").glob(".cyto/runs/*/events.jsonl")
        lines = [line for record in records for line in record.read_text().splitlines()]
        return any('"node_finished", ' in line and '"other"' in line for line in lines)


@pytest.fixture
def project(cyto: services.Cyto, entries: services.Entries) -> Project:
    return Project(cyto, entries)


def see_failure(run: services.Background, *words: str) -> None:
    """See that the bad node failed for the reason that *words* give, and it alone."""
    assert run.end() == 1, run.said
    for word in words:
        assert word in run.said
    assert "bad: failed" in run.said
    assert "later: skipped: needs bad" in run.said
    assert "other: succeeded" in run.said
    assert "bad.log" in run.said


@pytest.mark.parametrize("runner", RUNNERS)
def test_a_worker_is_killed(project: Project, runner: str) -> None:
    pipeline = project.write(runner, "sleep")
    with project.cyto.start("run", pipeline) as run:
        project.wait_until_started()
        found = [p for p in services.workers(project.cyto.mark) if p.pid != run.process.pid]
        assert found
        for process in found:
            process.kill()
        see_failure(run, "was killed (SIGKILL)")


@pytest.mark.docker
@pytest.mark.parametrize("command", [["kill"], ["rm", "--force"]], ids=["kill", "rm"])
def test_a_docker_container_is_killed(project: Project, command: list[str]) -> None:
    pipeline = project.write("docker", "sleep")
    with project.cyto.start("run", pipeline) as run:
        project.wait_until_started()
        (container,) = services.containers(project.cyto.mark)
        services.docker(*command, container)
        see_failure(run, "killed")


@pytest.mark.docker
def test_the_docker_client_is_killed(project: Project) -> None:
    pipeline = project.write("docker", "sleep")
    with project.cyto.start("run", pipeline) as run:
        project.wait_until_started()
        for process in descendants(run):
            with contextlib.suppress(psutil.NoSuchProcess):  # it ended with the one before
                process.kill()
        see_failure(run, "was killed (SIGKILL)")


@pytest.mark.apptainer
def test_an_apptainer_container_is_killed(project: Project) -> None:
    pipeline = project.write("apptainer", "sleep")
    with project.cyto.start("run", pipeline) as run:
        project.wait_until_started()
        for process in descendants(run):
            with contextlib.suppress(psutil.NoSuchProcess):  # it ended with the one before
                process.kill()
        see_failure(run, "was killed (SIGKILL)")


def descendants(run: services.Background) -> list[psutil.Process]:
    """Find what the driver started: for Docker the client, for Apptainer the container."""
    found = psutil.Process(run.process.pid).children(recursive=True)
    assert found
    return found


@pytest.mark.parametrize("how", ["sleep", "deaf"])
@pytest.mark.parametrize("runner", RUNNERS)
def test_the_whole_run_is_killed(project: Project, runner: str, how: str) -> None:
    pipeline, mark = project.write(runner, how), project.cyto.mark
    with project.cyto.start("run", pipeline) as run:
        project.wait_until_started()
        run.process.kill()
        run.process.wait()
        running = lambda: services.marked(mark) + services.containers(mark, stopped=False)  # noqa: E731
        services.until(lambda: not running(), within_s=10)
        assert not running(), "nothing may run on without its driver"
    stopped = services.containers(mark)
    project.write(runner, "nothing")
    again = project.cyto("run", pipeline, "--json")
    assert again.code == 0, again.said
    assert again.nodes["other"]["outcome"] == "cached", "what was done is not done again"
    assert not set(stopped) & set(services.containers(mark)), "the next run sweeps"


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM], ids=lambda s: s.name)
@pytest.mark.parametrize("runner", RUNNERS)
def test_the_user_stops_it(project: Project, runner: str, number: signal.Signals) -> None:
    pipeline = project.write(runner, "sleep")
    with project.cyto.start("run", pipeline) as run:
        project.wait_until_started()
        run.process.send_signal(number)
        assert run.end() == 130, run.said
        services.assert_nothing_left(project.cyto.mark)
        assert "bad: cancelled" in run.said
        assert "Stopped" in run.said
    output = project.cyto.folder / "output"
    assert not list(output.glob(".cyto/runs/*/jobs/*/bad/out/*")), "no half result"
    private = output.glob(".cyto/runs/*/jobs/*/.scratch/**/*")
    assert [path for path in private if path.is_file()] == []


@pytest.mark.docker
def test_stopped_while_its_container_starts(project: Project) -> None:
    pipeline = project.write("docker", "sleep")
    with project.cyto.start("run", pipeline) as run:
        record = project.cyto.folder / "output" / ".cyto" / "runs"
        events = lambda: [p.read_text() for p in record.glob("*/events.jsonl")]  # noqa: E731
        assert services.until(lambda: any('"node": "bad"' in text for text in events()))
        run.process.send_signal(signal.SIGINT)
        assert run.end() == 130, run.said
        services.assert_nothing_left(project.cyto.mark)


@pytest.mark.parametrize("runner", RUNNERS)
def test_out_of_memory(project: Project, runner: str) -> None:
    pipeline = project.write(runner, "", task="Hog", memory="300Mi")
    with project.cyto.start("run", pipeline) as run:
        where = "pipeline-resources.x.yaml:"
        see_failure(run, "exceeded its memory limit of 300 MiB", "resources.memory in", where)


@pytest.mark.parametrize("runner", RUNNERS)
def test_out_of_time(project: Project, runner: str) -> None:
    pipeline = project.write(runner, "sleep", walltime="2s")
    with project.cyto.start("run", pipeline) as run:
        see_failure(run, "took longer than its time limit of 2", "resources.walltime in")


@pytest.mark.parametrize("runner", CONTAINERS)
@pytest.mark.parametrize(
    ("how", "words"),
    [
        ("exception", ["ValueError: bad pixels", "contract_tasks.py line"]),
        ("segfault", ["SIGSEGV"]),
    ],
)
def test_it_fails_by_itself(project: Project, runner: str, how: str, words: list[str]) -> None:
    pipeline = project.write(runner, how)
    with project.cyto.start("run", pipeline) as run:
        see_failure(run, *words)
