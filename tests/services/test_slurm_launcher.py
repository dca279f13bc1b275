"""The Slurm launcher on a real Slurm."""

from __future__ import annotations

import contextlib
import json
import os
import shutil
import signal
import subprocess
import sys
import threading
import time
import uuid
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import services_support as services
from environment_contract import HOSTILE

from cyto.core.layout import BatchLayout, JobLayout
from cyto.core.placement import Placement, Resources
from cyto.core.request import TaskRequest
from cyto.errors import SubmissionError, UnavailableError
from cyto.runners import exchange
from cyto.runners.batch_files import read_json, write_whole
from cyto.runners.slurm import Batch, Report, Slurm, Submission, packed
from cyto.runners.slurm_probe import probe
from cyto.runners.worker import worker_spec

pytestmark = pytest.mark.slurm

TASKS = Path(__file__).parents[1] / "contract" / "contract_tasks.py"
SMALL = Resources(cpus=1, memory_bytes=300 << 20)
OK = ("Ends", {"how": "nothing"})
SLEEP = ("Ends", {"how": "sleep"})
SBATCH = shutil.which("sbatch") or "sbatch"
Ask = tuple[str, dict[str, Any]]


def slurm_says(program: str, *args: str) -> str:
    done = subprocess.run([program, *args], capture_output=True, text=True, check=False)
    return done.stdout.strip()


def value(report: Report) -> Any:
    """Read what a task gave."""
    assert report.result.ok, report.result
    return exchange.load(report.result.outputs["value"])


class Followed:
    """A submission that is watched, and what was told of it."""

    def __init__(self, slurm: Slurm, submission: Submission) -> None:
        self.submission, self.reports, self.texts = submission, list[Report](), list[str]()
        self._all = threading.Event()
        slurm.watch(submission, self._told, lambda _, text: self.texts.append(text))

    def _told(self, report: Report) -> None:
        self.reports.append(report)
        if len(self.reports) == sum(self.submission.counts):
            self._all.set()

    def end(self, within_s: float = 90.0) -> dict[tuple[int, int], Report]:
        assert self._all.wait(within_s), f"told of {self.reports}, said {self.texts}"
        time.sleep(0.2)
        assert len(self.reports) == sum(self.submission.counts), "something was told twice"
        return {(r.element, r.index): r for r in self.reports}

    def runs(self) -> bool:
        return services.until(lambda: "runs on" in " ".join(self.texts), within_s=60)

    def reasons(self, within_s: float = 90.0) -> list[str]:
        return [report.result.reason for _, report in sorted(self.end(within_s).items())]


class Desk:
    """Where submissions are made, each in its folder, and all of them are ended."""

    def __init__(self, folder: Path) -> None:
        self.folder, self.slurm = folder, Slurm(grace_s=3.0)
        self._submissions: list[Submission] = []

    def batch(
        self,
        asks: list[Ask],
        *,
        per: int = 1,
        folder: Path | None = None,
        max_parallel: int | None = None,
        options: dict[str, str] | None = None,
        resources: Resources = SMALL,
        **placement: Any,
    ) -> Batch:
        home = folder or self.folder / uuid.uuid4().hex[:8]
        requests = []
        for i, (task, params) in enumerate(asks):
            job = home / "jobs" / f"job{i}"
            job.mkdir(parents=True)
            requests.append(
                TaskRequest(
                    task=f"contract_tasks.{task}",
                    params=params,
                    folder=str(job),
                    node=f"n{i}",
                    code=(str(TASKS),),
                )
            )
        name = f"cyto-test-{uuid.uuid4().hex[:12]}"
        where = Placement(
            launcher="slurm",
            resources=resources,
            launcher_options=tuple((options or {}).items()),
            source="pipeline-resources.x.yaml:12",
            **placement,
        )
        spec = worker_spec(name=name, placement=where, jobs=home / "jobs", code=[str(TASKS)])
        spec = replace(spec, env={services.MARK: os.environ[services.MARK]})
        elements = [requests[i : i + per] for i in range(0, len(requests), per)]
        return Batch(
            name=name,
            folder=home / "batch",
            spec=spec,
            elements=elements,
            max_parallel=max_parallel,
        )

    def submit(self, *args: Any, **more: Any) -> Followed:
        return self.follow(self.slurm.submit(self.batch(*args, **more)))

    def follow(self, submission: Submission) -> Followed:
        self._submissions.append(submission)
        return Followed(self.slurm, submission)

    def close(self) -> None:
        self.slurm.close()
        for submission in self._submissions:
            slurm_says("scancel", submission.job)


