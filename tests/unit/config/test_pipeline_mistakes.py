"""What each mistake in a pipeline is answered with."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from cyto.config import load_pipeline
from cyto.errors import ConfigError

Write = Callable[..., Any]

TASK = "tasks:\n  seg:\n    module: a.B\n"
KEYS = "known keys: module, params, inputs, dependencies, tags, output, retries"
BAD = [
    # text with the place marked, key path, words of the message, words of the hint
    ("¦taks: {}\ntasks: {a: {module: a.B}}", "taks", "unknown key 'taks'", "did you mean 'tasks'?"),
    (TASK + "    ¦param: {a: 1}", "tasks.seg.param", "unknown key", "did you mean 'params'?"),
    (TASK + "    ¦param: {a: 1}", "tasks.seg.param", "unknown key", KEYS),
    (TASK + "    ¦image: x", "tasks.seg.image", "unknown key", "in the resources file"),
    (TASK + "    ¦diameter: 3", "tasks.seg.diameter", "unknown key 'diameter'", "known keys"),
    (TASK + "¦default_profile: x", "default_profile", "unknown key", "the resources file"),
    (TASK + "¦params: {}", "params", "unknown key", "a key of a node, under tasks"),
    ("¦channels: {a: x}", "", "the key 'tasks' is missing", ""),
    ("tasks: ¦{}", "tasks", "expected at least 1 entry, received a mapping", ""),
    ("tasks: ¦3", "tasks", "expected a mapping ('key: value' pairs), received 3", ""),
    ("tasks: ¦[a]", "tasks", "expected a mapping ('key: value' pairs), received a list", ""),
    ("tasks:\n  ¦seg: {}", "tasks.seg", "the key 'module' is missing", ""),
    ("tasks:\n  seg:¦", "tasks.seg", "received nothing", ""),
    ("tasks:\n  seg: {module: ¦3}", "tasks.seg.module", "expected text, received 3", ""),
    ("tasks:\n  seg: {module: ¦cyto}", "tasks.seg.module", "the dotted path of a class", ""),
    ("tasks:\n  seg: {module: ¦a.b-c}", "tasks.seg.module", "received 'a.b-c'", ""),
    (TASK + "    params: ¦[1]", "tasks.seg.params", "expected a mapping", ""),
    (TASK + "    dependencies: ¦3", "tasks.seg.dependencies", "expected a list, received 3", ""),
    (TASK + "    dependencies: ¦seg2", "tasks.seg.dependencies", "received 'seg2'", ""),
    (TASK + "    dependencies: [¦1]", "tasks.seg.dependencies.0", "expected text", ""),
    (TASK + "    tags: [a, ¦'']", "tasks.seg.tags.1", "text that is not empty", ""),
    (
        TASK + "    output: ¦'true'",
        "tasks.seg.output",
        "or a mapping with images, compression, parquet, files, received 'true'",
        "",
    ),
    (
        TASK + "    output: ¦1",
        "tasks.seg.output",
        "expected true or false, or a mapping with images",
        "",
    ),
    (TASK + "    retries: ¦-1", "tasks.seg.retries", "expected 0 or more, received -1", ""),
    (TASK + "    retries: ¦1.5", "tasks.seg.retries", "expected a whole number", ""),
    (TASK + "    retries: ¦true", "tasks.seg.retries", "received true", ""),
    (TASK + "    retries: ¦1000", "tasks.seg.retries", "expected 100 or less", ""),
    (TASK + "    inputs: ¦[a]", "tasks.seg.inputs", "'key: channel' or 'key: node.key'", ""),
    (TASK + "    inputs: {image: ¦3}", "tasks.seg.inputs.image", "expected text, received 3", ""),
    (TASK + "    inputs: ¦sgg.label", "tasks.seg.inputs", "no channel or node 'sgg'", "'seg'?"),
    (
        "channels: {tcell: a}\n" + TASK + "    inputs: {image: ¦tcel}",
        "tasks.seg.inputs.image",
        "there is no channel or node 'tcel'",
        "did you mean 'tcell'?",
    ),
    (TASK + "    inputs: {x: ¦zzz}", "tasks.seg.inputs.x", "no channel or node 'zzz'", "seg"),
    (TASK + "    inputs: {x: ¦.label}", "tasks.seg.inputs.x", "is no channel, node", "write"),
    (TASK + "    inputs: {x: ¦seg.}", "tasks.seg.inputs.x", "is no channel, node", "write"),
    (
        "channels: {tcell: a}\n" + TASK + "    inputs: {image: ¦tcell.image}",
        "tasks.seg.inputs.image",
        "the channel 'tcell' has no keys",
        "write 'tcell' alone",
    ),
    (TASK + "    dependencies: [¦sge]", "tasks.seg.dependencies.0", "no node 'sge'", "'seg'?"),
    (
        "channels: {tcell: a}\n" + TASK + "    dependencies: [¦tcell]",
        "tasks.seg.dependencies.0",
        "there is no node 'tcell'",
        "that is a channel: name it in inputs",
    ),
    ("tasks:\n  ¦a b: {module: a.B}", "tasks.a b", "'a b' cannot be a name", "letters, digits"),
    ("tasks:\n  ¦a.b: {module: a.B}", "tasks.a.b", "'a.b' cannot be a name", "letters, digits"),
    ("tasks:\n  ¦../x: {module: a.B}", "tasks.../x", "cannot be a name", "letters, digits"),
    ("tasks:\n  ¦-x: {module: a.B}", "tasks.-x", "cannot be a name", "begins with a letter"),
    ("tasks:\n  ¦default: {module: a.B}", "tasks.default", "cannot name a node", ""),
    ("tasks:\n  ¦logs: {module: a.B}", "tasks.logs", "the output folder has a folder", ""),
    (
        "channels: {seg: x}\ntasks:\n  ¦seg: {module: a.B}",
        "tasks.seg",
        "'seg' is a channel already",
        "another name",
    ),
    (TASK + "channels: {¦a b: x}", "channels.a b", "'a b' cannot be a name", ""),
    (TASK + "channels: {a: ¦3}", "channels.a", "expected the path of images", ""),
    (TASK + "channels: {a: ¦[x, y]}", "channels.a", "received a list", ""),
    (TASK + "channels: {a: ¦''}", "channels.a", "text that is not empty", ""),
    (TASK + 'channels: {a: ¦"x\\0y"}', "channels.a", "cannot hold the character NUL", ""),
    (TASK + "channels: {¦a: {channel: 1}}", "channels.a", "the key 'path' is missing", ""),
    (TASK + "channels: {a: {path: x, ¦chanel: 1}}", "channels.a.chanel", "unknown", "'channel'?"),
    (TASK + "channels: {a: {path: x, channel: ¦-1}}", "channels.a.channel", "0 or more", ""),
    (TASK + "channels: {a: {path: x, channel: ¦1.5}}", "channels.a.channel", "number", ""),
    (TASK + "channels: {a: {path: x, frames: ¦[1]}}", "channels.a.frames", "[start, stop]", ""),
    (TASK + "channels: {a: {path: x, frames: ¦[5, 5]}}", "channels.a.frames", "nothing", ""),
    (TASK + "channels: {a: {path: x, frames: ¦[0, 5, 0]}}", "channels.a.frames", "step", ""),
    (TASK + "channels: {a: {path: x, frames: [¦-1, 5]}}", "channels.a.frames.0", "0 or", ""),
    (TASK + "channels: {a: {path: x, crop: {¦z: 1}}}", "channels.a.crop.z", "unknown", "x, y"),
    (TASK + "channels: {a: {path: x, crop: {y: ¦[9, 3]}}}", "channels.a.crop.y", "nothing", ""),
    (TASK + "channels: {a: {path: x, crop: {y: ¦[9]}}}", "channels.a.crop.y", "first row", ""),
    (TASK + "channels: {a: {path: x, axes: ¦tyx}}", "channels.a.axes", "such as TCYX", ""),
    (
        TASK + "channels: {a: {path: x, pixel_size_um: ¦0}}",
        "channels.a.pixel_size_um",
        "expected more than 0, received 0",
        "",
    ),
    (TASK + "pixel_size_um: ¦-1", "pixel_size_um", "expected more than 0", ""),
    (TASK + "frame_interval_s: ¦.inf", "frame_interval_s", "expected a finite number", ""),
    (TASK + "frame_interval_s: ¦1min", "frame_interval_s", "a number, received '1min'", ""),
    (TASK + "seed: ¦1.0", "seed", "expected a whole number, received 1.0", ""),
    (TASK + "seed: ¦-1", "seed", "expected 0 or more", ""),
    (TASK + "output_dir: ¦[x]", "output_dir", "expected text, received a list", ""),
    (TASK + "execution_profile: ¦3", "execution_profile", "expected text, received 3", ""),
    (TASK + "description: ¦3", "description", "expected text, received 3", ""),
    ("channels: {a: /}\n¦pipeline:\n  segmentation: []", "pipeline", "no stage has a step", ""),
    ("¦execution_configs: {a: {}}", "execution_configs", "this is a resources file", "beside it"),
]


@pytest.mark.parametrize(("text", "path", "message", "hint"), BAD)
def test_each_mistake_has_its_place_and_words(
    write: Write, text: str, path: str, message: str, hint: str
) -> None:
    file = write(text)
    with pytest.raises(ConfigError) as caught:
        load_pipeline(file.path)
    assert len(caught.value.problems) == 1, str(caught.value)
    problem = caught.value.problems[0]
    assert problem.path == path
    assert message in problem.message
    assert hint in problem.hint
    assert (problem.file, problem.line, problem.column) == file.place
    key = f"{path}: " if path else ""
    assert str(problem).startswith(f"{file.path}:{file.line}:{file.column}: {key}")
    words = str(problem).lower()
    assert not any(word in words for word in ("pydantic", "input should", "https://", "<text>"))
