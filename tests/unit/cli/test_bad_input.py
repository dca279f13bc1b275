"""What each mistake gets: its exit code, its place, and the words that a person needs."""

from __future__ import annotations

import shutil

import pytest

from cyto.runners.machine import this_machine

MARK = "¦"
HEAD = "channels: {t: movie.tif}\n"
NODE = HEAD + "tasks:\n  seg:\n    module: MODULE.Scale\n    inputs: {image: t}\n"

WRONG = {
    # pipeline with the place marked, key path, words
    "unknown key": (
        NODE + "    ¦parms: {factor: 3}", "tasks.seg.parms", ["unknown key", "'params'"],
    ),
    "unknown key at the top": (
        "¦chanels: {t: movie.tif}\ntasks: {a: {module: MODULE.Scale}}",
        "chanels", ["unknown key", "did you mean 'channels'?"],
    ),
    "unknown parameter": (
        NODE + "    params: {¦factr: 3}",
        "tasks.seg.params.factr", ["unknown parameter 'factr'", "did you mean 'factor'?"],
    ),
    "parameter of the wrong type": (
        NODE + "    params: {factor: ¦three}",
        "tasks.seg.params.factor",
        ["expected whole number, not 'three'", "how much brighter"],
    ),
    "parameter out of range": (
        NODE + "    params: {mode: x, factor: ¦10}",
        "tasks.seg.params.factor", ["must be at most 9 times, not 10"],
    ),
    "parameter that must be given": (
        HEAD + "tasks: {seg: {module: ¦MODULE.Needs}}",
        "tasks.seg.module", ["parameter 'size' must be given"],
    ),
    "wrong type": (
        NODE + "    retries: ¦often", "tasks.seg.retries",
        ["expected a whole number, received 'often'"],
    ),
    "unknown module": (
        HEAD + "tasks: {seg: {module: ¦cyto.segmentation.watreshed.Watershed}}",
        "tasks.seg.module",
        ["there is no module 'cyto.segmentation.watreshed'", "did you mean 'watershed'?"],
    ),
    "unknown module of one's own": (
        HEAD + "tasks: {seg: {module: ¦no_such_module_x.Task}}",
        "tasks.seg.module", ["there is no module 'no_such_module_x'", "the pipeline file's"],
    ),
    "unknown class": (
        HEAD + "tasks: {seg: {module: ¦MODULE.Scal}}",
        "tasks.seg.module", ["has no class 'Scal'", "did you mean 'Scale'?"],
    ),
    "class that is no task": (
        HEAD + "tasks: {seg: {module: ¦MODULE.NoTask}}",
        "tasks.seg.module", ["NoTask' is no task", "subclass of cyto.task.PipelineTask"],
    ),
    "unknown node in inputs": (
        NODE + "  two: {module: MODULE.Scale, inputs: {image: ¦sge.image}}",
        "tasks.two.inputs.image", ["there is no channel or node 'sge'", "did you mean 'seg'?"],
    ),
    "output that is never made": (
        NODE + "  two: {module: MODULE.Scale, inputs: {image: ¦seg.imagge}}",
        "tasks.two.inputs.image", ["node 'seg' makes no 'imagge'", "did you mean 'image'?"],
    ),
    "unknown node in dependencies": (
        NODE + "    dependencies: [¦other]", "tasks.seg.dependencies.0", ["no node 'other'", "seg"],
    ),
    "missing input": (
        HEAD + "tasks: {seg: {module: ¦MODULE.Table}}",
        "tasks.seg.module",
        ["the input 'dataframe' (dataframe: cells) gets nothing", "write inputs: {dataframe: …}"],
    ),
    "unknown input": (
        HEAD + "tasks: {seg: {module: MODULE.Scale, inputs: {¦img: t}}}",
        "tasks.seg.inputs.img", ["the task takes no input 'img'", "image"],
    ),
    "cycle": (
        HEAD + "tasks:\n  ¦a: {module: MODULE.Scale, inputs: {image: b}}\n"
        "  b: {module: MODULE.Scale, inputs: {image: a}}",
        "tasks.a", ["the nodes wait for each other: a → b → a"],
    ),
    "duplicate key": (
        NODE + "    ¦module: MODULE.Scale", "", ["module", "line 4"],
    ),
    "not YAML": (
        "tasks: {a: [1, 2¦\n", "", ["not YAML: a bracket is not closed"],
    ),
    "a tab": ("tasks:\n¦\ta: 1", "", ["tab"]),
    "empty file": ("¦", "", ["the pipeline file is empty"]),
    "only a comment": ("¦# nothing here\n", "", ["the pipeline file is empty"]),
    "no mapping": ("¦- a\n- b\n", "", ["expected keys and values", "found a list"]),
    "missing channel file": (
        "channels: {t: ¦data/gone.tif}\ntasks: {a: {module: MODULE.Scale}}",
        "channels.t", ["no such file: FOLDER/data/gone.tif"],
    ),
    "missing channel file under path": (
        "channels: {t: {path: ¦gone.tif}}\ntasks: {a: {module: MODULE.Scale}}",
        "channels.t.path", ["FOLDER/gone.tif", "movie.tif"],
    ),
    "unreadable image": (
        "channels: {t: ¦text.tif}\ntasks: {a: {module: MODULE.Scale}}",
        "channels.t", ["text.tif", "TIFF"],
    ),
    "truncated image": (
        "channels: {t: ¦cut.tif}\ntasks: {a: {module: MODULE.Scale}}",
        "channels.t", ["cut.tif", "truncated"],
    ),
    "channel that the file does not have": (
        "channels: {t: {path: movie.tif, channel: ¦3}}\ntasks: {a: {module: MODULE.Scale}}",
        "channels.t.channel", ["channel 3 is out of range", "movie.tif has 1 channel"],
    ),
    "unknown profile in the pipeline": (
        NODE + "execution_profile: ¦clustr",
        "execution_profile", ["there is no profile 'clustr'", "cluster, local"],
    ),
    "a name that cannot be a path": (
        "tasks:\n  ¦../x: {module: MODULE.Scale}", "tasks.../x", ["cannot be a name"],
    ),
    "the older format": (
        "channels: {a: /}\n¦pipeline: {segmentation: []}", "pipeline", ["no stage has a step"],
    ),
}  # fmt: skip
RESOURCES = """\
execution_configs:
  cluster:
    default: {resources: {cpus: 1}}
default_profile: cluster
"""


