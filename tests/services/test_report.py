"""The report in a real browser: the killing assay, a run that failed, and one that goes on."""

from __future__ import annotations

import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
import services_support as services

sys.path.append(str(services.ROOT / "scripts"))
from browser import DESKTOP, PHONE, Browser, browser

pytestmark = pytest.mark.chromium

TASKS = '''
import time
from pathlib import Path
from cyto.task import Param, PipelineTask, Port

class Copy(PipelineTask):
    """Give the movie again, as long as no file says to wait."""
    inputs = {"image": Port("image")}
    outputs = {"image": Port("image")}
    def run_baremetal(self, data):
        print("<b>copying</b>", flush=True)
        while Path(__file__).with_name("hold").exists():
            time.sleep(0.02)
        return {"image": data["image"]}

class Fail(PipelineTask):
    """Fail with a message that would like to be HTML."""
    note: str = Param("<img src=x onerror=alert(1)>")
    inputs = {"image": Port("image")}
    outputs = {"value": Port("value")}
    def run_baremetal(self, data):
        print("</script><script>document.title = 'owned'</script>", flush=True)
        raise ValueError("</script><img src=x onerror=\\"document.title='owned'\\"> no luck")
'''
PIPELINE = {
    "channels": {"tcell": "movie.tif"},
    "tasks": {
        "copy": {"module": "mytasks.Copy", "inputs": {"image": "tcell"}},
        "bad": {"module": "mytasks.Fail", "inputs": {"image": "copy.image"}},
        "after": {
            "module": "mytasks.Copy",
            "inputs": {"image": "tcell"},
            "dependencies": ["bad"],
        },
    },
}


@pytest.fixture(scope="module")
def window() -> Iterator[Browser]:
    services.require("chromium")
    with browser() as window:
        yield window


@pytest.fixture
def screen(window: Browser) -> Browser:
    """Give the browser as it begins: a light desktop without complaints."""
    window.resize(DESKTOP)
    window.prefer("light")
    window.open("about:blank")
    window.complaints()
    return window


