"""What every environment must do: one suite, subclassed for each.

A third party subclasses `EnvironmentContract` for its own runner; see `test_plugin.py`.
"""

from __future__ import annotations

import json
import os
import shutil
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any, ClassVar

import networkx as nx
import numpy as np
import pandas as pd
import pytest
import services_support as services
from bench import Bench, listener
from contract_tasks import AllKinds

from cyto.core.placement import Bind, Placement
from cyto.core.request import Ref
from cyto.errors import UnavailableError
from cyto.runners.environment import Environment, get_environment
from cyto.task.loading import call_here

HOSTILE = {
    "quotes": 'it\'s "so", Bäume é 細胞',
    "newline": "two\nlines; touch b",
    "option": "-x,source=a:b:ro",
    "shell": "$HOME `id` $(id) * & | > %s {a,b} # a\\b\\n",
    "all": "- a'\"é;\n,:$(id)`\\ö",
}
"""Names that a shell, a mount option or an unwary split would break."""


class EnvironmentContract:
    """The suite; a subclass names its runner and gives its image."""

    runner: ClassVar[str]
    parted: ClassVar[bool] = True
    """Whether the task is parted from the host; a process on the host by nature is not."""
    why_not_parted: ClassVar[str] = ""
    keeps_limit_of_pids: ClassVar[bool] = False
    _facts: ClassVar[dict[str, Any]]

    # ------------------------------------------------------------------ fixtures

    @classmethod
    def find_image(cls) -> str | None:
        """Give the image that has the tasks' libraries; skip where there can be none."""
        return None

    @pytest.fixture
    def image(self) -> str | None:
        return self.find_image()

    @pytest.fixture
    def environment(self, image: str | None) -> Environment:  # noqa: ARG002 - skips first
        return get_environment(self.runner)

    @pytest.fixture
    def placement(self, image: str | None) -> Placement:
        return Placement(environment=self.runner, image=image)

    @pytest.fixture
    def bench(
        self, environment: Environment, placement: Placement, tmp_path: Path
    ) -> Iterator[Bench]:
        """Give a bench, and see afterwards that nothing is left of what was done on it."""
        bench = Bench(tmp_path, environment, placement)
        try:
            yield bench
            services.assert_nothing_left(bench.mark)
        finally:
            services.clean_up(bench.mark)

    @pytest.fixture
    def facts(
        self,
        environment: Environment,
        placement: Placement,
        tmp_path_factory: pytest.TempPathFactory,
    ) -> dict[str, Any]:
        """Let one task look around, once for all tests, on a host that has something to hide."""
        if "_facts" not in vars(type(self)):
            folder = tmp_path_factory.mktemp("facts")
            type(self)._facts = self.look_around(folder, environment, placement)
        return self._facts

    def look_around(
        self, folder: Path, environment: Environment, placement: Placement
    ) -> dict[str, Any]:
        """Start a worker under telling variables, and let it say what it sees."""
        (folder / "secret.txt").write_text("of the host")
        home = folder / "home"
        home.mkdir()
        code = "/cyto/code/cyto" if self.parted else str(folder)
        places = ["/", "/usr", "/opt", "/tmp", "/var/tmp", "/cyto/jobs", "/cyto/in/0/data", code]
        bench = Bench(folder / "bench", environment, placement)
        with pytest.MonkeyPatch.context() as patch, listener() as port:
            patch.setenv("AWS_SECRET_ACCESS_KEY", "of the host")
            patch.setenv("HOME", str(home))
            patch.setenv("PYTHONPATH", str(folder))
            patch.setenv("PYTHONUSERBASE", str(folder / "userbase"))
            params = {"files": [str(folder / "secret.txt")], "port": port, "folders": places}
            params["folders"] = places if self.parted else []
            try:
                found = bench.run("Surroundings", params, threads=1).value
            finally:
                services.clean_up(bench.mark)
        return {**found, "bench": bench, "host_home": str(home), "host_folder": str(folder)}

    def parted_only(self) -> None:
        """Skip where the environment is the host, and say why that is so."""
        if not self.parted:
            pytest.skip(f"{self.runner}: {self.why_not_parted}")

    # -------------------------------------------------------------------- results

    def test_values_of_all_kinds_are_those_of_a_direct_call(self, bench: Bench) -> None:
        values = values_of_all_kinds(bench.inputs)
        there = bench.run("AllKinds", {"gain": 3.0}, values).values
        here = call_here(AllKinds(gain=3.0), values)
        assert list(there) == list(here)
        for key in ("image", "label"):
            assert_same_array(there[key], here[key])
        pd.testing.assert_frame_equal(there["dataframe"], here["dataframe"])
        assert same_network(there["network"], here["network"])
        assert there["value"] == here["value"]
        assert Path(there["file"]).read_bytes() == Path(here["file"]).read_bytes()
        assert there["file"].endswith(".tar.gz")

    def test_arrays_keep_shape_type_and_every_bit(self, bench: Bench) -> None:
        arrays = odd_arrays()
        there = bench.run("Echo", inputs=arrays).values
        assert list(there) == list(arrays)
        for key, array in arrays.items():
            assert_same_array(there[key], array, key)

    def test_tables_keep_types_gaps_and_index(self, bench: Bench) -> None:
        tables = odd_tables()
        there = bench.run("Echo", inputs=tables).values
        for key, table in tables.items():
            pd.testing.assert_frame_equal(there[key], table, obj=key)

    def test_networks_keep_kind_ids_and_attributes(self, bench: Bench) -> None:
        networks = odd_networks()
        there = bench.run("Echo", inputs=networks).values
        for key, network in networks.items():
            assert same_network(there[key], network), key

    def test_plain_values_come_back(self, bench: Bench) -> None:
        values = {
            "text": "naïve → 細胞\n\0",
            "nested": {"a": [1, 2.5, None, {"b": True}], "": {}},
            "long": list(range(5000)),
            "large": 2**70,
            "infinite": float("inf"),
        }
        assert bench.run("Echo", inputs=values).values == values

    # --------------------------------------------------------------------- inputs

    def test_inputs_are_mapped_and_cannot_be_changed(self, bench: Bench) -> None:
        model = bench.inputs / "model.bin"
        model.write_bytes(b"weights" * 10)
        image = np.arange(4 * 600 * 600, dtype=np.uint16).reshape(4, 600, 600)
        ref = bench.ref("image", image)
        before = Path(ref.path).read_bytes()
        with bench.worker() as worker:
            done = bench.ask(worker, "Writer", {"path": str(model)}, {"image": ref}, paths=["path"])
        tried = done.value
        assert tried["array"] == "ValueError", "an input array is read-only"
        assert any(".npy" in line for line in tried["maps"]), "mapped where it lies, not copied"
        if self.parted:
            assert Path(ref.path).read_bytes() == before
            assert tried["model"] == "OSError", "a read-only file system"
            assert tried["reopened"] == ["OSError"]
            assert model.read_bytes() == b"weights" * 10

    def test_a_piece_of_a_file_is_mapped_where_it_lies(self, bench: Bench) -> None:
        whole = np.arange(7 + 3 * 40 * 50, dtype="<u2")
        path = bench.inputs / "raw.tif"
        whole.tofile(path)
        shape, strides = (3, 40, 25), (40 * 50 * 2, 50 * 2, 4)
        ref = Ref("image", "array", str(path), dtype="<u2", shape=shape, strides=strides, offset=14)
        there = bench.run("ReadsModel", {"model": "none"}, {"image": ref}).values["image"]
        assert_same_array(there, whole[7:].reshape(3, 40, 50)[:, :, ::2] + np.uint16(1))

    # ------------------------------------------------------------------ isolation

    def test_only_the_job_folder_is_writable(self, facts: dict[str, Any]) -> None:
        self.parted_only()
        made = facts["made"]
        assert made["/cyto/jobs"] == ""
        assert made["/tmp"] == ""
        for folder in ("/cyto/code/cyto", "/cyto/in/0/data"):
            assert made[folder] == "OSError", f"{folder} is the host's, and read-only"
        package = services.ROOT / "cyto"
        assert not (package / "made-by-a-task").exists()
        assert not any(facts["bench"].inputs.rglob("made-by-a-task"))
        for folder in ("/", "/usr", "/opt", "/tmp", "/var/tmp"):
            assert not Path(folder, "made-by-a-task").exists()

    def test_what_is_written_elsewhere_is_gone_with_the_worker(self, bench: Bench) -> None:
        self.parted_only()
        for _ in range(2):
            found = bench.run(
                "Surroundings",
                {"folders": ["/opt"], "files": ["/opt/made-by-a-task", "/tmp/made-by-a-task"]},
            ).value
            assert found["made"]["/opt"] in {"", "OSError", "PermissionError"}
        with bench.worker() as worker:
            again = bench.ask(worker, "Surroundings", {"files": ["/opt/made-by-a-task"]}).value
        assert again["read"] == {"/opt/made-by-a-task": "FileNotFoundError"}

    def test_variables_of_the_host_are_not_seen(self, facts: dict[str, Any]) -> None:
        assert facts["env"].get("PYTHONPATH") != facts["host_folder"]
        assert facts["host_folder"] not in facts["path"]
        self.parted_only()
        assert "of the host" not in facts["env"].values()
        assert facts["env"]["HOME"] != facts["host_home"]

    def test_files_and_processes_of_the_host_are_not_seen(self, facts: dict[str, Any]) -> None:
        self.parted_only()
        assert set(facts["read"].values()) == {"FileNotFoundError"}
        assert not [line for line in facts["commands"] if "pytest" in line]

    def test_python_sees_the_package_and_nothing_beside_it(self, facts: dict[str, Any]) -> None:
        assert not facts["user_site"]
        assert not [path for path in facts["path"] if facts["host_home"] in path]
        assert not [path for path in facts["path"] if "userbase" in path]
        self.parted_only()
        assert facts["code"] == ["contract_tasks.py", "cyto"]
        assert not [path for path in facts["path"] if str(services.ROOT) in path]

    def test_no_privileges(self, facts: dict[str, Any]) -> None:
        self.parted_only()
        assert int(facts["status"]["CapEff"], 16) == 0
        assert facts["status"]["NoNewPrivs"] == "1"

    def test_files_belong_to_the_caller(self, bench: Bench, facts: dict[str, Any]) -> None:
        assert facts["user"] == [os.getuid(), os.getgid(), os.geteuid(), os.getegid()]
        done = bench.run("Echo", inputs={"image": np.zeros((1, 2, 2))})
        for path in [done.job.result, done.job.log, *done.job.out.iterdir()]:
            assert (path.stat().st_uid, path.stat().st_gid) == (os.getuid(), os.getgid())

    def test_no_network_unless_asked(self, bench: Bench, facts: dict[str, Any]) -> None:
        self.parted_only()
        assert facts["interfaces"] == ["lo"]
        assert facts["connects"] in {"ConnectionRefusedError", "OSError"}
        with listener() as port:
            asked = bench.run("Surroundings", {"port": port}, network=True).value
        assert asked["connects"] == ""

    def test_binds_are_seen_and_read_only_unless_asked(self, bench: Bench) -> None:
        self.parted_only()
        sources = {name: bench.folder / f"{name}, it's" for name in ("fixed", "open")}
        for folder in sources.values():
            folder.mkdir()
            (folder / "note.txt").write_text(folder.name)
        binds = (
            Bind(source=str(sources["fixed"]), target="/data/fixed"),
            Bind(source=str(sources["open"]), target="/data/open", writable=True),
        )
        params = {
            "folders": ["/data/fixed", "/data/open"],
            "files": ["/data/fixed/note.txt", "/data/open/note.txt"],
        }
        found = bench.run("Surroundings", params, binds=binds).value
        assert list(found["read"].values()) == ["fixed, it's", "open, it's"]
        assert found["made"] == {"/data/fixed": "OSError", "/data/open": ""}
        assert (sources["open"] / "made-by-a-task").exists()
        assert not (sources["fixed"] / "made-by-a-task").exists()

    def test_variables_that_are_asked_for_are_set(self, bench: Bench) -> None:
        values = {f"V_{name.upper()}": text for name, text in HOSTILE.items()}
        values |= {"EMPTY": "", "MODELS": "/models", "OMP_NUM_THREADS": "3"}
        found = bench.run("Surroundings", env=tuple(values.items()), threads=1).value["env"]
        assert {name: found.get(name) for name in values} == values

    def test_tmp_is_private_and_of_real_size(self, bench: Bench) -> None:
        with bench.worker() as worker:
            found = bench.ask(worker, "Fill", {"megabytes": 200}).value
            around = bench.ask(worker, "Surroundings").value
        assert found["bytes"] == 200 << 20
        assert around["tmp"] == str(Path(found["path"]).parent)
        if self.parted:
            assert around["tmp"] == "/tmp"
            shared = bench.run("Fill", {"megabytes": 200, "folder": "/dev/shm"}).value
            assert shared["bytes"] == 200 << 20, "PyTorch's loaders share memory there"
        else:
            assert Path(around["tmp"]).is_relative_to(bench.folder)

    def test_cpus_hold_libraries_to_as_many_threads(self, bench: Bench) -> None:
        found = bench.run("Surroundings", threads=2, **bench.limits(cpus=2)).value["env"]
        for name in ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS"):
            assert found[name] == "2"

    # --------------------------------------------------------------------- limits

    def test_number_of_processes_is_limited(self, bench: Bench) -> None:
        if not self.keeps_limit_of_pids:
            pytest.skip(f"{self.runner}: has no limit of its own on processes")
        done = bench.run("Ends", {"how": "threads"}, pids=50)
        assert done.result.reason == "exception"
        assert "can't start new thread" in done.result.message

    @pytest.mark.parametrize("in_child", [False, True], ids=["itself", "child"])
    def test_more_memory_than_allowed(self, bench: Bench, in_child: bool) -> None:
        limits = bench.limits(memory_bytes=300 << 20)
        with bench.worker(**limits) as worker:
            done = bench.ask(worker, "Hog", {"in_child": in_child})
            assert done.result.reason == "memory" or in_child
            if done.result.reason == "memory":
                assert "memory limit of 300 MiB" in done.result.message
                assert "pipeline-resources.x.yaml:12" in done.result.message
            assert not done.result.ok
            assert bench.ask(worker, "Echo", inputs={"a": 1}).values == {"a": 1}

    def test_enough_memory_is_no_failure(self, bench: Bench) -> None:
        done = bench.run("Hog", {"megabytes": 128}, **bench.limits(memory_bytes=600 << 20))
        assert done.value == "all taken"
        assert done.result.peak_bytes > 128 << 20

    def test_longer_than_allowed(self, bench: Bench) -> None:
        with bench.worker(**bench.limits(walltime_s=1.0)) as worker:
            done = bench.ask(worker, "Ends", {"how": "sleep"})
            assert done.result.reason == "timeout"
            assert "time limit of " in done.result.message
            assert "pipeline-resources.x.yaml:12" in done.result.message
            self.sees_one_result(done)
            assert bench.ask(worker, "Echo", inputs={"a": 1}).values == {"a": 1}

    @pytest.mark.parametrize("how", ["deaf", "orphan_and_sleep"])
    def test_whatever_it_does_it_ends_in_time(self, bench: Bench, how: str) -> None:
        done = bench.run("Ends", {"how": how}, **bench.limits(walltime_s=1.5))
        assert done.result.reason == "timeout"
        services.assert_nothing_left(bench.mark)

    # -------------------------------------------------------------------- endings

    @pytest.mark.parametrize(
        ("how", "reason", "words"),
        [
            ("exception", "exception", ["ValueError: bad pixels: café → 🔬", "contract_tasks.py"]),
            ("interrupt", "exception", ["KeyboardInterrupt"]),
            ("memory_error", "memory", ["out of memory", "8 GiB for one frame"]),
            ("system_exit", "exit", ["ended its own process", "exit code 1"]),
        ],
    )
    def test_a_failure_in_python(
        self, bench: Bench, how: str, reason: str, words: list[str]
    ) -> None:
        with bench.worker() as worker:
            before = bench.ask(worker, "Untidy").value["pid"]
            done = bench.ask(worker, "Ends", {"how": how})
            assert done.result.reason == reason
            for word in words:
                assert word in done.result.message
            assert "contract_tasks.py" in done.result.traceback
            assert f"about to end: {how}" in done.log
            self.sees_one_result(done)
            after = bench.ask(worker, "Untidy").value["pid"]
            assert after == before, "the worker goes on"

    @pytest.mark.parametrize(
        ("how", "code", "reason", "words"),
        [
            ("exit", 0, "exit", ["exit code 0"]),
            ("exit", 7, "exit", ["exit code 7"]),
            ("segfault", 0, "signal", ["SIGSEGV", "log"]),
            ("abort", 0, "signal", ["SIGABRT"]),
            ("kill", 0, "signal", ["SIGKILL"]),
            ("terminate", 0, "signal", ["SIGTERM"]),
        ],
    )
    def test_a_worker_that_dies(
        self, bench: Bench, how: str, code: int, reason: str, words: list[str]
    ) -> None:
        with bench.worker() as worker:
            done = bench.ask(worker, "Ends", {"how": how, "code": code})
            assert done.result.reason == reason, done.result.message
            for word in words:
                assert word in done.result.message
            assert f"about to end: {how}" in done.log
            if how == "segfault":
                assert "Segmentation fault" in done.log
                assert "contract_tasks.py" in done.log, "the log ends with where it was"
            self.sees_one_result(done)
            assert bench.ask(worker, "Echo", inputs={"a": 1}).values == {"a": 1}

    def test_killed_from_outside(self, bench: Bench) -> None:
        with bench.worker() as worker:
            asked = bench.run_aside(worker, "Ends", {"how": "sleep"}, name="job")
            log = bench.folder / "jobs1" / "job" / "log.txt"
            assert services.until(lambda: log.exists() and "about to end" in log.read_text())
            for process in services.workers(bench.mark):
                process.kill()
            done = asked.end()
            assert done.result.reason == "signal", done.result.message
            assert "was killed (SIGKILL)" in done.result.message
            self.sees_one_result(done)

    def test_stopped_by_the_driver(self, bench: Bench) -> None:
        stop = threading.Event()
        with bench.worker() as worker:
            asked = bench.run_aside(worker, "Ends", {"how": "sleep"}, name="job", stop=stop)
            log = bench.folder / "jobs1" / "job" / "log.txt"
            assert services.until(lambda: log.exists() and "about to end" in log.read_text())
            stop.set()
            done = asked.end()
            assert done.result.reason == "cancelled"
            services.assert_nothing_left(bench.mark)

    def test_a_process_that_a_task_forgot(self, bench: Bench) -> None:
        assert bench.run("Ends", {"how": "orphan"}).value == "went on"
        services.assert_nothing_left(bench.mark)

    # ------------------------------------------------------------------ the worker

    def test_many_requests_one_worker(self, bench: Bench) -> None:
        with bench.worker() as worker:
            found = [bench.ask(worker, "Untidy").value for _ in range(40)]
        assert len({one["pid"] for one in found}) == 1
        assert {one["leaked"] for one in found} == {""}, "a task's variables end with it"
        assert len({one["draw"] for one in found}) == 1, "each request is seeded anew"
        assert len({one["cwd"] for one in found}) == 1, "and starts in the same folder"
        assert len({one["umask"] for one in found}) == 1

    def test_what_a_tool_prints_goes_to_its_own_log(self, bench: Bench) -> None:
        with bench.worker() as worker:
            first = bench.ask(worker, "Chatty")
            second = bench.ask(worker, "Echo", inputs={"a": 1})
        assert first.value == {"stdin": ""}
        for line in ("a line like the protocol's", "on stderr", "below Python", "from a child"):
            assert line in first.log
        assert second.values == {"a": 1}
        assert second.log == ""

    def test_a_library_that_is_not_there(self, bench: Bench) -> None:
        done = bench.run("Imports", {"library": "no_such_library"})
        assert done.result.reason == "exception"
        assert "no library 'no_such_library'" in done.result.message
        assert "image" in done.result.message

    def test_a_class_that_is_not_there(self, bench: Bench) -> None:
        done = bench.run("Missing")
        assert done.result.reason == "exception"
        assert "no class 'Missing'" in done.result.message

    def test_no_python_in_the_image(self, bench: Bench, image: str | None) -> None:
        self.parted_only()
        done = bench.run("Echo", python=("python9", "-X", "dev"))
        assert done.result.reason == "lost"
        assert "python9" in done.result.message
        assert str(image) in done.result.message
        assert "python:" in done.result.message, "says which key names it"
        self.sees_one_result(done)

    def test_an_image_that_is_not_there(self, environment: Environment) -> None:
        self.parted_only()
        wanted = Placement(environment=self.runner, image="/no/such/cellpose.sif")
        with pytest.raises(UnavailableError, match=r"no such|there is no") as caught:
            environment.check(wanted)
        assert "cellpose.sif" in str(caught.value)
        assert "--profile local" in str(caught.value)

    # --------------------------------------------------------------- hostile names

    @pytest.mark.parametrize("name", HOSTILE.values(), ids=HOSTILE)
    def test_any_name_will_do(self, bench: Bench, name: str) -> None:
        base = bench.folder / name
        models, bound, users = base / "models", base / "bound", base / "users"
        for folder in (models, bound, users):
            folder.mkdir(parents=True)
        (models / f"{name}.pt").write_text("weights")
        (bound / name).write_text("bound")
        module = shutil.copy(Path(__file__).with_name("contract_tasks.py"), users)
        image = np.arange(24, dtype=np.uint8).reshape(2, 3, 4)
        np.save(base / f"{name}.npy", image)
        ref = Ref("image", "npy", str(base / f"{name}.npy"))
        target = f"/data/{name}"
        more: dict[str, Any] = {"readable": [base], "code": [Path(module)], "jobs": base / "jobs"}
        if self.parted:
            more["binds"] = (Bind(source=str(bound), target=target),)
        params = {
            "model": str(models / f"{name}.pt"),
            "bound": f"{target}/{name}" if self.parted else str(bound / name),
        }
        with bench.worker(**more) as worker:
            done = bench.ask(
                worker, "ReadsModel", params, {"image": ref}, paths=["model"], name=name
            )
        assert done.value == {"model": "weights", "bound": "bound"}
        assert_same_array(done.values["image"], image + np.uint8(1))
        if name == HOSTILE["all"]:
            self.runs_again_by_hand(done)

    # --------------------------------------------------------------------- by hand

    def test_the_recorded_command_runs_it_again(self, bench: Bench) -> None:
        with bench.worker() as worker:
            done = bench.ask(worker, "AllKinds", {}, values_of_all_kinds(bench.inputs))
            failed = bench.ask(worker, "Ends", {"how": "exception"})
        first = done.values
        again = self.runs_again_by_hand(done)
        assert_same_array(again["image"], first["image"])
        once_more = self.runs_again_by_hand(done)
        pd.testing.assert_frame_equal(once_more["dataframe"], first["dataframe"])
        said = services.by_hand(failed.job.command)
        assert said.returncode == 1
        assert "ValueError: bad pixels" in said.stderr

    def runs_again_by_hand(self, done: Any) -> dict[str, Any]:
        """Run the job's command in a bare shell; give what it made."""
        shutil.rmtree(done.job.out)
        done.job.result.unlink()
        said = services.by_hand(done.job.command)
        assert said.returncode == 0, f"{done.job.command.read_text()}\n{said.stderr}"
        written = json.loads(done.job.result.read_text(encoding="utf-8"))
        assert written["reason"] == ""
        return done.values

    @staticmethod
    def sees_one_result(done: Any) -> None:
        """Find exactly one whole result, the same that was given."""
        found = [path.name for path in done.job.folder.glob("result*")]
        assert found == ["result.json"]
        written = json.loads(done.job.result.read_text(encoding="utf-8"))
        assert (written["reason"], written["message"]) == (
            done.result.reason,
            done.result.message,
        )


