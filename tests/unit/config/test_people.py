"""Authors and licence of a pipeline."""

from __future__ import annotations

import pytest

from cyto.config import load_pipeline
from cyto.errors import ConfigError

TASKS = "\ntasks: {a: {module: m.A}}\n"


def test_authors_and_license(write):
    text = """authors:
      - Second Author
      - {name: First Author, orcid: 0000-0002-1825-0097, affiliation: Your Institute}
      - {name: Ten, orcid: "https://orcid.org/0000-0002-1694-233X"}
license: CC-BY-4.0
"""
    config = load_pipeline(write(text + TASKS).path)
    assert [(a.name, a.orcid, a.affiliation) for a in config.authors] == [
        ("Second Author", None, None),
        ("First Author", "https://orcid.org/0000-0002-1825-0097", "Your Institute"),
        ("Ten", "https://orcid.org/0000-0002-1694-233X", None),
    ]
    assert config.model.license == "CC-BY-4.0"
    nobody = load_pipeline(write(TASKS).path)
    assert (nobody.authors, nobody.model.license) == ((), None)


@pytest.mark.parametrize(
    ("text", "message", "hint"),
    [
        ("authors: ¦Ada", "expected a list", ""),
        ("authors: [¦7]", "a name, or a mapping with name, orcid, affiliation", ""),
        ("authors: [{name: A, ¦ordic: x}]", "unknown key 'ordic'", "did you mean 'orcid'?"),
        ("authors: [¦{orcid: 0000-0002-1825-0097}]", "'name' is missing", ""),
        ("authors: [{name: A, orcid: ¦0000-0002-1825-0096}]", "a digit is wrong", "orcid.org"),
        ("authors: [{name: A, orcid: ¦a-b}]", "'a-b' is no ORCID iD", "0000-0002-1825-0097"),
        ("license: ¦[MIT]", "expected text", ""),
    ],
)
def test_mistakes(write, text, message, hint):
    marked = write(text + TASKS)
    with pytest.raises(ConfigError) as caught:
        load_pipeline(marked.path)
    (problem,) = caught.value.problems
    assert (problem.file, problem.line, problem.column) == marked.place
    assert message in problem.message
    assert hint in problem.hint


def test_a_node_cannot_be_named_as_the_folder_of_copies(write):
    with pytest.raises(ConfigError, match="'workflow' cannot name a node"):
        load_pipeline(write("tasks: {workflow: {module: m.A}}").path)
