"""Exported files under names that the user gave."""

from __future__ import annotations

import numpy as np
import pytest
import tifffile

from cyto.engine.manager import TaskManager
from cyto.engine.planning import make_plan
from cyto.errors import ConfigError

TASKS = '''
import pandas as pd
from cyto.task import PipelineTask, Port

class Both(PipelineTask):
    """Give a movie and a table."""
    inputs = {"image": Port("image")}
    outputs = {"image": Port("image"), "dataframe": Port("dataframe"), "text": Port("value")}
    def run_baremetal(self, data):
        table = pd.DataFrame({"a": [1, 2]})
        return {"image": data["image"], "dataframe": table, "text": "<a/>"}
'''
NODE = """\
channels: {c: movie.tif}
tasks:
  both:
    module: MODULE.Both
    output: OUTPUT
"""


@pytest.fixture
def lab(project):
    project.tasks(TASKS)
    project.pixels = project.image("movie.tif")
    return project


def run(path):
    report = TaskManager(make_plan(path)).run()
    assert report.exit_code == 0
    return report


def test_only_what_is_named_is_written(lab):
    names = "{image: x/a b.tif, text: x/y/a.xml}"
    report = run(lab.write(NODE.replace("OUTPUT", f"{{files: {names}}}")))
    out = lab / "output"
    found = sorted(str(p.relative_to(out)) for p in out.rglob("*") if p.is_file())
    assert [name for name in found if name[0] not in ".l"] == ["x/a b.tif", "x/y/a.xml"]
    np.testing.assert_array_equal(tifffile.imread(out / "x/a b.tif"), lab.pixels)
    assert (out / "x/y/a.xml").read_text() == "<a/>"
    assert [f.path for f in report.nodes["both"].findings] == [
        str(out / "x/a b.tif"), str(out / "x/y/a.xml"),
    ]  # fmt: skip


def test_another_name_writes_another_file(lab):
    run(lab.write(NODE.replace("OUTPUT", "{files: {image: a.tif}}")))
    report = run(lab.write(NODE.replace("OUTPUT", "{files: {image: b.tif}}")))
    assert report.nodes["both"].outcome.value == "cached"
    assert (lab / "output/b.tif").exists()


def test_each_sample_has_its_own(lab):
    for number, name in enumerate(("s1.tif", "s2.tif")):
        movie = lab.pixels + np.uint16(number)
        tifffile.imwrite(lab / name, movie, photometric="minisblack", metadata={"axes": "TYX"})
    text = NODE.replace("movie.tif", "'{sample}.tif'").replace(
        "OUTPUT", "{files: {image: x/a.tif}}"
    )
    path = lab.write("samples: [s1, s2]\n" + text)
    run(path)
    for number, name in enumerate(("s1", "s2")):
        image = tifffile.imread(lab / "output" / name / "x/a.tif")
        np.testing.assert_array_equal(image, lab.pixels + number)
    assert run(path).nodes["s2/both"].outcome.value == "cached"


@pytest.mark.parametrize(
    ("output", "path", "message"),
    [
        ("{files: {¦imag: a.tif}}", "files.imag", "node 'both' makes no 'imag'"),
        ("{files: {image: ¦a.png}}", "files.image", "must end in .tif or .tiff"),
        ("{files: {dataframe: ¦a.tif}}", "files.dataframe", "must end in .csv or .parquet"),
        ("{files: {image: ¦/a.tif}}", "files.image", "no file inside the output folder"),
        ("{files: {image: ¦../a.tif}}", "files.image", "no file inside the output folder"),
        ("{files: {image: ¦a//b.tif}}", "files.image", "no file inside the output folder"),
        ("{files: {image: ¦.cyto/a.tif}}", "files.image", "pyCyto's own folder"),
        ("{files: {image: ¦logs/a.tif}}", "files.image", "pyCyto's own folder"),
        ("{¦parquet: true, files: {dataframe: a.csv}}", "parquet", "no meaning beside files"),
        ("{files: {text: a.csv, dataframe: ¦a.csv}}", "files.dataframe", "written to 'a.csv' too"),
    ],
)
def test_names_that_cannot_be(lab, output, path, message):
    text = NODE.replace("OUTPUT", output)
    file = lab.write(text.replace("¦", ""))
    with pytest.raises(ConfigError) as caught:
        make_plan(file)
    (problem,) = caught.value.problems
    assert message in problem.message
    assert problem.path == f"tasks.both.output.{path}"
    before = text.partition("¦")[0]
    assert (problem.line, problem.column) == (
        before.count("\n") + 1, len(before) - before.rfind("\n"),
    )  # fmt: skip


def test_frames_and_crop_may_be_clipped(lab):
    text = NODE.replace("OUTPUT", "true")
    spans = "frames: [1, 99], crop: {y: [2, 99], x: [3, null]}"
    with pytest.raises(ConfigError, match="out of range"):
        make_plan(lab.write(text.replace("movie.tif", f"{{path: movie.tif, {spans}}}")))
    run(lab.write(text.replace("movie.tif", f"{{path: movie.tif, {spans}, clip: true}}")))
    image = tifffile.imread(lab / "output/both/image.ome.tif")
    np.testing.assert_array_equal(image, lab.pixels[1:, 2:, 3:])