# ------------------------------------------------------------------------- values


def values_of_all_kinds(folder: Path) -> dict[str, Any]:
    """Make one value of each kind; the file lies in *folder*."""
    rng = np.random.default_rng(1)
    file = folder / "some file.bin"
    file.write_bytes(rng.bytes(1000))
    network = nx.Graph(frame=3)
    network.add_node(1, y=1.5, kind="tcell")
    network.add_edge(1, 2, weight=0.5)
    return {
        "image": rng.random((3, 20, 30), dtype=np.float32),
        "label": rng.integers(0, 9, (3, 20, 30), dtype=np.uint16),
        "dataframe": pd.DataFrame({"label": [1, 2, 3], "area": [1.5, np.nan, 2.0]}),
        "network": network,
        "value": {"counts": [1, 2, 3], "name": "é"},
        "file": file,
    }


def odd_arrays() -> dict[str, np.ndarray]:
    """Make arrays that a careless exchange would change."""
    base = np.arange(2 * 5 * 7).reshape(2, 5, 7)
    return {
        "uint8": base.astype(np.uint8),
        "uint16_max": np.full((1, 2, 3), 65535, np.uint16),
        "big_endian": base.astype(">u2"),
        "float16": (base / 3).astype(np.float16),
        "gaps": np.array([[[np.nan, np.inf, -np.inf, -0.0, 5e-324]]]),
        "fortran": np.asfortranarray(base.astype(np.float32)),
        "strided": base[:, ::2, ::-1],
        "empty": np.zeros((0, 4, 4), np.uint16),
        "boolean": base % 2 == 0,
        "complex": base * 1j,
        "line": np.linspace(0, 1, 5),
        "four": np.zeros((1, 2, 3, 4), np.int8),
    }