@pytest.fixture
def desk(tmp_path: Path, mark: str, monkeypatch: pytest.MonkeyPatch) -> Iterator[Desk]:
    services.require("slurm")
    monkeypatch.setenv(services.MARK, mark)
    desk = Desk(tmp_path)
    try:
        yield desk
    finally:
        desk.close()


def test_an_array_with_a_failing_element(desk: Desk) -> None:
    followed = desk.submit([OK, OK, ("Ends", {"how": "exception"}), OK, OK], max_parallel=2)
    ends = followed.end()
    assert [ends[i, 0].result.reason for i in range(5)] == ["", "", "exception", "", ""]
    assert "bad pixels: café" in ends[2, 0].result.message
    assert value(ends[0, 0]) == "went on"
    assert all(report.node for report in ends.values())
    layout = BatchLayout(followed.submission.folder)
    assert "--array=0-4%2" in layout.script.read_text(encoding="utf-8")
    assert "about to end: exception" in Path(desk_log(desk, ends[2, 0])).read_text()


def desk_log(desk: Desk, report: Report) -> Path:
    return JobLayout(report.submission.folder.parent / "jobs" / f"job{report.element}").log


def test_requests_of_one_element_run_one_after_the_other_in_one_warm_worker(desk: Desk) -> None:
    followed = desk.submit([("Surroundings", {})] * 6, per=3)
    ends = followed.end()
    pids = {key: value(report)["pid"] for key, report in ends.items()}
    assert pids[0, 0] == pids[0, 1] == pids[0, 2]
    assert pids[1, 0] == pids[1, 1] == pids[1, 2]
    assert pids[0, 0] != pids[1, 0]


def test_a_crash_takes_down_its_own_request_alone(desk: Desk) -> None:
    asks: list[Ask] = [OK, ("Ends", {"how": "segfault"}), OK, ("Ends", {"how": "terminate"}), OK]
    assert desk.submit(asks, per=5).reasons() == ["", "signal", "", "signal", ""]


def test_scancel_from_outside(desk: Desk) -> None:
    followed = desk.submit([SLEEP, OK, SLEEP, OK], per=2)
    assert followed.runs()
    slurm_says("scancel", followed.submission.job)
    ends = followed.end()
    assert {r.result.reason for r in ends.values()} == {"cancelled"}
    assert "cancelled by somebody else" in ends[0, 0].result.message
    assert (ends[0, 0].begun, ends[0, 1].begun) == (True, False)
    assert "did not get its turn" in ends[0, 1].result.message


def test_a_held_job_is_said_to_be_held_and_can_be_cancelled_in_the_queue(desk: Desk) -> None:
    followed = desk.submit([OK], options={"begin": "now+1hour"})
    slurm_says("scontrol", "uhold", followed.submission.job)
    assert services.until(lambda: "scontrol release" in " ".join(followed.texts))
    slurm_says("scancel", followed.submission.job)
    (report,) = followed.end().values()
    assert (report.result.reason, report.begun) == ("cancelled", False)


def test_what_we_cancel_was_stopped_and_nothing_is_left(desk: Desk) -> None:
    followed = desk.submit(
        [SLEEP, ("Ends", {"how": "deaf"}), ("Ends", {"how": "orphan_and_sleep"})]
    )
    assert followed.runs()
    time.sleep(1)
    desk.slurm.cancel(followed.submission)
    ends = followed.end()
    assert {r.result.reason for r in ends.values()} == {"cancelled"}
    assert {r.result.message for r in ends.values()} == {"was stopped"}
    assert desk.slurm.adopt(followed.submission.folder) is None


