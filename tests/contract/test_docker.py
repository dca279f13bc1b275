from __future__ import annotations

import os

import pytest
import services_support as services
from bench import Bench
from environment_contract import EnvironmentContract

pytestmark = pytest.mark.docker


class TestDocker(EnvironmentContract):
    runner = "docker"
    keeps_limit_of_pids = True

    @classmethod
    def find_image(cls) -> str:
        return services.image("tasks")

    @pytest.mark.skipif(os.getuid() != 0, reason="only root can stand in for another user")
    def test_files_belong_to_any_caller(self, bench: Bench) -> None:
        jobs = bench.folder / "jobs"
        user = (12345, 23456)
        with bench.worker(jobs=jobs, user=user) as worker:
            # what a driver of that user would have made, and owned
            job, scratch = jobs / "job", jobs / ".scratch" / worker.spec.name / "tmp"
            for folder in (jobs, job, scratch):
                folder.mkdir(parents=True, exist_ok=True)
                os.chown(folder, *user)
            done = bench.ask(worker, "Surroundings", name="job")
        assert done.value["user"] == [*user, *user]
        assert (done.job.result.stat().st_uid, done.job.result.stat().st_gid) == user

    def test_an_image_without_cyto_and_without_libraries(self, bench: Bench) -> None:
        base = services.image("base")
        assert bench.run("Echo", inputs={"a": [1]}, image=base).values == {"a": [1]}
        done = bench.run("Imports", {"library": "numpy"}, image=base)
        assert "no library 'numpy'" in done.result.message