def odd_tables() -> dict[str, pd.DataFrame]:
    """Make tables that a careless exchange would change."""
    return {
        "empty": pd.DataFrame({"label": np.array([], np.int64), "y": np.array([], float)}),
        "types": pd.DataFrame(
            {
                "text": ["é", None, "x"],
                "kind": pd.Categorical(["t", "c", "t"]),
                "alive": [True, False, True],
                "small": np.array([1, 2, 3], np.uint8),
                "maybe": pd.array([1, None, 3], dtype="Int64"),
                "gap": np.array([1.0, np.nan, np.inf], np.float32),
                "when": pd.to_datetime(["2024-01-01", "2024-01-02", None]),
            }
        ),
        "indexed": pd.DataFrame({"y": [1.0, 2.0]}, index=pd.Index([7, 9], name="track")),
        "levels": pd.DataFrame(
            {"y": [1.0, 2.0]},
            index=pd.MultiIndex.from_tuples([(0, 1), (0, 2)], names=["frame", "label"]),
        ),
    }


def odd_networks() -> dict[str, nx.Graph]:
    """Make networks that a careless exchange would change."""
    directed = nx.DiGraph([(1, 2), (3, 2)], name="lineage")
    several = nx.MultiGraph()
    several.add_edge((0, 1), (0, 2), frame=1, length=0.1 + 0.2)
    several.add_edge((0, 1), (0, 2), frame=2)
    return {"empty": nx.Graph(), "directed": directed, "several": several}


def assert_same_array(there: Any, here: Any, key: str = "") -> None:
    """Compare type, shape and bits."""
    assert (there.dtype, there.shape) == (here.dtype, here.shape), key
    np.testing.assert_array_equal(there, here, err_msg=key)


def same_network(there: nx.Graph, here: nx.Graph) -> bool:
    """Compare class, attributes, nodes and edges."""
    return (
        type(there) is type(here)
        and there.graph == here.graph
        and dict(there.nodes(data=True)) == dict(here.nodes(data=True))
        and sorted(map(repr, there.edges(data=True))) == sorted(map(repr, here.edges(data=True)))
    )
