"""cwltool: a workflow in the Common Workflow Language, as its command runs it."""

from __future__ import annotations

import json

from protocol import UnsupportedError, Wish, answer, need, time_command


def time_it(wish: Wish) -> float:
    """Time the whole command."""
    if wish.sif:
        raise UnsupportedError("cwltool takes Apptainer's images from a registry")
    if wish.docker:
        need("docker")
    (wish.folder / "flow.cwl").write_text(json.dumps(_flow(wish)))
    options = ["--parallel", "--disable-pull", "--outdir", str(wish.folder / "out")]
    return time_command(["cwltool", *options, "flow.cwl", "--value", "1"], wish.folder)


def _flow(wish: Wish) -> dict:
    names = [f"n{number}" for number in range(wish.count)]
    steps = {}
    for name, before in zip(names, ["", *names[:-1]], strict=True):
        source = f"{before}/value" if wish.shape == "chain" and before else "value"
        steps[name] = {"run": _tool(wish), "in": {"value": source}, "out": ["value"]}
    ends = names[-1:] if wish.shape == "chain" else names
    return {
        "cwlVersion": "v1.2",
        "class": "Workflow",
        "inputs": {"value": "int"},
        "outputs": {name: {"type": "int", "outputSource": f"{name}/value"} for name in ends},
        "steps": steps,
    }


def _tool(wish: Wish) -> dict:
    tool = {
        "class": "CommandLineTool",
        "baseCommand": ["python3", "-c", "pass"] if wish.docker else ["true"],
        "inputs": {"value": "int"},
        "outputs": {"value": {"type": "int", "outputBinding": {"outputEval": "$(inputs.value)"}}},
    }
    if wish.docker:
        tool["requirements"] = {"DockerRequirement": {"dockerPull": wish.docker}}
    return tool


if __name__ == "__main__":
    answer(time_it)