def test_what_was_cancelled_before_it_was_watched_was_stopped(desk: Desk) -> None:
    submission = desk.slurm.submit(desk.batch([SLEEP, SLEEP]))
    desk.slurm.cancel(submission)
    assert {r.result.message.split(": ")[-1] for r in desk.follow(submission).end().values()} == {
        "was stopped"
    }


def restore(node: str) -> None:
    """Bring a node back; it may be back by itself, which Slurm calls an error."""
    for _ in range(50):
        if slurm_says("sinfo", "-h", "-n", node, "-o", "%T") in {"idle", "mixed", "allocated"}:
            return
        slurm_says("scontrol", "update", f"nodename={node}", "state=resume")
        time.sleep(0.2)


def test_a_node_set_down_in_the_middle(desk: Desk) -> None:
    followed = desk.submit([SLEEP, OK], per=2, options={"nodelist": "n4"})
    assert followed.runs()
    try:
        slurm_says("scontrol", "update", "nodename=n4", "state=down", "reason=test")
        ends = followed.end()
    finally:
        restore("n4")
    assert [ends[0, i].result.reason for i in range(2)] == ["node", "node"]
    assert "node n4 failed or was taken down" in ends[0, 0].result.message
    assert (ends[0, 0].begun, ends[0, 1].begun) == (True, False)


def test_a_job_that_slurm_itself_starts_again_goes_on_where_it_was(desk: Desk) -> None:
    asks: list[Ask] = [("Surroundings", {}), ("Ends", {"how": "sleep"})]
    followed = desk.submit(asks, per=2, options={"requeue": "", "nodelist": "n3"})
    assert services.until(lambda: len(followed.reports) == 1, within_s=60)
    slurm_says("scontrol", "requeue", followed.submission.job)
    told = BatchLayout(followed.submission.folder).told(0)
    starts = lambda: told.read_text(encoding="utf-8").count('"started"')  # noqa: E731
    for _ in range(20):
        # else Slurm makes it wait for two minutes; one that still completes cannot be told
        slurm_says("scontrol", "update", f"jobid={followed.submission.job}", "starttime=now")
        if services.until(lambda: starts() == 2, within_s=8):
            break
    assert (starts(), len(followed.reports)) == (2, 1)
    assert told.read_text(encoding="utf-8").count('"result"') == 1
    desk.slurm.cancel(followed.submission)
    assert followed.reasons() == ["", "cancelled"]


def test_a_job_over_its_memory(desk: Desk) -> None:
    asks: list[Ask] = [OK, ("Hog", {"megabytes": 900}), OK]
    ends = desk.submit(asks, per=3).end()
    assert [ends[0, i].result.reason for i in range(3)] == ["", "memory", ""]
    message = ends[0, 1].result.message
    assert "memory limit of 300 MiB" in message
    assert "raise resources.memory in pipeline-resources.x.yaml:12" in message


def test_the_tasks_own_time_limit(desk: Desk) -> None:
    followed = desk.submit([SLEEP, OK], per=2, resources=replace(SMALL, walltime_s=1.5))
    ends = followed.end()
    assert [ends[0, i].result.reason for i in range(2)] == ["timeout", ""]


def test_slurms_time_limit(desk: Desk) -> None:
    followed = desk.submit([SLEEP, SLEEP], per=2, options={"time": "1"})
    ends = followed.end(within_s=200)
    assert ends[0, 1].result.reason == "timeout"
    message = ends[0, 1].result.message
    assert "the time limit of its job (1 min)" in message
    assert "raise resources.time in pipeline-resources.x.yaml:12" in message


def programs(folder: Path) -> list[int]:
    """Find the programs of the jobs of a batch, without their forks."""
    found = {
        process.pid: process.ppid()
        for process in services.marked(os.environ[services.MARK])
        if "cyto.runners.batch" in " ".join(process.cmdline()) and str(folder) in process.cmdline()
    }
    return [pid for pid, parent in found.items() if parent not in found]


