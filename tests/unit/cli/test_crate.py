"""The output folder of a run is an RO-Crate, whatever happened."""

from __future__ import annotations

import hashlib
import json
import re
import signal
from pathlib import Path
from urllib.parse import unquote

import pytest

PIPELINE = """
description: A movie, and a brighter one.
authors:
  - Second Author
  - {name: First Author, orcid: 0000-0002-1825-0097, affiliation: Your Institute}
license: CC-BY-4.0
channels: {tcell: movie.tif}
tasks:
  scale: {module: MODULE.Scale, params: {factor: 3, mode: 'a "b" ü'}, output: true}
  again: {module: MODULE.Scale, inputs: {image: scale}, output: true}
  rest: {module: MODULE.Scale, inputs: {image: again}}
"""
FAILING = """
channels: {tcell: movie.tif}
tasks:
  scale: {module: MODULE.Scale, output: true}
  wrong: {module: MODULE.WrongRank}
  after: {module: MODULE.Scale, inputs: {image: scale}, dependencies: [wrong]}
"""
DONE, FAILED = (f"http://schema.org/{word}ActionStatus" for word in ("Completed", "Failed"))


def graph_of(folder: Path) -> dict[str, dict]:
    text = (folder / "ro-crate-metadata.json").read_text(encoding="utf-8")
    return {entity["@id"]: entity for entity in json.loads(text)["@graph"]}


def action(graph: dict[str, dict], node: str) -> dict:
    (found,) = (e for name, e in graph.items() if re.fullmatch(rf"#[0-9a-f-]+/{node}", name))
    return found


def refs(value: object) -> list[str]:
    return [ref["@id"] for ref in (value if isinstance(value, list) else [value])]


def run_action(graph: dict[str, dict]) -> dict:
    workflow = graph["./"]["mainEntity"]
    (found,) = (e for e in graph.values() if e.get("instrument") == workflow)
    return found


def sha256(path: Path) -> str:
    return hashlib.sha256(path.read_bytes()).hexdigest()


def test_a_run_that_is_done(lab, call, validate_crate):
    assert call("run", lab.write(PIPELINE), "--set", "tasks.again.params.factor=4").code == 0
    output = lab / "output"
    assert validate_crate(output) == []
    graph = graph_of(output)
    root, run = graph["./"], run_action(graph)
    assert root["license"] == {"@id": "https://spdx.org/licenses/CC-BY-4.0"}
    assert root["description"] == "A movie, and a brighter one."
    assert [graph[ref]["name"] for ref in refs(root["author"])] == [
        "Second Author",
        "First Author",
    ]
    person = graph["https://orcid.org/0000-0002-1825-0097"]
    assert graph[refs(person["affiliation"])[0]]["name"] == "Your Institute"
    assert run["actionStatus"] == DONE
    assert run["description"] == "cyto run pipeline.x.yaml --set tasks.again.params.factor=4"
    assert run["startTime"] < action(graph, "scale")["startTime"] < run["endTime"]
    assert refs(run["result"]) == ["scale/image.ome.tif", "again/image.ome.tif"]
    for ref in refs(run["result"]):
        assert graph[ref]["sha256"] == sha256(output / ref)
        assert int(graph[ref]["contentSize"]) == (output / ref).stat().st_size


def test_what_went_in_and_out_of_each_node(lab, call):
    assert call("run", lab.write(PIPELINE)).code == 0
    graph = graph_of(lab / "output")
    movie = graph[(lab / "movie.tif").as_uri()]
    assert movie["sha256"] == sha256(lab / "movie.tif")
    assert int(movie["contentSize"]) == (lab / "movie.tif").stat().st_size
    channel = graph["#channel/tcell"]
    assert refs(channel["hasPart"]) == [movie["@id"]]
    assert channel["description"] == "3 × 8 × 9 (TYX), uint16"
    scale, again, rest = (action(graph, node) for node in ("scale", "again", "rest"))
    given = {graph[r]["name"]: graph[r].get("value") for r in refs(scale["object"])}
    assert given == {"tcell": None, "factor": "3", "mode": 'a "b" ü'}
    assert refs(again["object"])[0] == refs(scale["result"])[0] == "scale/image.ome.tif"
    assert graph[refs(rest["result"])[0]]["additionalType"] == "image"
    tool = graph[refs(scale["instrument"])[0]]
    assert tool["name"] == f"{lab.module}.Scale"
    assert tool["softwareVersion"].startswith("source ")
    steps = [graph[ref] for ref in refs(graph["workflow/pipeline.x.yaml"]["step"])]
    assert [(step["name"], step["position"]) for step in steps] == [
        ("scale", "0"), ("again", "1"), ("rest", "2")
    ]  # fmt: skip
    assert (lab / "output/workflow" / f"{lab.module}.py").read_bytes() == (
        lab / f"{lab.module}.py"
    ).read_bytes()


