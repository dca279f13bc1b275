"""Samples: every form, and what each mistake is answered with."""

from __future__ import annotations

from pathlib import Path

import pytest

from cyto.config import load_pipeline, read_samples, varying_channels
from cyto.config.placeholders import escaped, filled, placeholders
from cyto.errors import ConfigError, Problem

TASKS = "channels:\n  c: data/{sample}.tif\ntasks:\n  seg: {module: a.B, inputs: {image: c}}\n"


def read(write, samples: str, tasks: str = TASKS, **kwargs):
    return read_samples(load_pipeline(write(f"samples: {samples}\n{tasks}").path, **kwargs))


def refused(write, samples: str, tasks: str = TASKS, **kwargs) -> list[Problem]:
    with pytest.raises(ConfigError) as caught:
        read(write, samples, tasks, **kwargs)
    return list(caught.value.problems)


def table(tmp_path: Path, text: str, name: str = "samples.csv") -> None:
    (tmp_path / name).write_bytes(text.encode())


def test_no_samples(write):
    config = load_pipeline(
        write("channels: {c: 'data/{a}.tif'}\n" + TASKS[TASKS.index("tasks") :]).path
    )
    assert read_samples(config) == ()
    assert varying_channels(config) == frozenset(), "a brace is a brace without samples"


def test_a_list_of_names(write):
    found = read(write, "[a1, b-2, 3]")
    assert [s.name for s in found] == ["a1", "b-2", "3"]
    assert all(s.conditions == {} and s.values == {"sample": s.name} for s in found)


def test_a_list_with_conditions(write):
    text = "\n  - {sample: a, treatment: x, dose: 0.5, ok: true, well: null}\n"
    text += "  - {sample: b, treatment: '7', dose: 2, ok: false, well: A1}"
    one, two = read(write, text)
    assert one.conditions == {"treatment": "x", "dose": 0.5, "ok": True, "well": None}
    assert one.values == {"sample": "a", "treatment": "x", "dose": "0.5", "ok": "true", "well": ""}
    assert two.conditions == {"treatment": "7", "dose": 2, "ok": False, "well": "A1"}
    assert (one.place.line, two.place.line) == (2, 3)


@pytest.mark.parametrize(
    ("files", "pattern", "names"),
    [
        (["s10.tif", "s2.tif", "x.png"], "data/*.tif", ["s2", "s10"]),
        (["a.ome.tif", "b.v1.tif", ".hidden.tif"], "data/*.tif", ["a", "b.v1"]),
        (["p1/c.tif", "p2.x/c.tif"], "data/*", ["p1", "p2.x"]),
        (["a.ome.zarr/zarr.json", "b.zarr/zarr.json"], "data/*.zarr", ["a", "b"]),
        (["x/y/one.tif", "x/two.tif"], "data/**/*.tif", ["two", "one"]),
    ],
)
def test_a_glob(write, tmp_path, files, pattern, names):
    for file in files:
        path = tmp_path / "data" / file
        path.parent.mkdir(parents=True, exist_ok=True)
        path.touch()
    found = read(write, pattern)
    assert sorted(s.name for s in found) == sorted(names)
    if "**" not in pattern:
        assert [s.name for s in found] == names, "as people count"
    for sample in found:
        assert Path(sample.values["path"]).is_absolute()
        assert Path(sample.values["path"]).exists()
        assert sample.conditions == {}, "where it lies is no condition"


def test_a_csv(write, tmp_path):
    table(
        tmp_path,
        "\ufeffwell, sample ,dose,time,donor,path,note\r\n01,a,1,0.5,7,x/y.tif,\r\n\r\n"
        '02,b,2,1e1,,"x, z.tif",late\r\n',
    )
    one, two = read(write, "samples.csv", TASKS.replace("{sample}", "{path}"))
    assert (one.name, two.name) == ("a", "b")
    assert one.conditions == {"well": "01", "dose": 1, "time": 0.5, "donor": 7, "note": None}
    assert two.conditions == {"well": "02", "dose": 2, "time": 10.0, "donor": None, "note": "late"}
    assert list(one.conditions) == ["well", "dose", "time", "donor", "note"]
    assert two.values["path"] == "x, z.tif"
    assert one.values["well"] == "01", "a placeholder has the text as it is written"
    assert (one.place.file, one.place.line) == (str(tmp_path / "samples.csv"), 2)
    assert two.place.line == 4


