"""What each mistake in a resources file is answered with."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from cyto.config import load_resources
from cyto.errors import ConfigError

Write = Callable[..., Any]

ENTRY = "execution_configs:\n  hybrid:\n    seg:\n"
BOX = "execution_configs:\n  hybrid:\n    seg:\n      image: x\n"
AT = "execution_configs.hybrid.seg"
BAD = [
    # text with the place marked, key path, words of the message, words of the hint
    ("¦executon_configs: {}\n" + ENTRY + "      type: baremetal", "executon_configs", "unknown",
     "did you mean 'execution_configs'?"),
    ("¦default_profile: a", "", "the key 'execution_configs' is missing", ""),
    ("execution_configs: ¦[a]", "execution_configs", "expected a mapping", ""),
    ("execution_configs: ¦{}", "execution_configs", "at least 1 entry", ""),
    ("execution_configs: {hybrid: ¦[a]}", "execution_configs.hybrid", "received a list", ""),
    ("execution_configs: {hybrid: {seg: ¦docker}}", AT, "a mapping ('key: value' pairs)", ""),
    ("default_profile: ¦hybird\n" + BOX, "default_profile", "no profile 'hybird'", "'hybrid'?"),
    ("default_profile: ¦3\n" + BOX, "default_profile", "expected text, received 3", ""),
    (ENTRY + "      type: ¦docker", AT + ".type", "'container' or 'baremetal'", ""),
    (ENTRY + "      type: ¦baremtal", AT + ".type", "received 'baremtal'", "'baremetal'?"),
    (BOX + "      ¦runer: docker", AT + ".runer", "unknown key 'runer'", "'runner'"),
    (BOX + "      ¦runer: docker", AT + ".runer", "unknown key", "known keys: type, runner, image"),
    (BOX + "      runner: docker\n      ¦memory: 8Gi", AT + ".memory", "unknown key",
     "'memory' belongs under resources"),
    (BOX + "      ¦partition: x", AT + ".partition", "unknown key", "belongs under resources"),
    (BOX + "      ¦runner: dokcer", AT + ".runner", "no runner 'dokcer'", "did you mean 'docker'?"),
    (BOX + "      ¦runner: baremetal", AT + ".runner", "no runner", "write type: baremetal"),
    (BOX + "      runner: ¦[docker]", AT + ".runner", "expected text, received a list", ""),
    (BOX + "      launcher: ¦slrum", AT + ".launcher", "'local' or 'slurm'", "'slurm'?"),
    (BOX + "      pull: ¦true", AT + ".pull", "'never', 'missing' or 'always'", ""),
    (BOX + "      pull: ¦alway", AT + ".pull", "received 'alway'", "did you mean 'always'?"),
    (BOX + "      network: ¦host", AT + ".network", "true or false, received 'host'", ""),
    (BOX + "      binds: ¦/a:/b", AT + ".binds", "expected a list, received '/a:/b'", ""),
    (BOX + "      binds: [¦/a]", AT + ".binds.0", "'/a' is no mount", "source:target"),
    (BOX + "      binds: [¦'/a:b']", AT + ".binds.0", "is no mount", "the target is absolute"),
    (BOX + "      binds: [¦'/a:/b:rx']", AT + ".binds.0", "is no mount", "source:target:rw"),
    (BOX + "      binds: [{source: a, target: ¦b}]", AT + ".binds.0.target",
     "an absolute path", ""),
    (BOX + "      binds: [¦{source: a}]", AT + ".binds.0", "the key 'target' is missing", ""),
    (BOX + "      binds: [{source: a, target: /b, ¦ro: true}]", AT + ".binds.0.ro", "unknown",
     "known keys"),
    (BOX + "      env: {¦A B: 1}", AT + ".env.A B", "cannot name an environment variable", ""),
    (BOX + "      env: {A: ¦true}", AT + ".env.A", "expected text (put it in quotes)", ""),
    (BOX + "      env: {A: ¦3.10}", AT + ".env.A", "(put it in quotes), received 3.1", ""),
    (BOX + "      python: ¦[]", AT + ".python", "expected at least 1 entry", ""),
    (BOX + "      python: ¦' '", AT + ".python", "a command, or a list of its words", ""),
    (BOX + "      python: ¦a 'b", AT + ".python", "is no command: No closing quotation", ""),
    (BOX + "      python: ¦3.9", AT + ".python", "a command, or a list of its words", ""),
    (BOX + "      pids: ¦0", AT + ".pids", "expected 1 or more, received 0", ""),
    (BOX + "      isolate: ¦1", AT + ".isolate", "true or false, received 1", ""),
    (ENTRY + "      type: baremetal\n      ¦image: x", AT + ".image", "no meaning", "container"),
    (ENTRY + "      ¦pull: never", AT + ".pull", "'pull' needs a container", "add an image"),
    ("execution_configs:\n  hybrid:\n    ¦seg: {type: container}", AT, "needs an image", "add"),
    (ENTRY + "      runner: docker\n      ¦image: a.sif", AT + ".image", "is a SIF",
     "write runner: apptainer"),
    ("execution_configs:\n  hybrid:\n    ¦'tag:': {type: baremetal}",
     "execution_configs.hybrid.tag:", "no tag after 'tag:'", ""),
    ("¦tasks: {}\n", "tasks", "this is a pipeline, not a resources file", "--pipeline"),
]  # fmt: skip
BAD_RESOURCES = [
    ("memory: ¦8X", "memory", "'8X' is no amount of memory; write 8Gi", ""),
    ("memory: ¦-1", "memory", "is no amount of memory", ""),
    ("memory: ¦8", "memory", "8 bytes, too little for any program", "write 8Gi"),
    ("memory: ¦true", "memory", "expected an amount of memory, such as 8Gi, received true", ""),
    ("memory: ¦[8]", "memory", "expected an amount of memory, such as 8Gi, received a list", ""),
    ("mem: ¦lots", "mem", "'lots' is no amount of memory", ""),
    ("cpus: ¦0", "cpus", "expected 1 or more, received 0", ""),
    ("cpus: ¦'4'", "cpus", "expected a whole number, received '4'", ""),
    ("cpus: ¦1.5", "cpus", "expected a whole number, received 1.5", ""),
    ("gpu: ¦-1", "gpu", "expected 0 or more", ""),
    ("gpu: ¦true", "gpu", "expected a whole number, received true", ""),
    ("gres: ¦gpu:x:y", "gres", "'gpu:x:y' is no gres", "write gpu:1 or gpu:a100:2"),
    ("gres: ¦1", "gres", "expected text, received 1", ""),
    ("walltime: ¦soon", "walltime", "'soon' is no time limit", ""),
    ("memory: ¦1" + "0" * 400, "memory", "more memory than there can be", ""),
    ("memory: ¦.inf", "memory", "is no amount of memory", ""),
    ("walltime: ¦.inf", "walltime", "inf is no time limit", ""),
    ("time: ¦1" + "0" * 400, "time", "00…' is no time limit", ""),
    ("¦<int>: 1", "<int>", "unknown key '<int>'", "known keys"),
    ("walltime: ¦0", "walltime", "is no time limit", ""),
    ("time: ¦{h: 1}", "time", "a time limit, such as 01:30:00, received a mapping", ""),
    ("batch_size: ¦0", "batch_size", "expected 1 or more", ""),
    ("node_selector: ¦v100", "node_selector", "expected a mapping", ""),
    ("node_selector: {a: ¦[b]}", "node_selector.a", "text or a whole number, received a list", ""),
    ("partition: ¦1.5", "partition", "text, a whole number or a list of text", ""),
    ("nodelist: [a, ¦1]", "nodelist.1", "expected text, received 1", ""),
    ("exclusive: ¦[a]", "exclusive", "true, false or the option's value, received a list", ""),
    ("¦memry: 8Gi", "memry", "unknown key 'memry'", "did you mean 'memory'"),
    ("¦accuont: x", "accuont", "unknown key", "did you mean 'account'?"),
    ("¦accuont: x", "accuont", "unknown key", "and the long options of sbatch"),
    ("¦mem_per_cpu: 1G", "mem_per_cpu", "unknown key", "did you mean 'mem-per-cpu'?"),
    ("¦array: 1-3", "array", "unknown key", "--array is set by pyCyto itself"),
    ("¦job-name: x", "job-name", "unknown key", "--job-name is set by pyCyto itself"),
    ("memory: 8Gi, ¦mem: 8G", "mem", "'mem' and 'memory' say the same twice", "leave one out"),
    ("cpus: 1, ¦cpus-per-task: 1", "cpus-per-task", "'cpus-per-task' and 'cpus'", ""),
    ("gpu: 1, ¦gres: 'gpu:1'", "gres", "'gres' and 'gpu' say the same twice", ""),
    ("gpu: 1, ¦gpus: 1", "gpus", "'gpus' and 'gpu' say the same twice", ""),
    ("time: 1, ¦walltime: 1h", "walltime", "'walltime' and 'time' say the same twice", ""),
    ("memory: 8Gi, ¦mem-per-cpu: 1G", "mem-per-cpu", "say the same twice", ""),
]
BAD += [
    (f"{BOX}      resources: {{{text}}}", f"{AT}.resources.{path}", message, hint)
    for text, path, message, hint in BAD_RESOURCES
]
BAD += [
    (f"{BOX}      launcher: local\n      resources: {{¦partition: gpu}}",
     f"{AT}.resources.partition", "for Slurm only, and launcher is local", "launcher: slurm"),
]  # fmt: skip


@pytest.mark.parametrize(("text", "path", "message", "hint"), BAD)
def test_each_mistake_has_its_place_and_words(
    write: Write, text: str, path: str, message: str, hint: str
) -> None:
    file = write(text, "pipeline-resources.x.yaml")
    with pytest.raises(ConfigError) as caught:
        load_resources(file.path)
    assert len(caught.value.problems) == 1, str(caught.value)
    problem = caught.value.problems[0]
    assert problem.path == path
    assert message in problem.message
    assert hint in problem.hint
    assert (problem.file, problem.line, problem.column) == file.place
    words = str(problem).lower()
    assert not any(word in words for word in ("pydantic", "input should", "https://", "<text>"))