def test_a_job_that_is_lost_without_a_word(desk: Desk) -> None:
    followed = desk.submit([SLEEP, OK], per=2)
    assert followed.runs()
    layout = BatchLayout(followed.submission.folder)
    layout.log(0).write_text("the last that it said\n", encoding="utf-8")
    (pid,) = programs(layout.folder)
    os.kill(pid, signal.SIGKILL)
    ends = followed.end()
    assert [ends[0, i].result.reason for i in range(2)] == ["lost", "lost"]
    message = ends[0, 0].result.message
    for part in (f"job {followed.submission.job}", "ended without a word", "the last that it said"):
        assert part in message


# ------------------------------------------------------------------ the driver is lost


DRIVER = """
import os, sys, signal, time
sys.path[:0] = {path!r}
from pathlib import Path
from test_slurm_launcher import Desk, OK, SLEEP
from cyto.runners import slurm
if {where!r} == "before the number is written":
    slurm.Slurm._written = lambda *_: os.kill(os.getpid(), signal.SIGKILL)
elif {where!r} == "before sbatch":
    slurm.Commands.submit = lambda *_: os.kill(os.getpid(), signal.SIGKILL)
desk = Desk(Path({folder!r}))
desk.submit([OK, SLEEP, OK], folder=Path({folder!r}))
time.sleep(2)
os.kill(os.getpid(), signal.SIGKILL)
"""


def lose_driver(desk: Desk, where: str) -> Path:
    """Let another process submit, and be killed; give the batch's folder."""
    here = Path(__file__).parent
    path = [str(here), str(here.parent), str(here.parent / "contract")]
    code = DRIVER.format(path=path, where=where, folder=str(desk.folder / "lost"))
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert done.returncode == -signal.SIGKILL, done.stderr
    return desk.folder / "lost" / "batch"


@pytest.mark.parametrize("where", ["later", "before the number is written"])
def test_a_driver_that_was_killed_is_taken_up_by_another(desk: Desk, where: str) -> None:
    folder = lose_driver(desk, where)
    state = read_json(BatchLayout(folder).submission)["state"]
    assert state == ("submitted" if where == "later" else "submitting")
    submission = desk.slurm.adopt(folder)
    assert submission is not None
    assert slurm_says("squeue", "-h", "-j", submission.job, "-o", "%j") != ""
    followed = desk.follow(submission)
    assert services.until(lambda: len(followed.reports) == 2, within_s=60)
    desk.slurm.cancel(submission)
    assert followed.reasons() == ["", "cancelled", ""]


def test_what_never_was_submitted_is_not_taken_up_and_would_end_at_once(desk: Desk) -> None:
    folder = lose_driver(desk, "before sbatch")
    assert desk.slurm.adopt(folder) is None
    assert desk.slurm.adopt(desk.folder / "nothing here") is None
    layout = BatchLayout(folder)
    late = slurm_says("sbatch", "--parsable", "--wait", str(layout.script))
    assert late.isdigit()
    assert list(layout.progress.iterdir()) == []
    assert "nobody waits for this any more" in layout.log(0).read_text(encoding="utf-8")


def test_what_has_ended_is_told_though_slurm_no_longer_knows_it(desk: Desk) -> None:
    first = desk.submit([OK, ("Ends", {"how": "exception"})])
    first.end()
    layout = BatchLayout(first.submission.folder)
    facts = read_json(layout.submission)
    write_whole(layout.submission, {"state": "submitting", "name": facts["name"] + "-forgotten"})
    again = desk.slurm.adopt(layout.folder)
    assert again is not None
    assert again.job == first.submission.job, "the elements' own words name it"
    assert desk.follow(again).reasons() == ["", "exception"]


# ----------------------------------------------------------------- the controller is lost


@contextlib.contextmanager
def stopped_controller() -> Iterator[None]:
    """Stop the controller for ten seconds; it goes on whatever happens."""
    config = slurm_says("scontrol", "show", "config")
    line = next(one for one in config.splitlines() if one.startswith("SlurmctldPidFile"))
    try:
        pid = int(Path(line.partition("=")[2].strip()).read_text())
        os.kill(pid, 0)
    except (OSError, ValueError) as error:
        pytest.skip(f"the controller cannot be stopped from here: {error}")
    os.kill(pid, signal.SIGSTOP)
    started = time.monotonic()
    try:
        yield
        time.sleep(max(0.0, started + 10 - time.monotonic()))
    finally:
        os.kill(pid, signal.SIGCONT)