def test_a_run_with_failures(lab, call, validate_crate):
    assert call("run", lab.write(FAILING)).code == 1
    assert validate_crate(lab / "output") == []
    graph = graph_of(lab / "output")
    assert run_action(graph)["actionStatus"] == FAILED
    assert "wrong: " in run_action(graph)["error"]
    assert action(graph, "scale")["actionStatus"] == DONE
    assert "image" not in action(graph, "wrong")["error"]
    assert action(graph, "wrong")["error"] in run_action(graph)["error"]
    assert "startTime" in action(graph, "wrong")
    after = action(graph, "after")
    assert (after["actionStatus"], "startTime" in after) == (FAILED, False)
    assert "was not started" in after["description"]
    assert graph["./"]["license"].startswith("No licence is stated")


def test_a_run_in_which_nothing_was_made(lab, call, validate_crate):
    pipeline = "channels: {t: movie.tif}\ntasks: {wrong: {module: MODULE.WrongRank, output: true}}"
    assert call("run", lab.write(pipeline)).code == 1
    assert validate_crate(lab / "output") == []


HOLD = """

from pathlib import Path
import time
class Hold(PipelineTask):
    \"\"\"Wait for ever.\"\"\"
    inputs = {"image": Port("image")}
    outputs = {"value": Port("value")}
    def run_baremetal(self, data):
        Path(__file__).with_suffix(".ran").touch()
        time.sleep(600)
        return {"value": 7}
"""


def test_a_run_that_is_stopped(lab, validate_crate, wait_for, nothing_left):
    lab.tasks((lab / f"{lab.module}.py").read_text() + HOLD)
    lab.write(
        "channels: {t: movie.tif}\n"
        "tasks:\n"
        "  scale: {module: MODULE.Scale, output: true}\n"
        "  hold: {module: MODULE.Hold, inputs: {image: scale}}\n"
        "  last: {module: MODULE.Hold, inputs: {image: scale}, dependencies: [hold]}\n"
    )
    child = lab.start("run", lab.pipeline)
    wait_for((lab / f"{lab.module}.ran").exists)
    child.send_signal(signal.SIGINT)
    _, err = child.communicate(timeout=60)
    assert child.returncode == 130, err
    assert validate_crate(lab / "output") == []
    graph = graph_of(lab / "output")
    assert run_action(graph)["actionStatus"] == FAILED
    assert run_action(graph)["error"].startswith("stopped; hold: ")
    assert "startTime" in action(graph, "hold")
    assert "startTime" not in action(graph, "last")


def test_what_was_there_before_has_the_times_of_the_run_that_made_it(lab, call):
    assert call("run", lab.write(PIPELINE)).code == 0
    crate = lab / "output/ro-crate-metadata.json"
    written = crate.read_bytes()
    first = action(graph_of(lab / "output"), "scale")
    assert call("run", lab.pipeline).code == 0
    assert crate.read_bytes() == written, "it tells of the run that made everything"
    crate.unlink()
    assert call("run", lab.pipeline).code == 0
    second = action(graph_of(lab / "output"), "scale")
    assert second["name"] == "scale: cached"
    assert (second["startTime"], second["endTime"]) == (first["startTime"], first["endTime"])
    assert first["@id"].split("/")[0].lstrip("#") in second["description"]


@pytest.mark.parametrize("name", ["a b", "Zürich ☃", "q'u\"o;te$(x)", "100%25 #1?", "new\nline"])
def test_hostile_names(lab, call, validate_crate, name):
    folder = lab / name
    folder.mkdir()
    (lab / "movie.tif").rename(folder / f"{name}.tif")
    pipeline = lab.write(PIPELINE.replace("movie.tif", json.dumps(f"{name}/{name}.tif")))
    assert call("run", pipeline, "-o", folder / "out").code == 0
    assert validate_crate(folder / "out") == []
    graph = graph_of(folder / "out")
    (movie,) = refs(graph["#channel/tcell"]["hasPart"])
    assert Path(unquote(movie.removeprefix("file://"))) == folder / f"{name}.tif"


def test_an_input_below_the_output_folder_is_a_part_of_the_crate(lab, call, validate_crate):
    assert call("run", lab.write(PIPELINE), "-o", lab.folder).code == 0
    assert validate_crate(lab.folder) == []
    assert refs(graph_of(lab.folder)["#channel/tcell"]["hasPart"]) == ["movie.tif"]
    assert lab.pipeline.read_text() == (lab / "workflow/pipeline.x.yaml").read_text()


