"""Whole runs on a real four-node Slurm."""

from __future__ import annotations

import json
import shutil
import signal
import subprocess
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import services_support as services
import tifffile

from cyto.core.layout import JobLayout
from cyto.engine.runs import find_run
from cyto.engine.view import read_view

pytestmark = pytest.mark.slurm

FRAMES = 6


class Cluster:
    """A project whose pipeline runs on Slurm."""

    def __init__(self, cyto: services.Cyto) -> None:
        self.cyto, self.folder = cyto, cyto.folder
        shutil.copy(Path(__file__).parent / "cluster_tasks.py", self.folder)
        pixels = np.random.default_rng(0).integers(0, 99, (FRAMES, 16, 12)).astype(np.uint16)
        tifffile.imwrite(self.folder / "m.tif", pixels, metadata={"axes": "TYX"})

    def entry(self, **resources: Any) -> dict[str, Any]:
        """Give an entry of the resources file, with the mark of the test."""
        env = {services.MARK: self.cyto.mark}
        return {"launcher": "slurm", "env": env, "resources": {"mem": "300M", **resources}}

    def write(self, size: int = 1, **resources: Any) -> Path:
        """Write a pipeline of one framewise node, and one that reads it."""
        tasks = {
            "bright": {"module": "cluster_tasks.Bright", "output": True},
            "region": {
                "module": "cyto.tabulation.regions.RegionFeatures",
                "inputs": {"label": "bright"},
            },
        }
        pipeline = {"channels": {"cell": "m.tif"}, "tasks": tasks}
        return self.cyto.write(pipeline, bright=self.entry(batch_size=size, **resources))

    def numbers(self, count: int, **entry: Any) -> Path:
        """Write a pipeline of many short nodes and one that adds to the last."""
        tasks: dict[str, Any] = {
            f"n{i}": {
                "module": "cluster_tasks.Number",
                "params": {"number": i},
                "tags": ["short"],
                "inputs": {},
            }
            for i in range(count)
        }
        more = {"inputs": {"value": f"n{count - 1}"}, "output": True}
        tasks["last"] = {"module": "cluster_tasks.Number", "params": {"number": 100}, **more}
        entries = {"tag:short": {**self.entry(), **entry}}
        return self.cyto.write({"tasks": tasks}, **entries)

    def ran(self) -> list[str]:
        """List what ran, in order."""
        path = self.folder / "ran.txt"
        return [line.split()[0] for line in path.read_text().splitlines()] if path.exists() else []

    def jobs(self) -> set[str]:
        """Give the numbers of the jobs in which something ran."""
        lines = (self.folder / "ran.txt").read_text().splitlines()
        return {line.split()[1] for line in lines}

    def events(self, name: str) -> list[dict[str, Any]]:
        """Give the events of that name of all runs, in order."""
        records = sorted(self.folder.glob("output/.cyto/runs/*/events.jsonl"))
        lines = [line for path in records for line in path.read_text().splitlines(keepends=True)]
        events = [json.loads(line) for line in lines if line.endswith("\n")]
        return [event for event in events if event["event"] == name]

    def submitted(self) -> str:
        """Wait for the first job; give its number."""
        assert services.until(lambda: self.events("submitted"), within_s=60)
        return str(self.events("submitted")[0]["job"])

    def label(self) -> np.ndarray:
        """Read the exported movie."""
        return tifffile.imread(self.folder / "output" / "bright" / "label.ome.tif")


@pytest.fixture
def cluster(cyto: services.Cyto) -> Cluster:
    services.require("slurm")
    return Cluster(cyto)


def slurm(*args: str) -> str:
    done = subprocess.run(list(args), capture_output=True, text=True, check=False)
    return done.stdout + done.stderr


def in_queue(job: str) -> str:
    return slurm("squeue", "-h", "-r", "-j", job, "-o", "%i %T")


