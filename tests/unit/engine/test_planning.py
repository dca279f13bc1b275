"""From files to a plan: what each input gets, and what is said where that is not clear."""

from __future__ import annotations

import pytest

from cyto.engine.planning import make_plan
from cyto.errors import ConfigError

HEAD = "channels: {tcell: movie.tif, cancer: movie.tif}\ntasks:\n"
ONE = "channels: {tcell: movie.tif}\ntasks:\n"


def inputs(lab, text, node, **kwargs):
    plan = make_plan(lab.write(text), **kwargs)
    return {key: str(source) for key, source in plan.nodes[node].inputs.items()}


def refused(lab, text, **kwargs):
    with pytest.raises(ConfigError) as caught:
        make_plan(lab.write(text), **kwargs)
    return caught.value.problems


WIRED = {
    # pipeline, node, its inputs
    "a channel by its key": (
        HEAD + "  a: {module: MODULE.Scale, inputs: {image: cancer}}",
        "a", {"image": "cancer"},
    ),
    "a channel alone": (
        HEAD + "  a: {module: MODULE.Scale, inputs: tcell}", "a", {"image": "tcell"},
    ),
    "a root gets the only channel": (
        ONE + "  a: {module: MODULE.Scale}", "a", {"image": "tcell"},
    ),
    "a root that takes nothing gets nothing": (
        ONE + "  a: {module: MODULE.Source}", "a", {},
    ),
    "a plain root gets the only channel": (
        ONE + "  a: {module: MODULE.Plain}", "a", {"image": "tcell"},
    ),
    "a node's only output": (
        ONE + "  a: {module: MODULE.Scale}\n  b: {module: MODULE.Mark, inputs: {image: a}}",
        "b", {"image": "a.image"},
    ),
    "the output of the same name": (
        ONE + "  a: {module: MODULE.Mark}\n  b: {module: MODULE.Table, inputs: {label: a}}",
        "b", {"label": "a.label"},
    ),
    "the only output of the kind": (
        ONE + "  a: {module: MODULE.Mark}\n  b: {module: MODULE.Wait, inputs: {value: a}}",
        "b", {"value": "a.count"},
    ),
    "a label where an image is wanted": (
        ONE + "  a: {module: MODULE.Mark}\n  b: {module: MODULE.Scale, inputs: {image: a.label}}",
        "b", {"image": "a.label"},
    ),
    "the only output that fits": (
        ONE + "  a: {module: MODULE.Undeclared}\n  b: {module: MODULE.Scale, inputs: {image: a}}",
        "b", {"image": "a.label"},
    ),
    "an output by its key": (
        ONE + "  a: {module: MODULE.Two}\n  b: {module: MODULE.Scale, inputs: {image: a.second}}",
        "b", {"image": "a.second"},
    ),
    "all that a node offers and the task takes": (
        ONE + "  a: {module: MODULE.Mark}\n  b: {module: MODULE.Table, inputs: a}",
        "b", {"label": "a.label"},
    ),
    "dependencies merged": (
        ONE + "  a: {module: MODULE.Scale}\n  m: {module: MODULE.Mark}\n"
        "  b: {module: MODULE.Table, dependencies: [a, m]}",
        "b", {"image": "a.image", "label": "m.label"},
    ),
    "inputs win over dependencies": (
        ONE + "  a: {module: MODULE.Scale}\n  m: {module: MODULE.Mark}\n"
        "  b: {module: MODULE.Table, inputs: {label: m}, dependencies: [a]}",
        "b", {"label": "m.label"},
    ),
    "further inputs by any name": (
        HEAD + "  m: {module: MODULE.Mark, inputs: tcell}\n"
        "  b: {module: MODULE.Table, inputs: {label: m, red: cancer, green: tcell}}",
        "b", {"label": "m.label", "red": "cancer", "green": "tcell"},
    ),
    "from a plain class anything": (
        ONE + "  p: {module: MODULE.Plain}\n  b: {module: MODULE.Scale, inputs: {image: p.odd}}",
        "b", {"image": "p.odd"},
    ),
    "from a plain class the key's own name": (
        ONE + "  p: {module: MODULE.Plain}\n  b: {module: MODULE.Scale, inputs: {image: p}}",
        "b", {"image": "p.image"},
    ),
}  # fmt: skip


@pytest.mark.parametrize("case", WIRED)
def test_what_an_input_gets(case, lab):
    text, node, expected = WIRED[case]
    assert inputs(lab, text, node) == expected


