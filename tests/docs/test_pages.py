"""Every page of the site is true: its files, commands, Python and fragments are tried in order."""

from __future__ import annotations

import os
import re
import shlex
import sys
from collections.abc import Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from pathlib import Path

import pytest

if str(Path(__file__).parents[1]) not in sys.path:
    sys.path.append(str(Path(__file__).parents[1]))

import docs_support as support

EXCEPTIONS = 6
"""So many blocks may be left untried, each with its reason beside it."""


def named(path: Path) -> str:
    return str(path.relative_to(support.SITE))


def tried(page: Path, folder: Path) -> str:
    """Try all that a page shows, in order; give what is wrong."""
    clone = support.Folder(folder)
    for block in support.blocks(page):
        try:
            clone.take(block)
        except Exception as error:  # noqa: BLE001 - whatever it is, the page is wrong
            return f"{block.place}: {error}"
    return ""


@pytest.fixture(scope="module")
def faults(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[dict[Path, Future[str]]]:
    """Try the pages that were asked for side by side: they wait for programs most of the time."""
    items = [item for item in request.session.items if item.path == request.path]
    specs = [getattr(item, "callspec", None) for item in items]
    asked = {spec.params["shown"] for spec in specs if spec and "shown" in spec.params}
    with ThreadPoolExecutor(os.cpu_count()) as pool:
        # the long ones first
        order = sorted(asked, key=lambda page: -page.read_text("utf-8").count("\ncyto run"))
        found = {page: pool.submit(tried, page, tmp_path_factory.mktemp("page")) for page in order}
        yield found
        pool.shutdown(cancel_futures=True)


@pytest.mark.parametrize("shown", [p for p in support.pages() if support.blocks(p)], ids=named)
def test_what_a_page_shows_works(shown: Path, faults: dict[Path, Future[str]]) -> None:
    fault = faults[shown].result()
    if fault:
        pytest.fail(fault)


def test_the_readme_shows_what_is_there(tmp_path: Path) -> None:
    """Its files, fragments and other commands; what test_readme.py runs is not run twice."""
    folder = support.Folder(tmp_path)
    for block in support.blocks(support.ROOT / "README.md"):
        if block.kind == "yaml":
            folder.take(block)
        elif block.kind == "bash":
            for line in support.command_lines(block.text):
                words = shlex.split(line, comments=True)
                if words[0] != "cyto":
                    support.commands.check(words)


@pytest.mark.slurm
def test_the_tutorial_of_the_cluster_works_on_one(tmp_path: Path) -> None:
    import services_support as services

    services.require("slurm")
    folder = support.Folder(tmp_path, services=True)
    for block in support.blocks(support.SITE / "tutorials" / "cluster.md"):
        folder.take(block)
    assert list((folder.folder / "oncluster").glob("cancer_features/dataframe.csv"))


def test_few_blocks_are_left_untried() -> None:
    left = [one for page in support.pages() for one in support.blocks(page) if one.exception]
    assert len(left) <= EXCEPTIONS, [f"{one.place}: {one.exception}" for one in left]


def markdown() -> list[Path]:
    return [*support.pages(), *sorted(support.ROOT.glob("*.md"))]


@pytest.mark.parametrize("page", markdown(), ids=lambda path: str(path.relative_to(support.ROOT)))
def test_a_link_leads_somewhere(page: Path) -> None:
    text = re.sub(r"(?ms)^(`{3,}).*?^\1$", "", page.read_text(encoding="utf-8"))
    for target in re.findall(r"\]\(([^)\s]+)\)", text):
        if target.startswith(("http://", "https://", "mailto:")):
            continue
        path, _, anchor = target.partition("#")
        file = page if not path else (page.parent / path).resolve()
        assert file.exists(), f"{page.name}: there is no {target}"
        assert support.ROOT in file.parents or file == support.ROOT, target
        if anchor and file.suffix == ".md" and "<!-- generated" not in file.read_text("utf-8"):
            assert anchor in anchors(file), f"{page.name}: {path} has no heading #{anchor}"


def anchors(page: Path) -> set[str]:
    """Give the anchors of a page's headings, as GitHub and the site make them."""
    heads = re.findall(r"^#+ (.+)$", page.read_text(encoding="utf-8"), re.MULTILINE)
    return {re.sub(r"[^\w\- ]", "", head.lower()).replace(" ", "-") for head in heads}


def test_every_message_of_troubleshooting_is_one_of_the_programs() -> None:
    page = (support.SITE / "how-to" / "troubleshooting.md").read_text(encoding="utf-8")
    heads = re.findall(r"^### `(.+)`$", page, re.MULTILINE)
    assert len(heads) > 40
    said = "\n".join(support.messages())
    for head in heads:
        for part in filter(str.strip, head.split("…")):
            assert part.strip() in said, f"no message says {part!r}"


def test_every_variable_of_the_environment_is_listed() -> None:
    page = (support.SITE / "reference" / "environment.md").read_text(encoding="utf-8")
    used: set[str] = set()
    for folder in ("cyto", "scripts", "containers", "notebooks"):
        for path in (support.ROOT / folder).rglob("*"):
            if path.is_file() and path.suffix in {".py", ".sh", ".ipynb", ".def", ""}:
                text = path.read_text(encoding="utf-8", errors="replace")
                used |= set(re.findall(r"\bCYTO_[A-Z_]+[A-Z]\b", text))
    used |= {"CYTO_REQUIRE", "CYTO_SHARED_DATA"}
    assert {name for name in used if "CHAOS" not in name} == set(re.findall(r"`(CYTO_\w+)`", page))