def test_an_array_gives_what_one_process_gives(cluster: Cluster) -> None:
    pipeline = cluster.write(size=2)
    done = cluster.cyto("run", pipeline)
    assert done.code == 0, done.err
    (job,) = {event["job"] for event in cluster.events("submitted")}
    assert f"submitted as job {job}, an array of 3" in done.said
    there = cluster.label()
    assert len(cluster.jobs()) == 3
    assert cluster.cyto("run", pipeline, "--profile", "local", "-o", "here").code == 0
    here = tifffile.imread(cluster.folder / "here" / "bright" / "label.ome.tif")
    np.testing.assert_array_equal(there, here)
    again = cluster.cyto("run", pipeline)
    assert "Nothing was left to do" in again.said


@pytest.mark.parametrize("kind", ["chunks", "whole"])
def test_the_report_tells_where_and_when_it_ran(cluster: Cluster, kind: str) -> None:
    pipeline = cluster.write(size=2) if kind == "chunks" else cluster.numbers(2)
    name, spans = ("bright", 3) if kind == "chunks" else ("n1", 1)
    done = cluster.cyto("run", pipeline)
    assert done.code == 0, done.err
    view = read_view(find_run(str(cluster.folder / "output")))
    assert len(view.nodes[name].spans) == spans
    for span in view.nodes[name].spans:
        assert span.host in {"n1", "n2", "n3", "n4"}
        assert span.end is not None
        assert view.started["time"] < span.begin <= span.end < view.finished["time"]
        assert JobLayout(Path(span.job)).command.exists()
    assert (cluster.folder / "output/report.html").exists()


def test_one_element_fails_and_only_it_is_done_again(cluster: Cluster) -> None:
    (cluster.folder / "fail3").touch()
    pipeline = cluster.write()
    done = cluster.cyto("run", pipeline)
    assert done.code == 1
    assert "bright: failed: frame 3: RuntimeError: no luck at 3" in done.said
    assert "region: skipped" in done.said
    assert sorted(cluster.ran()) == [f"bright{i}" for i in range(FRAMES)]
    assert "no luck at 3" in (cluster.folder / "output/logs/bright.log").read_text()
    (cluster.folder / "fail3").unlink()
    assert cluster.cyto("run", pipeline).code == 0
    assert cluster.ran()[FRAMES:] == ["bright3"]


def test_somebody_cancels_an_element(cluster: Cluster) -> None:
    (cluster.folder / "hold4").touch()
    with cluster.cyto.start("run", cluster.write()) as run:
        job = cluster.submitted()
        assert services.until(lambda: "bright4" in cluster.ran())
        slurm("scancel", f"{job}_4")
        assert run.end() == 1
        assert "frame 4:" in run.said
        assert "cancelled" in run.said
    assert len(cluster.ran()) == FRAMES, "what was cancelled by somebody is not tried again"


def test_a_node_goes_down_in_the_middle(cluster: Cluster) -> None:
    (cluster.folder / "hold2").touch()
    try:
        with cluster.cyto.start("run", cluster.write(nodelist="n4")) as run:
            assert services.until(lambda: "bright2" in cluster.ran(), within_s=60)
            slurm("scontrol", "update", "nodename=n4", "state=down", "reason=test")
            assert services.until(lambda: cluster.events("chunk_finished"), within_s=60)
            slurm("scontrol", "update", "nodename=n4", "state=resume")
            (cluster.folder / "hold2").unlink()
            assert run.process.wait(120) == 0, run.said
            assert "attempt 1:" in run.said
    finally:
        slurm("scontrol", "update", "nodename=n4", "state=resume")
    assert cluster.ran().count("bright2") == 2


def test_a_job_over_its_memory(cluster: Cluster) -> None:
    tasks = {"hungry": {"module": "cluster_tasks.Hungry"}}
    done = cluster.cyto("run", cluster.cyto.write({"tasks": tasks}, hungry=cluster.entry()))
    assert done.code == 1
    assert "exceeded its memory limit of 300 MiB" in done.said
    assert "pipeline-resources.x.yaml:" in done.said