def test_samples(lab, call, validate_crate):
    for name in ("w1", "w2"):
        lab.image(f"{name}.tif", (2, 4, 4))
    lab.write("sample,treatment\nw1,x\nw2,y\nw3,y\n", "samples.csv")
    lab.write(
        "samples: samples.csv\nchannels: {m: '{sample}.tif'}\n"
        "tasks: {scale: {module: MODULE.Scale, output: true}}\n"
    )
    assert call("run", lab.pipeline).code == 1
    assert validate_crate(lab / "output") == []
    graph = graph_of(lab / "output")
    assert [action(graph, f"w{i}/scale")["actionStatus"] for i in (1, 2, 3)] == [DONE, DONE, FAILED]
    assert "no such file" in action(graph, "w3/scale")["error"]
    assert refs(graph["workflow/pipeline.x.yaml"]["step"]) == ["#step/scale"]
    assert (lab / "output/workflow/samples.csv").exists()
    assert graph["w1/scale/image.ome.tif"]["exampleOfWork"] == {"@id": "#output/scale.image"}


def test_folders_in_and_out(lab, call, validate_crate):
    pytest.importorskip("zarr")
    images = "tasks: {scale: {module: MODULE.Scale, output: {images: ome-zarr}}}"
    assert call("run", lab.write(f"channels: {{t: movie.tif}}\n{images}")).code == 0
    assert validate_crate(lab / "output") == []
    made = graph_of(lab / "output")["scale/image.ome.zarr/"]
    assert made["@type"] == "Dataset"
    assert made["identifier"].startswith("xxh3:")
    again = lab / "output/scale/image.ome.zarr"
    assert call("run", lab.write(f"channels: {{t: {again}}}\n{images}"), "-o", lab / "o2").code == 0
    assert validate_crate(lab / "o2") == []
    assert refs(graph_of(lab / "o2")["#channel/t"]["hasPart"]) == [again.as_uri() + "/"]


def test_the_validator_finds_what_is_wrong(lab, call, validate_crate):
    assert call("run", lab.write(PIPELINE)).code == 0
    path = lab / "output/ro-crate-metadata.json"
    whole = path.read_text()
    graph = json.loads(whole)
    for entity in graph["@graph"]:
        if entity["@type"] == "ControlAction":
            del entity["instrument"]
    path.write_text(json.dumps(graph))
    assert {issue["severity"] for issue in validate_crate(lab / "output")} == {"REQUIRED"}
    path.write_text(whole)
    (lab / "output/scale/image.ome.tif").unlink()
    assert any("scale/image.ome.tif" in i["message"] for i in validate_crate(lab / "output"))


def test_that_it_cannot_be_written_is_a_warning(lab, call):
    (lab / "output/ro-crate-metadata.json").mkdir(parents=True)
    answer = call("run", lab.write(PIPELINE))
    assert answer.code == 0
    assert "warning: the run's RO-Crate could not be written: IsADirectoryError" in answer.err
    assert [p.name for p in (lab / "output").glob(".*crate")] == []


def test_the_copies_are_what_was_run(lab, call):
    pipeline = lab.write(PIPELINE)
    before = pipeline.read_text()
    lab.write(
        "execution_configs: {hybrid: {default: {type: baremetal}}}\n", "pipeline-resources.x.yaml"
    )
    assert call("run", pipeline).code == 0
    copies = lab / "output/workflow"
    assert (copies / pipeline.name).read_text() == before
    assert (copies / "pipeline-resources.x.yaml").exists()
    (copies / "notes.txt").write_text("mine")
    (lab / "pipeline-resources.x.yaml").unlink()
    assert call("run", pipeline).code == 0
    assert not (copies / "pipeline-resources.x.yaml").exists(), "it belonged to the run before"
    assert (copies / "notes.txt").read_text() == "mine"


def test_a_users_own_file_is_never_replaced(lab, call):
    own = lab / "output/workflow/pipeline.x.yaml"
    own.parent.mkdir(parents=True)
    own.write_text("mine")
    ran = call("run", lab.write(PIPELINE))
    assert ran.code == 0
    assert own.read_text() == "mine"
    assert "is not a copy that pyCyto made" in ran.err


@pytest.mark.parametrize("text", ['{"@graph": []}', "\x00\xff"])
def test_a_users_own_crate_is_never_replaced(lab, call, text):
    own = lab / "output/ro-crate-metadata.json"
    own.parent.mkdir(parents=True)
    own.write_text(text, encoding="latin-1")
    ran = call("run", lab.write(PIPELINE))
    assert ran.code == 0
    assert own.read_text(encoding="latin-1") == text
    assert "is not of pyCyto" in ran.err
