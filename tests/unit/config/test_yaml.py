"""What is read from YAML, where it stands, and what is refused."""

from __future__ import annotations

import math
from pathlib import Path

import pytest
import yaml

from cyto.config import yaml_reader, yaml_rules
from cyto.config.source import MAX_BYTES, Source, read_source
from cyto.config.yaml_reader import read_yaml
from cyto.errors import ConfigError


def value(text: str) -> object:
    data, _ = read_yaml(f"x: {text}", "f.yaml")
    assert isinstance(data, dict)
    return data["x"]


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("01:30:00", "01:30:00"),
        ("1-00:30:00", "1-00:30:00"),
        ("190:20:30.15", "190:20:30.15"),
        ("2024-01-31", "2024-01-31"),
        ("2024-01-31T10:00:00Z", "2024-01-31T10:00:00Z"),
        ("010", "010"),
        ("0", 0),
        ("-5", -5),
        ("+7", 7),
        ("1_000", 1000),
        ("0x1F", 31),
        ("1e-3", 1e-3),
        ("1E5", 1e5),
        ("-1.5e+3", -1500.0),
        ("1.", 1.0),
        (".5", 0.5),
        ("-.5", -0.5),
        (".inf", math.inf),
        ("-.inf", -math.inf),
        ("True", True),
        ("FALSE", False),
        ("on", True),
        ("no", False),
        ("tRUE", "tRUE"),
        ("~", None),
        ("", None),
        ("'5'", "5"),
        ("!!str 5", "5"),
        ("!!int '5'", 5),
        ("8Gi", "8Gi"),
        ("gpu:1", "gpu:1"),
        ("1.2.3", "1.2.3"),
        ("=", "="),
        ("[1, a]", [1, "a"]),
        ("{}", {}),
    ],
)
def test_scalars_mean_what_they_look_like(text: str, expected: object) -> None:
    got = value(text)
    assert got == expected
    assert type(got) is type(expected)


def test_nan_is_a_number() -> None:
    got = value(".nan")
    assert isinstance(got, float)
    assert math.isnan(got)


def test_keys_are_text_as_written() -> None:
    data, _ = read_yaml("on: 1\n1: 2\n1.50: 3\n~: 4\n2024-01-01: 5\n", "f")
    assert data == {"on": 1, "1": 2, "1.50": 3, "~": 4, "2024-01-01": 5}


def test_the_slow_loader_reads_the_same(monkeypatch: pytest.MonkeyPatch) -> None:
    text = "a: 01:30:00\nb: [1e-3, 010, on]\nc: &x {d: 1}\ne: {<<: *x, f: 2024-01-01}\n"
    fast = read_yaml(text, "f")

    class Slow(yaml_rules.Rules, yaml.SafeLoader):  # type: ignore[misc]
        pass

    monkeypatch.setattr(yaml_reader, "Loader", Slow)
    assert read_yaml(text, "f") == fast


def test_places_of_keys_and_values() -> None:
    text = "tasks:\n  seg:\n    params: {diameter: 25}\n    tags:\n      - a\n      - b\n"
    source = Source("f.yaml", *read_yaml(text, "f.yaml"))  # type: ignore[arg-type]
    path = ("tasks", "seg", "params", "diameter")
    assert source.locate(path) == (3, 24)
    assert source.locate(path, key=True) == (3, 14)
    assert source.locate(("tasks", "seg", "tags", 1)) == (6, 9)
    assert source.locate(("tasks", "seg", "params")) == (3, 13)
    assert source.locate(("tasks", "seg")) == (2, 3), "a block is where its key is"
    assert source.locate(("tasks", "seg", "nope", "deeper")) == (2, 3), "the nearest parent"
    assert source.place(path) == "f.yaml:3"


def test_columns_count_characters() -> None:
    _, marks = read_yaml("é: {ü: 1}\n", "f")
    assert marks["é", "ü"].value == (1, 8)


def test_merge_keys_and_anchors() -> None:
    text = (
        "base: &b {a: 1, c: 3}\nother: &o {a: 5, z: 9}\n"
        "one: {<<: *b, a: 2}\ntwo: {<<: [*b, *o]}\nthree: *b\n"
    )
    data, marks = read_yaml(text, "f")
    assert isinstance(data, dict)
    assert data["one"] == {"a": 2, "c": 3}
    assert data["two"] == {"a": 1, "c": 3, "z": 9}
    assert data["three"] == {"a": 1, "c": 3}
    assert marks["one", "c"].key == (1, 17), "where it is written"


def test_a_byte_order_mark_is_passed_over(tmp_path: Path) -> None:
    file = tmp_path / "a.yaml"
    file.write_bytes(b"\xef\xbb\xbfa: 1\n")
    assert read_source(file).data == {"a": 1}