def test_a_killed_driver_is_taken_up_by_wait(cluster: Cluster) -> None:
    (cluster.folder / "hold").touch()
    with cluster.cyto.start("run", cluster.write(size=2)) as run:
        cluster.submitted()
        assert services.until(lambda: len(cluster.ran()) == 3, within_s=60)
        run.process.kill()
        run.process.wait()
    status = cluster.cyto("status")
    assert status.code == 3
    assert "has lost its driver" in status.said
    (cluster.folder / "hold").unlink()
    done = cluster.cyto("wait")
    assert done.code == 0, done.err
    assert "goes on with job" in done.said
    assert sorted(cluster.ran()) == ["bright0", "bright2", "bright4"], "nothing was run twice"
    assert cluster.cyto("status").code == 0


def test_what_ended_while_there_was_no_driver_is_taken_in(cluster: Cluster) -> None:
    (cluster.folder / "hold").touch()
    pipeline = cluster.write(size=3)
    with cluster.cyto.start("run", pipeline) as run:
        job = cluster.submitted()
        run.process.kill()
        run.process.wait()
    (cluster.folder / "hold").unlink()
    assert services.until(lambda: not in_queue(job).strip(), within_s=60)
    assert cluster.cyto("run", pipeline).code == 0
    assert len(cluster.ran()) == 2


def test_the_controller_is_away_for_ten_seconds(cluster: Cluster) -> None:
    (cluster.folder / "hold").touch()
    pid = int(Path("/var/spool/cyto-slurm/slurmctld.pid").read_text())
    with cluster.cyto.start("run", cluster.write(size=3)) as run:
        cluster.submitted()
        assert services.until(lambda: len(cluster.ran()) == 2, within_s=60)
        services.suspended(pid, 10.0, (cluster.folder / "hold").unlink)
        assert run.end() == 0, run.said
    assert len(cluster.ran()) == 2


def test_control_c_cancels_the_jobs(cluster: Cluster) -> None:
    (cluster.folder / "hold").touch()
    with cluster.cyto.start("run", cluster.write()) as run:
        job = cluster.submitted()
        assert services.until(cluster.ran, within_s=60)
        run.process.send_signal(signal.SIGINT)
        assert run.end() == 130
    assert services.until(lambda: not in_queue(job).strip(), within_s=20)
    assert list((cluster.folder / "output/.cyto/submissions").glob("*")) == []


def test_detached_seen_and_cancelled_from_another_shell(cluster: Cluster) -> None:
    (cluster.folder / "hold").touch()
    started = cluster.cyto("run", cluster.write(), "--detach")
    assert started.code == 0, started.err
    job = cluster.submitted()
    seen = json.loads(cluster.cyto("status", "--json").out)
    assert seen["state"] == "running"
    assert seen["nodes"]["bright"]["jobs"] == [job]
    assert cluster.cyto("cancel").code == 0
    assert services.until(lambda: not in_queue(job).strip(), within_s=20)
    assert cluster.cyto("wait").code == 130
    assert cluster.cyto("status").code == 130


def test_cancel_of_a_run_that_lost_its_driver(cluster: Cluster) -> None:
    (cluster.folder / "hold").touch()
    with cluster.cyto.start("run", cluster.write()) as run:
        job = cluster.submitted()
        run.process.kill()
        run.process.wait()
    assert "1 submissions were cancelled" in cluster.cyto("cancel").said
    assert services.until(lambda: not in_queue(job).strip(), within_s=20)
    assert cluster.cyto("status").code == 130


def test_short_nodes_share_a_job(cluster: Cluster) -> None:
    done = cluster.cyto("run", cluster.numbers(12, group=True))
    assert done.code == 0, done.err
    assert len(cluster.jobs()) == 2, "one for all that are short; the last ran here"
    assert "n11 and 11 more: submitted as job" in done.said, "the longest path first"
    assert json.loads((cluster.folder / "output/last/value.json").read_text()) == 111