@pytest.fixture
def images(lab):
    """Add images that cannot be read, and a resources file."""
    (lab / "text.tif").write_text("this is no image at all, whatever its name says" * 10)
    data = (lab / "movie.tif").read_bytes()
    (lab / "cut.tif").write_bytes(data[: len(data) // 2])
    lab.write(RESOURCES, "pipeline-resources.x.yaml")
    return lab


@pytest.mark.parametrize("case", WRONG)
def test_wrong_pipelines(case, images, call):
    text, path, words = WRONG[case]
    before, _, _ = text.partition(MARK)
    before = before.replace("MODULE", images.module)
    line, column = before.count("\n") + 1, len(before) - before.rfind("\n")
    images.write(text.replace(MARK, ""))
    for command in ("run", "validate"):
        answer = call(command, images.pipeline)
        assert answer.code == 2, answer.err
        assert answer.out == ""
        head = f"error: {images.pipeline}:{line}:{column}: " + (f"{path}: " if path else "")
        assert answer.err.startswith(head), answer.err
        for part in words:
            assert part.replace("FOLDER", str(images.folder)) in answer.err
        assert "Traceback" not in answer.err
    assert not (images / "output").exists(), "nothing was run"


WRONG_RESOURCES = {
    "unknown key": ("    seg: {¦resorces: {cpus: 1}}", "seg.resorces", ["'resources'"]),
    "bad units": ("    seg: {resources: {memory: ¦8 apples}}", "memory", ["8Gi", "'8 apples'"]),
    "bad time": ("    seg: {resources: {walltime: ¦soon}}", "walltime", ["'soon'", "90s"]),
    "no whole number": ("    seg: {resources: {cpus: ¦2.5}}", "cpus", ["whole number", "2.5"]),
    "endless time": ("    seg: {resources: {walltime: ¦.inf}}", "walltime", ["inf"]),
    "unknown runner": ("    seg: {¦runner: dockr, image: x}", "runner", ["'dockr'", "'docker'"]),
    "no image": ("    ¦seg: {type: container}", "seg", ["a container needs an image"]),
    "duplicate key": ("    seg: {}\n    ¦seg: {}", "", ["seg", "line 3"]),
}


def test_all_wrong_parameters_of_a_node_are_said_at_once(images, call):
    params = "params: {mode: [1], factor: three, factr: 1}"
    answer = call("validate", images.write(f"{NODE}    {params}\n"))
    assert answer.code == 2
    for words in ("unknown parameter 'factr'", "not 'three'", "params.mode: "):
        assert words in answer.err


@pytest.mark.parametrize("case", WRONG_RESOURCES)
def test_wrong_resources(case, lab, call):
    text, path, words = WRONG_RESOURCES[case]
    text = f"execution_configs:\n  cluster:\n{text}\ndefault_profile: cluster\n"
    before, _, _ = text.partition(MARK)
    line, column = before.count("\n") + 1, len(before) - before.rfind("\n")
    file = lab.write(text.replace(MARK, ""), "pipeline-resources.x.yaml")
    lab.write(NODE)
    answer = call("run", lab.pipeline)
    assert answer.code == 2, answer.err
    assert f"{file}:{line}:{column}: " in answer.err
    for part in [path, *words]:
        assert part in answer.err


def test_unknown_profile_lists_those_there_are(images, call):
    images.write(NODE)
    answer = call("run", images.pipeline, "--profile", "clustr")
    assert answer.code == 2
    assert "--profile: there is no profile 'clustr' in" in answer.err
    assert "did you mean 'cluster'?" in answer.err
    assert "known profiles: cluster, local" in answer.err


def test_a_missing_pipeline(lab, call):
    lab.write(NODE)
    answer = call("run", lab / "pipeline.y.yaml")
    assert answer.code == 2
    assert f"no such pipeline file: {lab / 'pipeline.y.yaml'}" in answer.err
    assert "did you mean 'pipeline.x.yaml'?" in answer.err


@pytest.mark.parametrize(
    ("override", "words"),
    [
        ("tasks.seg.params.factr=3", ["tasks.seg.params.factr", "'factor'"]),
        ("tasks.sge.params.factor=3", ["there is no task 'sge'", "'seg'"]),
        ("tasks.seg.params.factor=x", ["--set tasks.seg.params.factor=x", "whole number"]),
        ("nonsense", ["no KEY=VALUE", "write KEY=VALUE"]),
        ("channels.t=gone.tif", ["gone.tif", "no such file"]),
        ("channels.u=movie.tif", ["there is no channel 'u'"]),
    ],
)
def test_wrong_overrides(override, words, lab, call):
    lab.write(NODE)
    answer = call("run", lab.pipeline, "--set", override)
    assert answer.code == 2
    for part in words:
        assert part in answer.err


@pytest.mark.parametrize(
    "args", [["rnu"], ["run"], ["run", "a", "b"], ["run", "a", "--nonsense"], ["--nonsense"],
             ["run", "a", "--jobs", "0"], ["-p", "a", "run", "b"], ["schema", "nonsense"]]
)  # fmt: skip
def test_wrong_usage(args, call):
    answer = call(*args)
    assert answer.code == 2
    assert "Error: " in answer.err


@pytest.mark.parametrize(
    ("task", "words"),
    [
        ("Undeclared", ["odd", "'masks'", "is not declared", "(7, 8)", "declared: label"]),
        ("WrongRank", ["odd", "'label'", "(T, Y, X)", "(1, 2, 3, 4)"]),
    ],
)
def test_a_task_that_returns_something_else(task, words, lab, call):
    lab.write(f"tasks: {{odd: {{module: MODULE.{task}}}}}")
    answer = call("run", lab.pipeline)
    assert answer.code == 1
    for part in [*words, "logs/odd.log"]:
        assert part in answer.out


class TestNotThere:
    """Exit code 3, before anything runs."""

    @pytest.fixture(autouse=True)
    def start(self, lab, call):
        self.lab, self.call = lab, call
        yield
        assert not (lab / "output").exists(), "nothing was run"

    def answer(self, entry: str, code: int = 3) -> str:
        text = f"execution_configs:\n  here:\n    seg: {entry}\ndefault_profile: here\n"
        self.file = self.lab.write(text, "pipeline-resources.x.yaml")
        self.lab.write(NODE)
        answer = self.call("run", self.lab.pipeline)
        assert answer.code == code, answer.err
        assert f"{self.file}:3: node 'seg': " in answer.err, "which line asks"
        assert "Traceback" not in answer.err
        return answer.err

    DOCKER = "{runner: docker, image: 'cellpose:latest'}"

    @pytest.mark.usefixtures("programs")
    @pytest.mark.parametrize("runner", ["docker", "podman"])
    def test_program_missing(self, runner):
        said = self.answer(f"{{runner: {runner}, image: x}}")
        assert f"{runner} is not installed: no program '{runner}' on the PATH" in said
        assert "--profile local" in said

    def test_daemon_down(self, monkeypatch, tmp_path):
        if shutil.which("docker") is None:
            pytest.skip("docker is not installed")
        monkeypatch.setenv("DOCKER_HOST", f"unix://{tmp_path}/no.sock")
        said = self.answer(self.DOCKER)
        assert "docker is installed and its daemon does not answer" in said
        assert "systemctl start docker" in said

    DEAD = (
        "Cannot connect to the Docker daemon at unix:///var/run/docker.sock. Is the docker daemon "
        "running?"
    )
    DENIED = (
        "permission denied while trying to connect to the Docker daemon socket at "
        "unix:///var/run/docker.sock: Get http://%2Fvar%2Frun%2Fdocker.sock/v1.24/info: dial unix "
        "/var/run/docker.sock: connect: permission denied"
    )

    @pytest.mark.parametrize("code", [0, 1])
    def test_daemon_down_in_dockers_own_words(self, code, programs):
        json = '{"ServerErrors":["' + self.DEAD + '"],"ClientInfo":{}}'
        said = f"echo '{self.DEAD}' >&2" if code else f"echo '{json}'"
        programs("docker", f"{said}; exit {code}")
        assert "its daemon does not answer" in self.answer(self.DOCKER)

    def test_permission_denied(self, programs):
        programs("docker", f"echo '{self.DENIED}' >&2; exit 1")
        said = self.answer(self.DOCKER)
        assert "you are not permitted to use docker" in said
        assert "usermod -aG docker $USER, then log out and in again" in said

    def without_image(self, programs):
        """Let a docker be there that has no image."""
        programs("docker", 'case "$1" in info) echo \'{"ServerVersion":"27"}\';; *) exit 1;; esac')

    @pytest.mark.parametrize(
        ("image", "words"),
        [
            ("cellpose:latest", "docker build -f containers/docker/cellpose/Dockerfile"),
            ("cyto-tasks:latest", "docker build -f containers/docker/tasks/Dockerfile"),
            ("lab/own:v1", "docker pull lab/own:v1"),
        ],
    )
    def test_image_absent(self, image, words, programs):
        self.without_image(programs)
        said = self.answer(f"{{runner: docker, image: '{image}'}}")
        assert f"there is no docker image '{image}' on this machine" in said
        assert words in said
        assert "--profile local" in said

    def test_image_that_cannot_be_pulled(self, programs):
        self.without_image(programs)
        said = self.answer("{runner: docker, image: 'registry.invalid/x:v1'}")
        assert "the image 'registry.invalid/x:v1' could not be pulled" in said

    def test_pull_never_is_heard(self, programs):
        self.without_image(programs)
        said = self.answer("{runner: docker, image: 'registry.invalid/x:v1', pull: never}")
        assert "there is no docker image" in said

    @pytest.mark.usefixtures("programs")
    @pytest.mark.parametrize("runner", ["apptainer", "singularity"])
    def test_apptainer_missing(self, runner):
        said = self.answer(f"{{runner: {runner}, image: x.sif}}")
        assert "apptainer is not installed" in said
        assert "module load apptainer" in said

    @pytest.mark.parametrize("name", ["apptainer", "singularity"])
    def test_sif_absent(self, name, programs):
        programs(name, "echo 1.3.0")
        said = self.answer("{runner: apptainer, image: images/cellpose.sif}")
        assert f"there is no SIF '{self.lab / 'images/cellpose.sif'}'" in said
        assert "build.sh cellpose" in said
        assert "--profile local" in said

    def test_an_image_for_apptainer_that_is_no_sif(self, programs):
        programs("apptainer", "echo 1.3.0")
        said = self.answer("{runner: apptainer, image: 'docker://lab/x'}")
        assert "apptainer pull NAME.sif docker://lab/x" in said

    def test_more_cpus_than_there_are(self):
        said = self.answer("{resources: {cpus: 100000}}")
        assert f"asks for 100000 cpus and this machine has {this_machine().cpus}" in said

    def test_more_memory_than_there_is(self):
        said = self.answer("{resources: {memory: 1000Ti}}")
        assert "asks for 1000.0 TiB of memory and this machine has" in said
        assert "GiB\n" in said or "TiB\n" in said

    def test_more_gpus_than_there_are(self):
        said = self.answer("{resources: {gpu: 1000}}")
        assert "asks for 1000 GPUs and this machine has" in said
        assert "--profile local" in said

    @pytest.mark.usefixtures("programs")
    def test_everything_that_is_missing_at_once(self):
        said = self.answer("{runner: docker, image: x, resources: {cpus: 100000, gpu: 1000}}")
        for part in ("100000 cpus", "1000 GPUs", "docker is not installed"):
            assert part in said

    @pytest.mark.usefixtures("programs")
    def test_a_launcher_that_is_not_there(self):
        said = self.answer("{resources: {partition: gpu_short}}")
        assert "slurm" in said.lower()

    def test_labels_of_machines_that_nobody_can_honour(self):
        said = self.answer("{resources: {node_selector: {accelerator: nvidia-tesla-v100}}}")
        assert "node_selector" in said


def test_a_missing_program_is_no_reason_against_validate(lab, call, programs):
    lab.write(NODE)
    lab.write(
        "execution_configs: {here: {seg: {runner: docker, image: x}}}\ndefault_profile: here",
        "pipeline-resources.x.yaml",
    )
    assert call("validate", lab.pipeline).code == 0
    assert call("run", lab.pipeline).code == 3
    assert call("run", lab.pipeline, "--profile", "local").code == 0