@pytest.mark.parametrize(
    ("text", "line", "column", "words"),
    [
        ("a: 1\nb: c: d\n", 2, 5, "':' stands where no key can be"),
        ("a: 1\n  b: 2\n", 2, 4, "':' stands where no key can be"),
        ("a:\n\t- x\n", 2, 1, "a tab in the indentation"),
        ("a: [1, 2\n", 1, 9, "a bracket is not closed"),
        ("a: {b: 1\n", 1, 9, "a bracket is not closed"),
        ("a: 'x\n", 1, 6, "text in quotes is not closed"),
        ("a: *x\n", 1, 4, "no anchor for the alias *x"),
        ("a: @x\n", 1, 4, "'@' cannot begin a value"),
        ("a: %x\n", 1, 4, "'%' cannot begin a value"),
        ("a:\n  - b\n c: 1\n", 3, 2, "does not belong to the lines above"),
        ("a: 'x' y\n", 1, 8, "does not belong to the lines above"),
        ("a: - b\n", 1, 4, "a list item ('- ') cannot follow"),
        ("a: 1\n---\nb: 2\n", 2, 1, "a second document begins here"),
        ('a: "\\q"\n', 1, 5, "unknown escape"),
        ("a: " + "[" * 5000, 1, 1000, "nested too deep"),
        ("a: " + "[" * 200 + "]" * 200, 1, 104, "more than 100 levels deep"),
        ("a: 1\nb: \x07\n", 2, 4, "holds the character '\\x07'"),
        ("a: !!python/object:os.system x\n", 1, 4, "the tag !!python/object:os.system"),
        ("a: !mine {b: 1}\n", 1, 4, "the tag !mine is not understood"),
        ("a: !!set {b, c}\n", 1, 4, "the tag !!set is not understood"),
        ("a: !!int x\n", 1, 4, "'x' is no int"),
        ("? [a]\n: 1\n", 1, 3, "a key must be text"),
        ("a: &x [*x]\n", 1, 4, "an alias stands inside of what it names"),
        ("a: &x {<<: *x}\n", 1, 4, "an alias stands inside of what it names"),
        ("a: {<<: 3}\n", 1, 9, "only a mapping can be merged"),
        ("a: 1\nb: 2\na: 3\n", 3, 1, "written twice, first in line 1"),
        ("t:\n  x: {p: 1,\n    p: 2}\n", 3, 5, "written twice, first in line 2"),
    ],
)
def test_what_is_no_yaml_says_where_and_why(text: str, line: int, column: int, words: str) -> None:
    with pytest.raises(ConfigError) as caught:
        read_yaml(text, "f.yaml")
    problem = caught.value.problems[0]
    assert words in problem.message
    assert problem.file == "f.yaml"
    assert problem.line == line
    assert abs((problem.column or 0) - column) <= (5 if "too deep" in words else 0)


def test_all_duplicate_keys_are_reported() -> None:
    with pytest.raises(ConfigError) as caught:
        read_yaml("a: {x: 1, x: 2}\nb: 1\nb: 2\n", "f")
    assert [(p.path, p.line) for p in caught.value.problems] == [("b", 3), ("a.x", 1)]


def test_an_alias_bomb_is_refused() -> None:
    lines = ["a0: &a0 [x, x, x, x, x, x, x, x, x, x]"]
    lines += [f"a{i}: &a{i} [{', '.join([f'*a{i - 1}'] * 10)}]" for i in range(1, 30)]
    with pytest.raises(ConfigError, match="aliases repeat more than"):
        read_yaml("\n".join(lines), "f")


@pytest.mark.parametrize(
    ("raw", "words"),
    [
        (b"", "the pipeline file is empty"),
        (b"# only a comment\n\n", "the pipeline file is empty"),
        (b"---\n", "the pipeline file is empty"),
        (b"- a\n- b\n", "expected keys and values"),
        (b"just text\n", "expected keys and values"),
        (b"a: 1\nb: \xff\n", "not UTF-8 text (byte 0xff in line 2)"),
        ("a: 1\n".encode("utf-16"), "not UTF-8 text"),
        (b"a: 1\n" * (MAX_BYTES // 5 + 1), "larger than 10 MB"),
    ],
)
def test_files_that_are_no_pipeline(tmp_path: Path, raw: bytes, words: str) -> None:
    file = tmp_path / "p.yaml"
    file.write_bytes(raw)
    with pytest.raises(ConfigError) as caught:
        read_source(file)
    assert words in str(caught.value)
    assert caught.value.problems[0].file == str(file)
    assert caught.value.exit_code == 2


def test_a_missing_file_is_named_as_resolved(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    Path("pipeline.quick.yaml").write_text("a: 1")
    with pytest.raises(ConfigError) as caught:
        read_source("pipeline.quik.yaml")
    assert str(tmp_path / "pipeline.quik.yaml") in str(caught.value)
    assert "did you mean 'pipeline.quick.yaml'?" in str(caught.value)
    with pytest.raises(ConfigError, match="there is no folder"):
        read_source("nowhere/p.yaml")


def test_a_folder_is_no_file(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="a folder, not a pipeline file"):
        read_source(tmp_path)
