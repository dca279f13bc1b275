"""What a resources file says for Slurm: defaults of the site, packing, throttling."""

from __future__ import annotations

from pathlib import Path

import pytest

from cyto.config import load_pipeline, load_resources, placements
from cyto.core.placement import Placement
from cyto.errors import ConfigError

PIPELINE = "tasks:\n  seg: {module: a.B}\n"


@pytest.fixture
def placed(tmp_path: Path):
    def placed(entry: str, site: str = "") -> Placement:
        (tmp_path / "pipeline.x.yaml").write_text(PIPELINE)
        text = f"execution_configs:\n  cluster:\n    seg: {entry}\n"
        path = tmp_path / "pipeline-resources.x.yaml"
        path.write_text(text + (f"slurm: {site}\n" if site else ""))
        pipeline = load_pipeline(tmp_path / "pipeline.x.yaml")
        return placements(pipeline, load_resources(path), "cluster")[0]["seg"]

    return placed


def test_the_sites_defaults_fill_up_what_the_entry_leaves_out(placed) -> None:
    site = "{account: lab, partition: long, qos: normal, exclusive: true, cpus: 4}"
    found = placed("{resources: {partition: short, exclusive: false}}", site)
    assert dict(found.launcher_options) == {"account": "lab", "partition": "short", "qos": "normal"}
    assert found.resources.cpus == 4
    assert placed("{launcher: slurm}", site).resources.cpus == 4


def test_another_spelling_of_the_same_amount_wins_too(placed) -> None:
    site = "{mem: 1G, gres: 'gpu:1', cpus-per-task: 2, no-requeue: true}"
    found = placed(
        "{launcher: slurm, resources: {memory: 3Gi, gpu: 2, cpus: 1, requeue: true}}", site
    )
    assert (found.resources.memory_bytes, found.resources.gpus, found.resources.cpus) == (
        3 << 30,
        2,
        1,
    )
    assert dict(found.launcher_options) == {"requeue": ""}


def test_defaults_do_not_make_a_node_run_on_slurm(placed) -> None:
    found = placed("{resources: {cpus: 2}}", "{account: lab, memory: 1Gi}")
    assert (found.launcher, found.launcher_options, found.resources.memory_bytes) == (
        "local",
        (),
        None,
    )


def test_the_sites_time_is_the_jobs_and_the_entrys_the_tasks(placed) -> None:
    found = placed("{launcher: slurm}", "{time: '01:30:30'}")
    assert dict(found.launcher_options) == {"time": "91"}
    assert found.resources.walltime_s is None
    for spelling in ("walltime: 2h", "time: '02:00:00'"):
        found = placed(f"{{launcher: slurm, resources: {{{spelling}}}}}", "{time: 90}")
        assert (found.launcher_options, found.resources.walltime_s) == ((), 7200)


@pytest.mark.parametrize(
    ("entry", "asked"),
    [
        ("{}", "2G"),
        ("{memory: 16Gi, cpus: 4}", "4096M"),
        ("{mem: 1000M, cpus-per-task: 3}", "334M"),
        ("{memory: 100Mi}", "100M"),
        ("{mem-per-cpu: 9G, cpus: 4}", "9G"),
    ],
)
def test_a_site_that_knows_memory_per_cpu_only_is_asked_for_nothing_else(
    placed, entry, asked
) -> None:
    found = placed(f"{{launcher: slurm, resources: {entry}}}", "{mem-per-cpu: 2G}")
    assert dict(found.launcher_options) == {"mem-per-cpu": asked}


def test_memory_per_cpu_keeps_the_limit_of_the_task(placed) -> None:
    entry, site = "{launcher: slurm, resources: {memory: 7Gi}}", "{mem-per-cpu: 2G, cpus: 2}"
    found = placed(entry, site)
    assert dict(found.launcher_options) == {"mem-per-cpu": "3584M"}
    assert (found.resources.memory_bytes, found.resources.cpus) == (7 << 30, 2)


@pytest.mark.parametrize(("said", "group"), [("true", 0), ("50", 50), ("false", None), ("~", None)])
def test_packing(placed, said, group) -> None:
    assert placed(f"{{group: {said}}}").group == group


def test_throttle(placed) -> None:
    assert placed("{resources: {max_parallel: 8, batch_size: 2}}").max_parallel == 8
    assert placed("{launcher: slurm}", "{max_parallel: 5}").max_parallel == 5


HEAD = "execution_configs: {cluster: {seg: {launcher: slurm}}}\n"
MISTAKES = [
    (HEAD + "slurm: {¦acount: lab}", "slurm.acount", "unknown key", "'account'"),
    (HEAD + "slurm: {¦output: x}", "slurm.output", "unknown key", "set by pyCyto itself"),
    (HEAD + "slurm: {mem: 1G, ¦mem-per-cpu: 1G}", "slurm.mem-per-cpu", "say the same twice", ""),
    (HEAD + "slurm: {account: ¦\"a\\nb\"}", "slurm.account", "cannot hold a line break", ""),
    (HEAD + "slurm: {max_parallel: ¦0}", "slurm.max_parallel", "expected 1 or more", ""),
    ("execution_configs: {cluster: {seg: {group: ¦0}}}", "group", "expected 1 or more", ""),
    ("execution_configs: {cluster: {seg: {group: ¦lots}}}", "group", "true, false or how many", ""),
]  # fmt: skip


@pytest.mark.parametrize(("text", "path", "message", "hint"), MISTAKES)
def test_mistakes(write, text: str, path: str, message: str, hint: str) -> None:
    file = write(text, "pipeline-resources.x.yaml")
    with pytest.raises(ConfigError) as caught:
        load_resources(file.path)
    (problem,) = caught.value.problems
    assert (problem.file, problem.line, problem.column) == file.place
    assert problem.path.endswith(path)
    assert message in problem.message
    assert hint in problem.hint
