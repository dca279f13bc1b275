"""Commands of the documents that a test cannot run: their words are checked instead."""

from __future__ import annotations

import itertools
import re
import shutil
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

if sys.version_info >= (3, 11):
    import tomllib
else:
    tomllib = None

ROOT = Path(__file__).resolve().parents[1]
_NOT_HERE = (
    "is not installed", "not installed here", "Slurm is not here", "there is no SIF", "GPU",
    "node_selector asks", "of memory and this machine", "cpus and this machine",
    "nothing has run yet", "there is no run ",
)  # fmt: skip
"""What a machine without services says, with exit code 3, of what it lacks."""
_OPTIONS = {
    "docker build": {"-f", "-t", "--build-arg"},
    "docker run": {"--gpus", "-u", "-v", "--rm", "-it"},
    "docker save": {"-o"},
    "docker push": set(),
    "docker tag": set(),
    "docker images": set(),
    "docker info": set(),
    "docker pull": set(),
    "apptainer build": set(),
    "apptainer exec": {"--nv", "--bind"},
    "apptainer shell": {"--nv", "--bind"},
    "apptainer pull": set(),
    "apptainer inspect": set(),
    "apptainer test": set(),
}
"""Options that these documents use, looked up in the programs' own manuals."""
_AS_THEY_ARE = {
    "sudo usermod -aG docker $USER",
    "sudo systemctl start docker",
    "module load apptainer",
    "sinfo",
    "squeue --me",
    "scontrol ping",
    "ulimit -n 4096",
}


def is_checked_only(words: Sequence[str]) -> bool:
    """Tell whether a command needs what no test has, or would take too long."""
    script = len(words) > 1 and words[0].startswith("python") and "benchmark/" in words[1]
    others = {"docker", "podman", "apptainer", "make", "pip", "pixi", "sudo", "module", "jupyter"}
    return words[0] in others or script or " ".join(words) in _AS_THEY_ARE


def check(words: Sequence[str]) -> None:
    """Check the words of such a command."""
    line = " ".join(words)
    if line in _AS_THEY_ARE:
        return
    match words[0]:
        case "docker" | "podman" | "apptainer":
            _container(words)
        case "make":
            done = subprocess.run(
                [str(shutil.which("make")), "-n", *words[1:]],
                cwd=ROOT,
                capture_output=True,
                text=True,
                check=False,
            )
            assert done.returncode == 0, done.stderr
        case "pip":
            _pip(words)
        case "pixi":
            _pixi(words)
        case "python" | "python3":
            _script(words)
        case "jupyter":
            assert Path(ROOT, words[-1]).exists(), line
        case _:
            raise AssertionError(f"nothing checks {line!r}")


def fine_codes(words: Sequence[str], stderr: str) -> set[int]:
    """Give the exit codes that a command of the documents may end with on a bare machine."""
    if words[0] == "bash" and "neither apptainer nor singularity" in stderr:
        return {1}
    if words[0] in {"cyto", "python"} and any(said in stderr for said in _NOT_HERE):
        return {0, 3}
    if words[:2] == ["cyto", "doctor"]:
        return {0, 3}
    return {0}


def _container(words: Sequence[str]) -> None:
    program = "docker" if words[0] == "podman" else words[0]
    verb = f"{program} {words[1]}"
    assert verb in _OPTIONS, f"{' '.join(words)}: {verb} is not known here"
    for word in _own_options(words[2:]):
        option = word.partition("=")[0]
        assert option in _OPTIONS[verb], f"{' '.join(words)}: is {option} an option of {verb}?"
    for word in words:
        if word.startswith("containers/") and not word.startswith("containers/images/"):
            assert (ROOT / word).exists(), f"{' '.join(words)}: there is no {word}"


def _own_options(words: Sequence[str]) -> list[str]:
    """Give the options before the image or folder, which begin the rest of the command."""
    found = []
    takes = False
    for word in words:
        if word.startswith("-"):
            found.append(word)
            takes = word not in {"--nv", "--rm", "-it"} and "=" not in word
        elif takes:
            takes = False
        else:
            break
    return found


def _pip(words: Sequence[str]) -> None:
    if tomllib is None:
        return
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))
    extras = project["project"]["optional-dependencies"]
    for word in words:
        match = re.fullmatch(r"(?:pycyto|\.)\[([\w,]+)\]", word)
        lacking = set(match[1].split(",")) - set(extras) if match else set()
        assert not lacking, f"{' '.join(words)}: there is no extra {lacking}"
    for option, group in itertools.pairwise(words):
        assert option != "--group" or group in project["dependency-groups"], group


def _pixi(words: Sequence[str]) -> None:
    if tomllib is None:
        return
    known = tomllib.loads((ROOT / "pixi.toml").read_text(encoding="utf-8"))
    tasks = {**known["tasks"], **known["feature"]["test"]["tasks"]}
    if words[2] == "-e":
        assert words[3] in known["environments"], words[3]
    else:
        assert words[2] in tasks, words[2]


def _script(words: Sequence[str]) -> None:
    done = subprocess.run(
        [sys.executable, ROOT / words[1], "--help"], capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    for word in words[2:]:
        assert not word.startswith("-") or word in done.stdout, f"{' '.join(words)}: {word}?"