def test_a_controller_that_is_silent_for_ten_seconds(desk: Desk) -> None:
    followed = desk.submit([("Ends", {"how": "sleep"}), OK, SLEEP, OK], per=2)
    assert followed.runs()
    late: list[Followed] = []
    with stopped_controller():
        thread = threading.Thread(target=lambda: late.append(desk.submit([OK])))
        thread.start()
        time.sleep(5)
        assert followed.reports == [], "silence is no end"
    thread.join(120)
    assert late[0].reasons() == [""], "a submission waits for the controller"
    name = late[0].submission.name
    assert slurm_says("squeue", "-h", "-t", "all", "--name", name, "-o", "%F") == (
        late[0].submission.job
    ), "it was submitted once"
    desk.slurm.cancel(followed.submission)
    assert followed.reasons() == ["cancelled"] * 4


# ------------------------------------------------------------------------- refusals


@pytest.mark.parametrize(
    ("options", "resources", "words", "hint"),
    [
        ({"partition": "nowhere"}, SMALL, "Invalid partition name specified", "'sinfo' lists"),
        ({}, replace(SMALL, memory_bytes=1 << 50), "Memory specification", "ask for less"),
        ({}, replace(SMALL, gpus=3), "Requested node configuration", "ask for less"),
        ({"nodelist": "n99"}, SMALL, "Invalid node name", "leave nodelist"),
        ({"constraint": "gold"}, SMALL, "Invalid feature", "constraint"),
        ({"gres": "tpu:1"}, SMALL, "Invalid generic resource", "sinfo -o %G"),
        ({"no-such-option": "1"}, SMALL, "unrecognized option", "no such option"),
    ],
)
def test_a_refusal_keeps_slurms_words(
    desk: Desk, options: dict[str, str], resources: Resources, words: str, hint: str
) -> None:
    batch = desk.batch([OK], options=options, resources=resources)
    with pytest.raises(SubmissionError) as caught:
        desk.slurm.submit(batch)
    assert caught.value.message.startswith("pipeline-resources.x.yaml:12: Slurm refused the job: ")
    assert words in caught.value.message
    assert hint in caught.value.hint
    assert desk.slurm.adopt(batch.folder) is None


def test_check_names_the_nearest_partition(desk: Desk) -> None:
    placement = Placement(launcher_options=(("partition", "shrot"),), source="r.yaml:3")
    with pytest.raises(UnavailableError) as caught:
        desk.slurm.check(placement)
    assert "r.yaml:3: Slurm has no partition 'shrot'" in caught.value.message
    assert "'short'" in caught.value.hint
    desk.slurm.check(replace(placement, launcher_options=(("partition", "short"),)))