@pytest.fixture(scope="module")
def assay(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Run the shipped killing assay; give its report."""
    services.require("chromium")
    folder = tmp_path_factory.mktemp("assay")
    cyto = services.Cyto(folder, "report")
    assert cyto("sample", folder / "sample").code == 0
    channels = ("tcell", "cancer", "death")
    sets = [f"channels.{name}.path={folder}/sample/{name}.ome.tif" for name in channels]
    run = cyto(
        "run", services.ROOT / "pipelines/pipeline.killing_assay.yaml", "-o", folder / "out",
        *(part for text in sets for part in ("--set", text)),
    )  # fmt: skip
    assert run.code == 0, run.said
    return folder / "out/report.html"


@pytest.fixture
def project(tmp_path: Path) -> services.Cyto:
    import numpy as np
    import tifffile
    import yaml

    (tmp_path / "mytasks.py").write_text(TASKS, encoding="utf-8")
    (tmp_path / "pipeline.bad.yaml").write_text(yaml.safe_dump(PIPELINE), encoding="utf-8")
    pixels = np.arange(3 * 16 * 16, dtype=np.uint16).reshape(3, 16, 16)
    kinds = {"metadata": {"axes": "TYX"}, "photometric": "minisblack"}
    tifffile.imwrite(tmp_path / "movie.tif", pixels, **kinds)
    return services.Cyto(tmp_path, "report")


def until(ask: Callable[[], Any], wanted: Any = True) -> None:
    """Wait until *ask* gives what is wanted; a page needs a moment to draw itself."""
    services.until(lambda: ask() == wanted)
    assert ask() == wanted


def width(screen: Browser) -> tuple[int, int]:
    """Give how wide the page is, and how wide its window."""
    wide = "return [document.documentElement.scrollWidth, window.innerWidth]"
    page, seen = screen.run(wide)
    return int(page), int(seen)


def luminance(screen: Browser, selector: str, what: str) -> float:
    script = f"return getComputedStyle(document.querySelector({selector!r})).{what}"
    numbers = [float(n) for n in screen.run(script).partition("(")[2].rstrip(")").split(",")[:3]]
    return sum(numbers) / 3


def test_the_assay_opens_without_a_complaint_and_shows_all(screen: Browser, assay: Path) -> None:
    screen.open(assay)
    until(lambda: screen.text("#state"), "✓ Done")
    names = screen.run(
        "return [...document.querySelectorAll('#graph a.box')].map("
        "box => box.querySelector('text').textContent)"
    )
    assert len(names) == 13
    assert {"tcell_segmentation", "kills", "survival"} <= set(names)
    channels = (
        "return [...document.querySelectorAll('#graph .channel text')].map(t => t.textContent)"
    )
    assert sorted(screen.run(channels)) == ["cancer", "death", "tcell"]
    plots = screen.run("return [...document.querySelectorAll('figure.plot')].map(f => f.id)")
    assert {"plot-cells", "plot-survival", "plot-kills", "plot-contacts", "plot-speeds"} <= set(
        plots
    )
    assert screen.run("return document.querySelectorAll('#time .bar').length") >= 13
    assert screen.run("return document.querySelectorAll('#nodelist details.node').length") == 13
    assert screen.complaints() == []
    page, seen = width(screen)
    assert page <= seen == 1280


def test_the_scrubber_moves_through_the_movie(screen: Browser, assay: Path) -> None:
    screen.open(assay)
    until(lambda: screen.run("return document.querySelector('canvas')?.dataset.frame"), "0")
    look = "return document.querySelector('canvas').toDataURL()"
    first = screen.run(look)
    slider = screen.driver.find_element("id", "scrubber")
    slider.send_keys("\ue014" * 5)  # five times to the right, as from a keyboard
    until(lambda: screen.run("return document.querySelector('canvas').dataset.frame"), "5")
    assert screen.run(look) != first
    assert "frame 5 of 0–23 · 5 min" in screen.text(".movie .controls")
    boxes = screen.driver.find_elements("css selector", ".movie .layers input")
    fifth = screen.run(look)
    boxes[-1].click()  # the outlines of the cancer cells
    until(lambda: screen.run(look) != fifth)


def test_a_node_is_opened_from_the_graph_by_the_keyboard(screen: Browser, assay: Path) -> None:
    screen.open(assay)
    until(lambda: screen.text("#state"), "✓ Done")
    screen.run("document.querySelector('#graph a.box').focus()")
    screen.driver.switch_to.active_element.send_keys("\ue007")
    until(lambda: screen.run("return document.querySelector('#node-0').open"))
    told = screen.text("#node-0 .body")
    for word in (
        "cyto.segmentation.watershed.Watershed",
        "diameter_px",
        "container_worker",
        "label",
    ):
        assert word in told
    link = screen.run("return document.querySelector('#node-0 .body a[href$=\".tif\"]').href")
    assert link == (assay.parent / "tcell_segmentation/label.ome.tif").as_uri()


def test_the_runs_own_copy_names_the_same_files(screen: Browser, assay: Path) -> None:
    (own,) = assay.parent.glob(".cyto/runs/*/report.html")
    screen.open(own.as_uri() + "#node-0")
    link = "return document.querySelector('#node-0 .body a[href$=\".tif\"]')?.href"
    until(lambda: screen.run(link), (assay.parent / "tcell_segmentation/label.ome.tif").as_uri())


def test_on_a_phone_nothing_is_cut_off(screen: Browser, assay: Path) -> None:
    screen.resize(PHONE, mobile=True)
    screen.open(assay)
    until(lambda: screen.text("#state"), "✓ Done")
    for box in screen.driver.find_elements("css selector", "#nodelist details.node")[:3]:
        screen.run(f"document.getElementById('{box.get_attribute('id')}').open = true")
    until(lambda: "diameter_px" in screen.text("#node-0 .body"))
    page, seen = width(screen)
    assert page <= seen == PHONE[0]


def test_it_is_dark_where_that_is_preferred(screen: Browser, assay: Path) -> None:
    for scheme, dark in (("light", False), ("dark", True)):
        screen.prefer(scheme)
        screen.open(assay)
        until(lambda: screen.text("#state"), "✓ Done")
        paper = luminance(screen, "body", "backgroundColor")
        ink = luminance(screen, "body", "color")
        assert (paper < 60) == dark
        assert (ink > 190) == dark
        assert abs(paper - ink) > 150
        text = luminance(screen, "#graph a.box text", "fill")
        box = luminance(screen, "#graph a.box rect.body", "fill")
        assert abs(text - box) > 120


def test_a_failed_run_shows_its_message_at_the_top(screen: Browser, project: services.Cyto) -> None:
    run = project("run", "pipeline.bad.yaml")
    assert run.code == 1, run.said
    screen.open(project.folder / "output/report.html")
    until(lambda: screen.text("#state"), "✗ Failed")
    message = "</script><img src=x onerror=\"document.title='owned'\"> no luck"
    assert message in screen.text("#failures .message")
    where = "return document.querySelector('#failures .message').getBoundingClientRect().bottom"
    assert 0 < screen.run(where) < DESKTOP[1]
    assert "document.title = 'owned'" in screen.text("#failures pre")
    screen.run("for (const box of document.querySelectorAll('details')) box.open = true")
    until(lambda: "onerror=alert(1)" in screen.text("#nodelist"))
    assert screen.run("return document.title") == "✗ bad · pyCyto"
    assert screen.run("return document.querySelectorAll('img').length") == 0
    assert screen.complaints() == []


def test_a_run_is_followed_live_and_its_page_stays(screen: Browser, project: services.Cyto) -> None:
    pytest.importorskip("tornado")
    (project.folder / "hold").touch()
    with project.start("run", "pipeline.bad.yaml", "--dashboard") as run:
        assert services.until(lambda: "dashboard: http" in run.said)
        address = run.said.partition("dashboard: ")[2].split()[0]
        screen.open(address)
        states = (
            "return [...document.querySelectorAll('#graph a.box')].map("
            "box => box.getAttribute('class').slice(4))"
        )
        until(lambda: screen.run(states), ["running", "waiting", "waiting"])
        assert screen.text("#live") == "● live"
        (project.folder / "hold").unlink()
        until(lambda: screen.run(states), ["succeeded", "failed", "skipped"])
        assert run.end() == 1
    until(lambda: screen.text("#state"), "✗ Failed")
    until(lambda: screen.text("#live"), "")
    assert "no luck" in screen.text("#failures .message")
    live = screen.run("return document.querySelector('#nodes').textContent")
    assert screen.complaints() == []
    screen.open(project.folder / "output/report.html")
    until(lambda: screen.text("#state"), "✗ Failed")
    assert screen.run("return document.querySelector('#nodes').textContent") == live


def test_thousands_of_nodes_can_be_read(screen: Browser, tmp_path: Path) -> None:
    """A plate of samples, written as its record."""
    from cyto.core.layout import RunLayout
    from cyto.engine.record import RunRecord
    from cyto.report.page import write_report

    layout = RunLayout(tmp_path, "20260101-000000-0001")
    record = RunRecord(layout.record)
    samples = {f"w{i:03}": {"dose": i % 3} for i in range(300)}
    stages = ("seg", "features", "tracks", "death")
    nodes, before = {}, ""
    for sample in samples:
        before = ""
        for stage in stages:
            nodes[f"{sample}/{stage}"] = {
                "task": f"mine.{stage.title()}", "params": {}, "inputs": {},
                "dependencies": [before] if before else [], "environment": "baremetal",
                "resources": {"cpus": 1, "memory_bytes": 1 << 30, "gpus": 0, "walltime_s": None},
            }  # fmt: skip
            before = f"{sample}/{stage}"
    record.write(
        "run_started", run=layout.run_id, pipeline="/p.yaml", output_dir=str(tmp_path),
        profile="local", samples=samples, nodes=nodes,
    )  # fmt: skip
    for i, name in enumerate(nodes):
        record.write("node_started", node=name, attempt=0, job="", log="", worker="w", gpus=[])
        failed = i % 97 == 0
        record.write(
            "node_finished", node=name, outcome="failed" if failed else "succeeded",
            message=f"{name} is odd" if failed else "", reason="", log="", wall_s=1.0, cpu_s=0.5,
            peak_bytes=1 << 28, findings=[],
        )  # fmt: skip
    record.write("run_finished", exit_code=1, stopped=False, wall_s=time.monotonic())
    record.close()
    screen.open(write_report(layout))
    until(lambda: screen.text("#state"), "✗ Failed")
    boxes = "return document.querySelectorAll('#graph a.box').length"
    assert screen.run(boxes) == len(stages)
    assert "samples 300" in screen.text("#head")
    # what fails alike for many samples is told once
    assert screen.run("return document.querySelectorAll('.failure').length") <= len(stages)
    screen.driver.find_element("css selector", "#nodes input[type=search]").send_keys("w299/death")
    until(lambda: screen.run("return document.querySelectorAll('#nodelist details').length"), 1)
    screen.open("about:blank")
    screen.open(layout.report.as_uri() + "#node-1199")  # it lies in a group that is closed
    until(lambda: screen.run("return document.querySelector('#node-1199')?.open ?? false"))
    page, seen = width(screen)
    assert page <= seen
    assert screen.complaints() == []