def test_inputs_imply_dependencies_and_the_order(lab):
    plan = make_plan(
        lab.write(
            ONE + "  c: {module: MODULE.Table, inputs: {label: b}}\n"
            "  b: {module: MODULE.Mark, inputs: {image: a}, dependencies: [s]}\n"
            "  a: {module: MODULE.Scale}\n  s: {module: MODULE.Source}"
        )
    )
    assert set(plan.nodes["b"].dependencies) == {"a", "s"}
    assert plan.nodes["c"].dependencies == ("b",)
    order = list(plan.nodes)
    assert order.index("a") < order.index("b") < order.index("c")
    assert order.index("s") < order.index("b")


REFUSED = {
    # pipeline, key path, words of the message, words of the hint
    "two that offer the same": (
        ONE + "  a: {module: MODULE.Scale}\n  b: {module: MODULE.Scale}\n"
        "  c: {module: MODULE.Mark, dependencies: [a, b]}",
        "tasks.c.dependencies", "both a.image and b.image offer 'image'",
        "say which: inputs: {image: a.image}",
    ),
    "an output that is never made": (
        ONE + "  a: {module: MODULE.Mark}\n"
        "  b: {module: MODULE.Table, inputs: {label: a.lable}}",
        "tasks.b.inputs.label", "node 'a' makes no 'lable'", "did you mean 'label'?",
    ),
    "an input that the task does not take": (
        ONE + "  b: {module: MODULE.Scale, inputs: {imagge: tcell}}",
        "tasks.b.inputs.imagge", "the task takes no input 'imagge'", "did you mean 'image'?",
    ),
    "several outputs and none of that name": (
        ONE + "  a: {module: MODULE.Two}\n  b: {module: MODULE.Scale, inputs: {image: a}}",
        "tasks.b.inputs.image", "node 'a' makes several things, and none is 'image'",
        "write a.KEY with one of: first, second",
    ),
    "a channel where a table is wanted": (
        ONE + "  b: {module: MODULE.Graph, inputs: {dataframe: tcell}}",
        "tasks.b.inputs.dataframe", "tcell is of kind image, and a dataframe is needed", "cells",
    ),
    "an output of the wrong kind": (
        ONE + "  a: {module: MODULE.Mark}\n  b: {module: MODULE.Graph, inputs: {dataframe: "
        "a.label}}",
        "tasks.b.inputs.dataframe", "a.label is of kind label, and a dataframe is needed", "",
    ),
    "a further input of the wrong kind": (
        ONE + "  a: {module: MODULE.Mark}\n"
        "  b: {module: MODULE.Table, inputs: {label: a, red: a.count}}",
        "tasks.b.inputs.red", "a.count is of kind value, and an image is needed", "",
    ),
    "a root in a pipeline of several channels": (
        HEAD + "  a: {module: MODULE.Scale}",
        "tasks.a.module", "the input 'image' (image: a movie) gets nothing",
        "write inputs: {image: …} with one of: tcell, cancer",
    ),
    "dependencies that offer nothing fitting": (
        ONE + "  a: {module: MODULE.Source}\n  b: {module: MODULE.Graph, dependencies: [a]}",
        "tasks.b.module", "the input 'dataframe' (dataframe: cells) gets nothing", "a.KEY",
    ),
    "an input left out": (
        HEAD + "  b: {module: MODULE.Table, inputs: {red: tcell}}",
        "tasks.b.inputs", "the input 'label' (label: cells) gets nothing", "label: …",
    ),
    "a cycle through inputs": (
        ONE + "  a: {module: MODULE.Scale, inputs: {image: b}}\n"
        "  b: {module: MODULE.Scale, inputs: {image: a}}",
        "tasks.a", "the nodes wait for each other: a → b → a", "take one of these",
    ),
    "a cycle through dependencies": (
        ONE + "  a: {module: MODULE.Source, dependencies: [c]}\n"
        "  b: {module: MODULE.Source, dependencies: [a]}\n"
        "  c: {module: MODULE.Source, dependencies: [b]}",
        "tasks.a", "a → b → c → a", "",
    ),
    "a node that waits for itself": (
        ONE + "  a: {module: MODULE.Source, dependencies: [a]}", "tasks.a", "a → a", "",
    ),
}  # fmt: skip


@pytest.mark.parametrize("case", REFUSED)
def test_what_is_said(case, lab):
    text, path, message, hint = REFUSED[case]
    problems = refused(lab, text)
    assert [p.path for p in problems] == [path]
    assert message in problems[0].message
    assert hint in problems[0].hint
    assert problems[0].file == str(lab.pipeline)
    assert problems[0].line is not None
    assert problems[0].column is not None


def test_all_problems_at_once_in_the_order_of_the_file(lab):
    problems = refused(
        lab,
        "channels: {tcell: nothing.tif}\ntasks:\n"
        "  a: {module: MODULE.Scale, params: {factr: 1}}\n"
        "  b: {module: MODULE.Mark, inputs: {imag: tcell}}\n"
        "  c: {module: MODULE.Mark, inputs: {image: tcell}}\n",
    )
    assert [p.path for p in problems] == [
        "channels.tcell",
        "tasks.a.params.factr",
        "tasks.b.inputs.imag",
    ]