@pytest.mark.parametrize("mark", [";", "\t"])
def test_a_csv_of_a_spreadsheet(write, tmp_path, mark):
    table(tmp_path, f"name{mark}dose\na{mark}1,5\n")
    (sample,) = read(write, "samples.csv")
    assert (sample.name, sample.conditions) == ("a", {"dose": "1,5"})


def test_numbers_that_are_names(write, tmp_path):
    table(tmp_path, "sample,barcode,plate,mixed\na,12345678901234567890,007,1\nb,2,8,x\n")
    one, two = read(write, "samples.csv")
    assert one.conditions == {"barcode": "12345678901234567890", "plate": "007", "mixed": "1"}
    assert two.conditions["plate"] == "8"


MISTAKES = [
    # samples with the place marked, key path, words of the message, words of the hint
    ("¦3", "samples", "a glob, the path of a CSV file, or a list of samples, received 3", ""),
    ("¦[]", "samples", "expected at least 1 entry, received an empty list", ""),
    ("[¦1.5]", "samples.0", "expected a sample's name, or a mapping", ""),
    ("[{sample: a, x: ¦[1]}]", "samples.0.x", "expected text, a number, true or false", ""),
    ("[{sample: a, x: ¦.inf}]", "samples.0.x", "expected a finite number", ""),
    ("[¦{dose: 1}]", "samples.0", "the key 'sample', the sample's name, is missing", ""),
    ("[{sample: a, x: 1}, ¦{sample: b}]", "samples.1", "sample 'b' has no 'x'", "write null"),
    ("[a, ¦a]", "samples.1", "two samples are named 'a'", ""),
    ("[¦'a b']", "samples.0", "'a b' cannot name a sample", "a CSV can give other names"),
    ("[¦../up]", "samples.0", "'../up' cannot name a sample", ""),
    ("[¦logs]", "samples.0", "'logs' cannot name a sample: the output folder", ""),
    ("[¦seg]", "samples.0", "'seg' cannot name a sample: a node has that name", ""),
    ("¦data/*.tif", "samples", "nothing matches", "there is no folder"),
    ("¦other.csv", "samples", "no such samples file", "did you mean 'others.csv'?"),
]  # fmt: skip


@pytest.mark.parametrize(("samples", "path", "message", "hint"), MISTAKES)
def test_a_mistake_is_told_with_its_place(write, tmp_path, samples, path, message, hint):
    table(tmp_path, "sample\na\n", "others.csv")
    marked = write(f"samples: {samples}\n{TASKS}")
    with pytest.raises(ConfigError) as caught:
        read_samples(load_pipeline(marked.path))
    (problem,) = caught.value.problems
    assert (problem.file, problem.line, problem.column) == marked.place
    assert problem.path == path
    assert message in problem.message
    assert hint in problem.hint


TABLES = [
    # the CSV, line, words of the message
    ("", 1, "the samples file is empty"),
    ("\n\n", 1, "the samples file is empty"),
    ("sample,dose\n", 1, "there is a header and no sample"),
    ("sample,dose\na,1\nb\n", 3, "1 fields where the header has 2"),
    ("sample,dose\na,1,2\n", 2, "3 fields where the header has 2"),
    ("sample,,dose\na,1,2\n", 1, "column 2 has no name"),
    ("sample,dose,dose\na,1,2\n", 1, "two columns are named 'dose'"),
    ("sample,dose\na,1\n\na,2\n", 4, "two samples are named 'a', the first in line 2"),
    ("sample,dose\n,1\n", 2, "'' cannot name a sample"),
    ("sample,dose\na/b,1\n", 2, "'a/b' cannot name a sample"),
    ('sample,dose\n"a"b,1\n', 2, "is no CSV"),
]


@pytest.mark.parametrize(("text", "line", "message"), TABLES)
def test_a_mistake_in_a_csv_is_told_with_its_line(write, tmp_path, text, line, message):
    table(tmp_path, text)
    (problem,) = refused(write, "samples.csv")
    assert (problem.file, problem.line) == (str(tmp_path / "samples.csv"), line)
    assert message in problem.message


def test_a_csv_that_is_no_text(write, tmp_path):
    (tmp_path / "samples.csv").write_bytes(b"sample\n\xff\xfe\n")
    (problem,) = refused(write, "samples.csv")
    assert "not UTF-8" in problem.message


