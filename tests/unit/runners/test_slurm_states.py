"""What is concluded from files and from Slurm's words, without a Slurm."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from cyto.core.layout import BatchLayout, JobLayout
from cyto.core.placement import Bind, Placement, Resources
from cyto.core.request import TaskRequest, TaskResult
from cyto.runners.batch import Told, spec_here
from cyto.runners.batch_files import read_plan, read_requests, write_plan
from cyto.runners.environment import get_environment
from cyto.runners.slurm_commands import UNKNOWN, JobState, surroundings
from cyto.runners.slurm_endings import ending_of, waiting
from cyto.runners.slurm_watch import Report, Submission, Watched
from cyto.runners.worker import worker_spec

PLACEMENT = Placement(
    launcher="slurm",
    image="x",
    python=("pixi", "run", "python"),
    packages=("a",),
    binds=(Bind("/a", "/b", writable=True),),
    env=(("A", "1"),),
    resources=Resources(cpus=2, memory_bytes=1 << 30, walltime_s=600),
    launcher_options=(("partition", "short"),),
    node_selector=(("a", "b"),),
    source="res.yaml:7",
)


class Cluster:
    """One submission whose files are written here, as its jobs would."""

    def __init__(self, folder: Path, counts: list[int]) -> None:
        self.layout = BatchLayout(folder / "batch")
        self.layout.make()
        self.jobs = folder / "jobs"
        self.elements = [[self._request(e, i) for i in range(n)] for e, n in enumerate(counts)]
        spec = worker_spec(name="w", placement=PLACEMENT, jobs=self.jobs)
        write_plan(self.layout, spec, get_environment("baremetal"), self.elements)
        submission = Submission(folder=self.layout.folder, name="n", job="20", counts=tuple(counts))
        self.reports: list[Report] = []
        self.texts: list[str] = []
        self.watched = Watched(
            submission, self.reports.append, lambda _, text: self.texts.append(text)
        )

    def _request(self, element: int, index: int) -> TaskRequest:
        folder = self.jobs / f"{element}-{index}"
        folder.mkdir(parents=True)
        return TaskRequest(task="a.B", folder=str(folder), node=f"é{element}")

    def start(self, element: int, node: str = "n1") -> None:
        facts = {"host": "h", "node": node, "job": "21", "array": "20"}
        Told(self.layout.told(element)).line(started=facts)

    def answer(self, element: int, index: int, reason: str = "") -> None:
        result = TaskResult(reason=reason).to_json()
        Told(self.layout.told(element)).line(result=result, index=index)

    def end(self, element: int, number: int = 0, **more: str) -> None:
        Told(self.layout.told(element)).line(ended=number, **more)

    def says(self, grace_s: float = 0.0, **states: JobState) -> list[str]:
        """Let Slurm speak, and conclude; give what it is asked for again."""
        self.watched.read()
        named = {f"20_{key[1:]}" if key != "job" else "20": s for key, s in states.items()}
        missing = list(self.watched.learn(named))
        self.watched.conclude(grace_s)
        return missing

    @property
    def told(self) -> list[tuple[int, int, str, bool]]:
        return [(r.element, r.index, r.result.reason, r.begun) for r in self.reports]


@pytest.fixture
def cluster(tmp_path: Path) -> Cluster:
    return Cluster(tmp_path, [2, 2])


RUNS = JobState(state="RUNNING", node="n1")


def test_each_request_is_told_once_as_its_line_appears(cluster: Cluster) -> None:
    assert not cluster.watched.read()
    cluster.start(0)
    cluster.answer(0, 0, "exception")
    assert cluster.watched.read()
    assert not cluster.watched.read()
    assert cluster.told == [(0, 0, "exception", True)]
    assert (cluster.reports[0].job, cluster.reports[0].node) == ("20_0", "n1")
    cluster.answer(0, 1)
    cluster.end(0)
    cluster.start(1)
    cluster.answer(1, 0)
    cluster.watched.read()
    assert not cluster.watched.over
    cluster.answer(1, 1)
    cluster.watched.read()
    assert [one[:2] for one in cluster.told] == [(0, 0), (0, 1), (1, 0), (1, 1)]
    assert cluster.watched.over


def test_half_a_line_is_no_answer(cluster: Cluster) -> None:
    cluster.start(0)
    line = json.dumps({"result": TaskResult().to_json(), "index": 0}).encode()
    with open(cluster.layout.told(0), "ab") as file:
        file.write(line[:40])
        file.flush()
        cluster.watched.read()
        assert cluster.told == []
        file.write(line[40:] + b"\n")
    cluster.watched.read()
    assert cluster.told == [(0, 0, "", True)]


def test_an_element_that_started_again_tells_nothing_twice(cluster: Cluster) -> None:
    cluster.start(0)
    cluster.answer(0, 0)
    cluster.end(0, 15)
    cluster.start(0, "n2")
    assert Told(cluster.layout.told(0)).answered() == 1
    cluster.answer(0, 0)
    cluster.answer(0, 1)
    cluster.watched.read()
    assert [one[:2] for one in cluster.told] == [(0, 0), (0, 1)]


ENDS = [
    ("OUT_OF_MEMORY", "memory", "memory limit of 1 GiB"),
    ("TIMEOUT", "timeout", "time limit of its job (20 min 0 s)"),
    ("DEADLINE", "timeout", "raise resources.time in res.yaml:7"),
    ("NODE_FAIL", "node", "node n1 failed"),
    ("BOOT_FAIL", "node", "may be tried again"),
    ("PREEMPTED", "preempted", "one of higher priority"),
    ("CANCELLED", "cancelled", "by somebody else, not by this run"),
    ("REVOKED", "cancelled", "by somebody else"),
    ("FAILED", "lost", "Slurm says FAILED"),
    ("COMPLETED", "lost", "ended without a word"),
]


@pytest.mark.parametrize(("state", "reason", "text"), ENDS)
def test_slurms_word_becomes_the_result_of_what_ran_and_of_what_did_not_get_its_turn(
    cluster: Cluster, state: str, reason: str, text: str
) -> None:
    cluster.start(0)
    cluster.says(_0=JobState(state=state, node="n1"), _1=RUNS)
    assert cluster.told == [(0, 0, reason, True), (0, 1, reason, False)]
    assert text in cluster.reports[0].result.message
    assert "20_0" in cluster.reports[0].result.message
    assert "did not get its turn" in cluster.reports[1].result.message
    written = JobLayout(cluster.jobs / "0-0").result.read_text(encoding="utf-8")
    assert TaskResult.from_json(json.loads(written)) == cluster.reports[0].result


def test_files_have_time_to_appear_after_the_end(cluster: Cluster) -> None:
    cluster.start(0)
    done = JobState(state="COMPLETED", node="n1")
    cluster.says(60.0, _0=done, _1=RUNS)
    assert cluster.told == []
    cluster.answer(0, 0)
    cluster.says(60.0, _0=done, _1=RUNS)
    assert cluster.told == [(0, 0, "", True)]
    cluster.says(0.0, _0=done, _1=RUNS)
    assert cluster.told[1:] == [(0, 1, "lost", True)]


def test_a_last_word_ends_the_waiting_but_only_slurm_says_why(cluster: Cluster) -> None:
    cluster.start(0)
    cluster.end(0, 15)
    cluster.says(60.0, _0=RUNS, _1=RUNS)
    assert cluster.told == []
    assert cluster.watched.asks
    cluster.says(60.0, _0=JobState(state="TIMEOUT", node="n1"), _1=RUNS)
    assert cluster.told == [(0, 0, "timeout", True), (0, 1, "timeout", False)]
    assert not cluster.watched.asks


def test_a_job_cancelled_in_the_queue_never_ran(cluster: Cluster) -> None:
    cluster.says(60.0, _0=JobState(state="CANCELLED"), _1=RUNS)
    assert cluster.told == [(0, 0, "cancelled", False), (0, 1, "cancelled", False)]


def test_what_we_cancel_was_stopped(cluster: Cluster) -> None:
    cluster.watched.cancelled = True
    cluster.start(0)
    cluster.end(0, 15)
    cluster.says(60.0, _0=RUNS, _1=JobState(state="CANCELLED"))
    assert [r.result.message.split(": ")[-1] for r in cluster.reports] == ["was stopped"] * 4
    assert cluster.watched.over


def test_a_job_that_the_queue_misses_is_asked_for_before_it_is_lost(cluster: Cluster) -> None:
    cluster.start(0)
    assert cluster.says(_1=RUNS) == []
    assert cluster.says(_1=RUNS) == ["20_0"]
    assert cluster.told == []
    cluster.watched.learn_fate("20_0", UNKNOWN)
    cluster.watched.conclude(0.0)
    assert [one[2] for one in cluster.told] == ["lost", "lost"]
    assert "Slurm no longer knows it" in cluster.reports[0].result.message


def test_what_slurm_said_once_is_not_forgotten_with_the_job(cluster: Cluster) -> None:
    cluster.start(0)
    assert cluster.says(60.0, _0=JobState(state="TIMEOUT", node="n1"), _1=RUNS) == ["20_0"]
    cluster.watched.learn_fate("20_0", UNKNOWN)
    cluster.watched.conclude(0.0)
    assert [one[2] for one in cluster.told] == ["timeout", "timeout"]


def test_a_lost_job_explains_itself_with_the_tail_of_its_log(cluster: Cluster) -> None:
    cluster.start(0)
    cluster.layout.log(0).write_text("\n".join(f"line {i}" for i in range(20)), encoding="utf-8")
    state = JobState(state="FAILED", node="n3", code="0:9", reason="JobLaunchFailure")
    assert cluster.says(60.0, _0=state, _1=RUNS) == ["20_0"]
    cluster.watched.conclude(0.0)
    message = cluster.reports[0].result.message
    for part in ("job 20_0 on n3", "FAILED, JobLaunchFailure, exit code 0:9", "line 19", "0.txt"):
        assert part in message
    assert "line 2\n" not in message


def test_a_fault_of_our_own_program_is_told_without_slurm(cluster: Cluster) -> None:
    cluster.start(1)
    cluster.end(1, 0, fault="OSError: disk full")
    cluster.watched.read()
    cluster.watched.conclude(60.0)
    assert "OSError: disk full" in cluster.reports[0].result.message


def test_a_job_that_slurm_starts_again_is_not_over(cluster: Cluster) -> None:
    cluster.start(0)
    cluster.end(0, 15)
    cluster.says(0.0, _0=JobState(state="PENDING", reason="BeginTime"), _1=RUNS)
    assert cluster.told == []


def test_waiting_is_said_when_it_changes(cluster: Cluster) -> None:
    waits = JobState(state="PENDING", reason="Resources")
    cluster.says(_0=waits, _1=waits)
    cluster.says(_0=waits, _1=waits)
    cluster.says(_0=RUNS, _1=waits)
    cluster.says(_0=RUNS, _1=JobState(state="PENDING", reason="JobHeldUser"))
    cluster.says(_0=RUNS, _1=RUNS)
    held = "JobHeldUser (somebody holds it; free it with: scontrol release 20_1)"
    assert cluster.texts == [
        "waits in the queue: Resources",
        "1 of 2 wait in the queue: Resources; runs on n1",
        f"1 of 2 wait in the queue: {held}; runs on n1",
        "runs on n1",
    ]
    assert waiting([]) == ""


def test_limits_are_named_where_they_were_written() -> None:
    for options, limit in [
        ((("time", "90"),), "(90 min)"),
        ((("time", "1-00:00:00"),), "(1-00:00:00)"),
        ((), "which is the partition's own"),
    ]:
        placement = Placement(launcher_options=options, source="r.yaml:3")
        ending = ending_of(
            JobState(state="TIMEOUT"), job="7", placement=placement, requests=1, log=Path("x")
        )
        assert limit in ending.message


def test_the_plan_comes_back_as_it_was(cluster: Cluster) -> None:
    plan = read_plan(cluster.layout)
    assert plan.spec.placement == PLACEMENT
    assert plan.spec == worker_spec(name="w", placement=PLACEMENT, jobs=cluster.jobs)
    assert read_requests(cluster.layout, plan, 1) == cluster.elements[1]


@pytest.mark.parametrize(
    ("variables", "gpus"),
    [
        ({}, ()),
        ({"CUDA_VISIBLE_DEVICES": "0"}, ()),
        ({"SLURM_JOB_GPUS": "1,3", "CUDA_VISIBLE_DEVICES": "1,3"}, ("1", "3")),
        ({"SLURM_GPUS_ON_NODE": "1", "CUDA_VISIBLE_DEVICES": "GPU-ab"}, ("GPU-ab",)),
    ],
)
def test_a_worker_gets_the_gpus_that_slurm_gave(variables, gpus) -> None:
    spec = worker_spec(name="w", placement=PLACEMENT, jobs=Path("/j"), gpu_ids=("7",))
    made = spec_here(spec, 4, "/tmp/s", {"SLURM_JOB_ID": "9", **variables})
    assert (made.gpu_ids, made.name, made.scratch) == (gpus, "w-4-9", "/tmp/s")


def test_what_would_change_an_answer_is_kept_from_slurms_programs() -> None:
    given = {
        "PATH": "/bin", "SLURM_CONF": "/c", "SLURM_JOB_ID": "1", "SQUEUE_FORMAT": "%i",
        "SBATCH_ARRAY_INX": "1-9", "SBATCH_ACCOUNT": "a", "SBATCH_PARTITION": "p",
        "SBATCH_TIMELIMIT": "5", "CUDA_VISIBLE_DEVICES": "0", "APPTAINER_CACHEDIR": "/k",
    }  # fmt: skip
    kept = surroundings({"partition": "x", "time": "9"}, given)
    assert sorted(kept) == ["APPTAINER_CACHEDIR", "PATH", "SBATCH_ACCOUNT", "SLURM_CONF"]