def test_check_without_slurm(desk: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", "/nowhere")
    with pytest.raises(UnavailableError, match="no program 'sbatch' on the PATH"):
        desk.slurm.check(Placement())


def test_the_clusters_limit_of_an_array(desk: Desk) -> None:
    limit = desk.slurm.max_elements()
    config = slurm_says("scontrol", "show", "config").replace(" ", "")
    assert f"MaxArraySize={limit}\n" in config
    sizes = {len(element) for element in packed(range(3 * limit + 1), limit)}
    assert sizes == {3, 4}
    assert len(packed(range(3 * limit + 1), limit)) == limit


# --------------------------------------------------------------------------- paths


@pytest.mark.parametrize("name", [*HOSTILE.values(), "%j %% %a\\%A"], ids=[*HOSTILE, "percent"])
def test_hostile_paths(desk: Desk, name: str) -> None:
    followed = desk.submit([OK, OK], folder=desk.folder / name.replace("/", "_"))
    assert followed.reasons() == ["", ""]
    layout = BatchLayout(followed.submission.folder)
    assert sorted(path.name for path in layout.logs.iterdir()) == ["0.txt", "1.txt"]


def test_the_script_can_be_submitted_again_by_hand(desk: Desk) -> None:
    followed = desk.submit([OK, OK], folder=desk.folder / "it's a\nhostile %j")
    followed.end()
    layout = BatchLayout(followed.submission.folder)
    for result in layout.folder.parent.glob("jobs/*/result.json"):
        result.unlink()
    plain = {name: os.environ[name] for name in ("PATH", "HOME", services.MARK)}
    subprocess.run([SBATCH, "--wait", str(layout.script)], cwd="/", env=plain, check=True)
    assert len(list(layout.folder.parent.glob("jobs/*/result.json"))) == 2


# ---------------------------------------------------------------------- environments


@pytest.mark.apptainer
def test_apptainer_in_the_job(desk: Desk) -> None:
    image = services.image("tasks-sif")
    asks: list[Ask] = [("Surroundings", {}), ("Ends", {"how": "exception"})]
    ends = desk.submit(asks, per=2, environment="apptainer", image=image).end()
    assert [ends[0, i].result.reason for i in range(2)] == ["", "exception"]
    assert value(ends[0, 0])["home"] == "/cyto/code"


@pytest.mark.docker
def test_docker_in_the_job(desk: Desk) -> None:
    asks: list[Ask] = [("Surroundings", {}), ("Ends", {"how": "exit", "code": 3}), OK]
    ends = desk.submit(asks, per=3, environment="docker", image=services.image("tasks")).end()
    assert [ends[0, i].result.reason for i in range(3)] == ["", "exit", ""]
    assert value(ends[0, 0])["home"] == "/cyto/code"


@pytest.mark.parametrize("image", ["gone.sif", "docker://x"])
def test_a_node_without_what_the_environment_needs_says_so(desk: Desk, image: str) -> None:
    ends = desk.submit([OK, OK], per=2, environment="apptainer", image=image).end()
    assert [ends[0, i].result.reason for i in range(2)] == ["lost", "lost"]
    assert f"node {ends[0, 0].node}: " in ends[0, 0].result.message
    assert image in ends[0, 0].result.message


def test_a_gpu_of_slurms(desk: Desk) -> None:
    asks: list[Ask] = [("Surroundings", {})]
    with_gpu = desk.submit(asks, options={"gres": "gpu:1"})
    without = desk.submit(asks)
    seen = [value(one.end()[0, 0]) for one in (with_gpu, without)]
    assert [one["env"]["CUDA_VISIBLE_DEVICES"] for one in seen] == ["0", ""]


# ---------------------------------------------------------------------------- the probe


def test_the_probe_sees_the_node_and_leaves_nothing(desk: Desk) -> None:
    desk.folder.joinpath("it's here").mkdir()
    seen = probe("short", folder=desk.folder / "it's here", options={"nodelist": "n2", "mem": "50"})
    assert (seen.fault, seen.node) == ("", "n2")
    assert seen.python == sys.version.split()[0]
    assert set(seen.environments) == {"apptainer", "docker", "podman"}
    assert list((desk.folder / "it's here").iterdir()) == []


@pytest.mark.parametrize(
    ("options", "fault"),
    [
        ({"begin": "now+1hour"}, "gave no answer within 3 s: waits in the queue: BeginTime"),
        ({"constraint": "gold"}, "Invalid feature specification"),
    ],
)
def test_a_probe_that_gets_no_answer_says_why(
    desk: Desk, options: dict[str, str], fault: str
) -> None:
    seen = probe("", folder=desk.folder, options=options, limit_s=3)
    assert fault in seen.fault
    assert list(desk.folder.iterdir()) == []
    assert slurm_says("squeue", "-h", "--name=cyto-probe", "-o", "%T%r") in {"", "CANCELLEDNone"}


def test_doctor_looks_at_a_compute_node(cyto: services.Cyto) -> None:
    services.require("slurm")
    run = cyto("doctor", "--slurm", "--partition", "short", "--option", "mem=50", "--json")
    assert run.code == 0, run.said
    found = {finding["name"]: finding for finding in json.loads(run.out)}
    first = next(iter(found.values()))
    assert first["name"].startswith("partition short, node n")
    assert "sees this folder" in first["text"]
    assert any(name.endswith(", apptainer") for name in found)
    lost = cyto("doctor", "--slurm", "--partition", "shrot")
    assert lost.code == 3
    assert "did you mean 'short'?" in lost.said