def test_so_many_nodes_to_a_job(cluster: Cluster) -> None:
    assert cluster.cyto("run", cluster.numbers(6, group=2)).code == 0
    assert len(cluster.jobs()) == 4


def test_slurm_refuses(cluster: Cluster) -> None:
    done = cluster.cyto("run", cluster.write(mem="900G"))
    assert done.code == 1
    assert "Slurm refused the job" in done.said
    assert "Memory specification can not be satisfied" in done.said
    done = cluster.cyto("run", cluster.write(partition="nowhere"))
    assert done.code == 3
    assert "nowhere" in done.said


@pytest.mark.apptainer
def test_the_seeds_cluster_profile_with_an_apptainer_image(cluster: Cluster, movie: Any) -> None:
    tifffile.imwrite(
        cluster.folder / "cancer.tif", movie, metadata={"axes": "TYX"}, photometric="minisblack"
    )
    task = {"module": "cyto.segmentation.watershed.Watershed", "output": True}
    pipeline = {"channels": {"cell": "cancer.tif"}, "tasks": {"bright": task}}
    entry = {
        "type": "container",
        "runner": "singularity",
        "image": services.image("tasks-sif"),
        "resources": {
            "mem": "1G",
            "partition": "short",
            "cpus-per-task": 1,
            "gres": "gpu:1",
            "batch_size": 1,
        },
    }
    path = cluster.cyto.write(pipeline, bright=entry)
    done = cluster.cyto("run", path)
    assert done.code == 0, done.err
    assert cluster.cyto("run", path, "--profile", "local", "-o", "here").code == 0
    here = tifffile.imread(cluster.folder / "here" / "bright" / "label.ome.tif")
    np.testing.assert_array_equal(cluster.label(), here)


def test_hostile_paths(cluster: Cluster) -> None:
    hostile = cluster.folder / "a b'c \"d\n;é%j$HOME"
    hostile.mkdir()
    pipeline = cluster.write(size=3)
    for path in (pipeline, pipeline.with_name("pipeline-resources.x.yaml"),
                 cluster.folder / "m.tif", cluster.folder / "cluster_tasks.py"):  # fmt: skip
        shutil.copy(path, hostile)
    done = cluster.cyto("run", hostile / pipeline.name)
    assert done.code == 0, done.err
    assert (hostile / "output" / "bright" / "label.ome.tif").exists()


@pytest.mark.parametrize("state", ["submitted", "submitting"])
def test_a_shared_job_of_a_lost_driver_is_taken_up_by_all_its_nodes(
    cluster: Cluster, state: str
) -> None:
    (cluster.folder / "hold").touch()
    pipeline = cluster.numbers(8, group=True)
    with cluster.cyto.start("run", pipeline) as run:
        cluster.submitted()
        run.process.kill()
        run.process.wait()
    (facts,) = cluster.folder.glob("output/.cyto/runs/*/batches/*/submission.json")
    data = json.loads(facts.read_text())
    facts.write_text(
        json.dumps({"state": "submitting", "name": data["name"]} if state == "submitting" else data)
    )
    assert cluster.cyto("run", pipeline).code == 0
    numbers = [*range(8), 100]
    assert sorted(cluster.ran()) == sorted(f"number{i}" for i in numbers), "each once"


def test_jobs_that_nobody_wants_any_more_are_cancelled(cluster: Cluster) -> None:
    pipeline = cluster.write(size=3, begin="now+3600")
    with cluster.cyto.start("run", pipeline) as run:
        job = cluster.submitted()
        run.process.kill()
        run.process.wait()
    assert in_queue(job).strip()
    assert cluster.cyto("run", pipeline, "--profile", "local").code == 0
    assert services.until(lambda: not in_queue(job).strip(), within_s=30)
    assert list((cluster.folder / "output/.cyto/submissions").glob("*")) == []