def test_two_files_of_one_name(write, tmp_path):
    for name in ("a.tif", "a.tiff"):
        (tmp_path / name).touch()
    (problem,) = refused(write, "'*.tif*'")
    assert f"two samples are named 'a': {tmp_path}/a.tif and {tmp_path}/a.tiff" in problem.message


@pytest.mark.parametrize(
    ("channels", "path", "message", "hint"),
    [
        ("{c: ¦'d/{smaple}.tif'}", "channels.c", "no placeholder {smaple}", "you mean 'sample'"),
        ("{c: {path: ¦'d/{x}.tif'}}", "channels.c.path", "no placeholder {x}", "known place"),
        ("{c: {path: '{sample}', scene: ¦'{x}'}}", "channels.c.scene", "no placeholder {x}", ""),
        ("{c: ¦'d/{sample.tif'}", "channels.c", "the '{' at character 3", "write '{{'"),
        ("{c: ¦'d/sample}.tif'}", "channels.c", "the '}' at character 9", "write '}}'"),
        ("{c: ¦'d/{}.tif'}", "channels.c", "nothing stands between", ""),
    ],
)  # fmt: skip
def test_placeholders_that_are_none(write, channels, path, message, hint):
    tasks = TASKS[TASKS.index("tasks") :]
    marked = write(f"samples: [a, b]\nchannels: {channels}\n{tasks}")
    with pytest.raises(ConfigError) as caught:
        read_samples(load_pipeline(marked.path))
    (problem,) = caught.value.problems
    assert (problem.file, problem.line, problem.column) == marked.place
    assert problem.path == path
    assert message in problem.message
    assert hint in problem.message + problem.hint


def test_samples_that_would_all_be_the_same(write):
    (problem,) = refused(write, "[a, b]", TASKS.replace("{sample}", "x"))
    assert problem.path == "samples"
    assert "no channel's path holds a placeholder" in problem.message
    assert "{sample}" in problem.hint


def test_a_placeholder_of_which_a_sample_says_nothing(write, tmp_path):
    table(tmp_path, "sample,file\na,x\nb,\n")
    (problem,) = refused(write, "samples.csv", TASKS.replace("{sample}", "{file}"))
    assert problem.line == 3
    assert "sample 'b' says nothing for {file}" in problem.message


def test_collect_without_samples(write):
    text = "tasks:\n  seg: {module: a.B}\n  all: {module: a.C, inputs: seg, ¦collect: true}\n"
    marked = write(text)
    with pytest.raises(ConfigError) as caught:
        load_pipeline(marked.path)
    (problem,) = caught.value.problems
    assert (problem.file, problem.line, problem.column) == marked.place
    assert "the pipeline has no 'samples'" in problem.message


def test_samples_by_set(write, tmp_path, monkeypatch):
    here = tmp_path / "odd {folder}"
    (here / "data").mkdir(parents=True)
    (here / "data" / "a.tif").touch()
    monkeypatch.chdir(here)
    marked = write(f"samples: [x]\n{TASKS}")
    config = load_pipeline(marked.path, ["samples=data/*.tif", "channels.c={path}/c.tif"])
    (sample,) = read_samples(config)
    assert sample.values["path"] == str(here / "data" / "a.tif")
    path = filled(config.channels["c"].path, {"path": "P"})
    assert path == f"{here}/P/c.tif", "relative to the current folder, whose braces are its own"
    assert [s.name for s in read_samples(load_pipeline(marked.path, ["samples=[q, r]"]))] == [
        "q",
        "r",
    ]


@pytest.mark.parametrize(
    ("text", "pattern", "expected"),
    [
        ("d/{ a }.tif", False, "d/[1].tif"),
        ("{{a}}/{a}}}", False, "{a}/[1]}"),
        ("{a}/x.tif", True, "[1]/x.tif"),
        ("{a}/*.tif", True, "[[]1]/*.tif"),
        ("plain", True, "plain"),
    ],
)
def test_filling(text, pattern, expected):
    assert filled(text, {"a": "[1]"}, pattern=pattern) == expected


@pytest.mark.parametrize("text", ["", "a{b}c", "}{", "{{x}}", "é/{"])
def test_escaped_text_comes_back(text):
    assert filled(escaped(text), {}) == text
    assert placeholders(escaped(text)) == ()
