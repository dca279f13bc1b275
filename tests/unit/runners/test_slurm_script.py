"""Batch scripts as recorded; pure functions, no service needed."""

from __future__ import annotations

import shlex
from pathlib import Path

import pytest

from cyto.core.layout import BatchLayout
from cyto.core.placement import Placement, Resources
from cyto.errors import SubmissionError
from cyto.runners.slurm_script import batch_script, packed, python_command

PYTHON = ["/env/bin/python", "-S", "-c", "import x; x.main('a b')"]
FULL = Placement(
    launcher="slurm",
    resources=Resources(cpus=4, memory_bytes=(8 << 30) + 1, gpus=2, walltime_s=5401),
    launcher_options=(
        ("partition", "short,long"),
        ("exclusive", ""),
        ("comment", 'it\'s "so" # \\n é; $HOME `id`'),
    ),
)


def script(placement: Placement = FULL, folder: str = "/runs/r1/batch", **more) -> str:
    more = {"counts": [1, 1, 1], **more}
    return batch_script(
        name="cyto-r1-seg",
        layout=BatchLayout(Path(folder)),
        placement=placement,
        python=PYTHON,
        **more,
    )


def options(text: str) -> list[str]:
    return [line[8:] for line in text.splitlines() if line.startswith("#SBATCH ")]


def test_an_array() -> None:
    assert script(max_parallel=2) == (
        "#!/bin/sh\n"
        "# Written by pyCyto; it can be submitted again as it is: sbatch submit.sh\n"
        "#SBATCH --job-name=cyto-r1-seg\n"
        "#SBATCH --array=0-2%2\n"
        "#SBATCH --chdir=/\n"
        "#SBATCH --output=/runs/r1/batch/logs/%a.txt\n"
        "#SBATCH --open-mode=append\n"
        "#SBATCH --no-requeue\n"
        "#SBATCH --cpus-per-task=4\n"
        "#SBATCH --mem=8193M\n"
        "#SBATCH --gres=gpu:2\n"
        "#SBATCH --time=91\n"
        "#SBATCH --partition=short,long\n"
        "#SBATCH --exclusive\n"
        "#SBATCH --comment='it'\"'\"'s \"so\" # \\\\n é; $HOME `id`'\n"
        'exec >>/runs/r1/batch/logs/"$SLURM_ARRAY_TASK_ID".txt 2>&1\n'
        "exec /env/bin/python -S -c 'import x; x.main('\"'\"'a b'\"'\"')' /runs/r1/batch "
        '"$SLURM_ARRAY_TASK_ID"\n'
    )


def test_one_element_is_a_plain_job() -> None:
    assert script(Placement(), counts=[3]) == (
        "#!/bin/sh\n"
        "# Written by pyCyto; it can be submitted again as it is: sbatch submit.sh\n"
        "#SBATCH --job-name=cyto-r1-seg\n"
        "#SBATCH --chdir=/\n"
        "#SBATCH --output=/runs/r1/batch/logs/0.txt\n"
        "#SBATCH --open-mode=append\n"
        "#SBATCH --no-requeue\n"
        "exec >>/runs/r1/batch/logs/0.txt 2>&1\n"
        "exec /env/bin/python -S -c 'import x; x.main('\"'\"'a b'\"'\"')' /runs/r1/batch 0\n"
    )


@pytest.mark.parametrize("name", ["%j", "a\nb", 'q"', "it's", "a\\b", "$HOME", "é", "#"])
def test_slurm_is_given_no_path_that_it_would_misread(name: str) -> None:
    folder = f"/runs/{name}/batch"
    text = script(folder=folder)
    assert "--output=/dev/null" in options(text)
    words = shlex.split(text[text.index("exec >>") :])
    assert words[1] == f">>{folder}/logs/$SLURM_ARRAY_TASK_ID.txt"
    assert words[-2:] == [folder, "$SLURM_ARRAY_TASK_ID"]


def test_a_space_is_no_trouble() -> None:
    assert "--output='/runs/a b/logs/%a.txt'" in options(script(folder="/runs/a b"))


@pytest.mark.parametrize(
    ("given", "gone"),
    [
        (("mem-per-cpu", "2G"), "--mem="),
        (("mem-per-gpu", "2G"), "--mem="),
        (("cpus-per-gpu", "2"), "--cpus-per-task="),
        (("gres", "gpu:a100:2"), "--gres=gpu:2"),
        (("gpus-per-node", "2"), "--gres="),
        (("time", "30"), "--time=91"),
        (("requeue", ""), "--no-requeue"),
    ],
)
def test_an_option_under_its_own_name_replaces_what_the_neutral_one_would_make(given, gone) -> None:
    from dataclasses import replace

    text = options(script(replace(FULL, launcher_options=(given,))))
    wanted = f"--{given[0]}={given[1]}" if given[1] else f"--{given[0]}"
    assert text.count(wanted) == 1
    assert not [option for option in text if option.startswith(gone)]


def test_the_time_of_a_packed_job_is_that_of_all_its_tasks() -> None:
    placement = Placement(resources=Resources(walltime_s=90))
    assert "--time=2" in options(script(placement))
    assert "--time=15" in options(script(placement, counts=[10, 9]))


def test_an_option_with_a_line_break_is_refused() -> None:
    placement = Placement(launcher_options=(("comment", "a\n#SBATCH --mem=1"),))
    with pytest.raises(SubmissionError, match="--comment cannot hold a line break"):
        script(placement)


def test_the_program_starts_lean() -> None:
    command = python_command()
    assert {"-S", "-E"} <= set(command)
    assert "cyto.runners.batch" in command[-1]


@pytest.mark.parametrize(
    ("count", "limit", "sizes"),
    [
        (0, 5, []),
        (3, 5, [1, 1, 1]),
        (5, 5, [1] * 5),
        (10, 4, [2, 3, 2, 3]),
        (4, 0, [4]),
        (9, 1, [9]),
    ],
)
def test_packed(count: int, limit: int, sizes: list[int]) -> None:
    made = packed(list(range(count)), limit)
    assert [len(element) for element in made] == sizes
    assert [one for element in made for one in element] == list(range(count))