def test_a_problem_of_one_node_does_not_make_others(lab):
    problems = refused(
        lab,
        ONE + "  a: {module: MODULE.Scaled}\n  b: {module: MODULE.Mark, inputs: {image: a}}\n",
    )
    assert [p.path for p in problems] == ["tasks.a.module"]


def test_channels_that_nobody_reads_are_not_looked_at(lab):
    plan = make_plan(
        lab.write(
            "channels: {tcell: movie.tif, other: nothing.tif}\n"
            "tasks: {a: {module: MODULE.Scale, inputs: tcell}}"
        )
    )
    assert list(plan.channels) == ["tcell"]


def test_only(lab):
    text = (
        ONE + "  a: {module: MODULE.Scale}\n  b: {module: MODULE.Mark, inputs: {image: a}}\n"
        "  c: {module: MODULE.Table, inputs: {label: b}}\n  d: {module: MODULE.Source}"
    )
    assert list(make_plan(lab.write(text), only=["b"]).nodes) == ["a", "b"]
    assert set(make_plan(lab.write(text), only=["b", "d"]).nodes) == {"a", "b", "d"}
    problem = refused(lab, text, only=["bb"])[0]
    assert "there is no node 'bb'" in problem.message
    assert problem.file == "--only"


def test_only_does_not_look_at_the_images_of_other_nodes(lab):
    text = (
        "channels: {tcell: movie.tif, gone: gone.tif}\ntasks:\n"
        "  a: {module: MODULE.Scale, inputs: tcell}\n  b: {module: MODULE.Mark, inputs: gone}"
    )
    assert list(make_plan(lab.write(text), only=["a"]).nodes) == ["a"]


def test_parameters_are_complete_and_paths_absolute(lab):
    (lab / "model.bin").write_text("x")
    text = ONE + "  a: {module: MODULE.Scale}\n  m: {module: MODULE.Model, params: {model: %s}}"
    plan = make_plan(lab.write(text % "model.bin"))
    assert plan.nodes["a"].params == {"factor": 2}
    assert plan.nodes["m"].params == {"model": str(lab / "model.bin")}
    assert plan.nodes["m"].path_params == ("model",)
    assert make_plan(lab.write(text % "cyto2")).nodes["m"].path_params == ()


def test_output_dir_is_relative_to_the_file_or_to_here(lab, monkeypatch, tmp_path):
    monkeypatch.chdir(tmp_path)
    text = ONE + "  a: {module: MODULE.Scale}"
    assert make_plan(lab.write(text)).output_dir == lab / "output"
    assert make_plan(lab.write("output_dir: other\n" + text)).output_dir == lab / "other"
    assert make_plan(lab.write(text), output_dir="mine").output_dir == tmp_path / "mine"


def test_calibration_of_channels(lab):
    plan = make_plan(
        lab.write(
            "pixel_size_um: 0.65\nframe_interval_s: 60\n"
            "channels: {a: movie.tif, b: {path: movie.tif, pixel_size_um: 0.5, frames: [0, 2]}}\n"
            "tasks:\n  x: {module: MODULE.Table, inputs: {label: m, red: a, green: b}}\n"
            "  m: {module: MODULE.Mark, inputs: a}"
        )
    )
    assert plan.channels["a"].pixel_size_um == 0.65
    assert plan.channels["b"].pixel_size_um == 0.5
    assert plan.channels["b"].frame_interval_s == 60
    assert plan.channels["b"].shape == (2, 8, 9)


def test_a_module_that_cannot_be_imported(lab):
    lab.write("raise RuntimeError('broken at import')", "broken_module_x.py")
    lab.write("import no_such_library_at_all\nclass T: pass", "heavy_module_x.py")
    problem = refused(lab, ONE + "  a: {module: broken_module_x.T}")[0]
    assert "cannot be imported: RuntimeError: broken at import" in problem.message
    problem = refused(lab, ONE + "  a: {module: heavy_module_x.T}")[0]
    assert "imports 'no_such_library_at_all', which is not installed here" in problem.message
    assert "pip install no_such_library_at_all" in problem.hint


def test_in_a_container_a_module_may_import_what_the_host_lacks(lab):
    lab.write("import no_such_library_at_all\nclass T: pass", "heavy_module_x.py")
    lab.write(
        "execution_configs: {c: {default: {runner: docker, image: x}}}\ndefault_profile: c",
        "pipeline-resources.x.yaml",
    )
    plan = make_plan(lab.write(ONE + "  a: {module: heavy_module_x.T}"))
    assert plan.nodes["a"].outputs is None
    assert plan.nodes["a"].inputs, "it may take the channel"
    assert "its parameters are not checked" in plan.warnings[0].hint
