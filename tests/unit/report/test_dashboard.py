"""The live page over real HTTP: who gets it, and what comes when."""

from __future__ import annotations

import http.client
import json
import socket
import threading
from urllib.parse import urlsplit

import pytest

from cyto.core.layout import RunLayout
from cyto.engine.manager import TaskManager
from cyto.engine.planning import make_plan
from cyto.engine.view import read_view
from cyto.errors import UnavailableError
from cyto.report import dashboard
from cyto.report.dashboard import Dashboard
from cyto.report.page import Page

pytest.importorskip("tornado")


@pytest.fixture
def served():
    with Dashboard() as served:
        yield served


def ask(served, path=None, host=None, method="GET"):
    url = urlsplit(served.address)
    connection = http.client.HTTPConnection(url.hostname, url.port, timeout=10)
    try:
        headers = {} if host is None else {"Host": host}
        connection.request(method, url.path if path is None else path, headers=headers)
        answer = connection.getresponse()
        return answer.status, answer.headers, answer.read().decode()
    finally:
        connection.close()


class Browser:
    """Follow a page's events from a thread, as a browser does."""

    def __init__(self, served):
        url = urlsplit(served.address)
        self.events = []
        self._connection = http.client.HTTPConnection(url.hostname, url.port, timeout=30)
        self._connection.request("GET", f"{url.path}events")
        self._answer = self._connection.getresponse()
        assert self._answer.headers["Content-Type"] == "text/event-stream"
        self._thread = threading.Thread(target=self._read)
        self._thread.start()

    def _read(self):
        name = ""
        for line in self._answer:
            text = line.decode().rstrip("\n")
            if text.startswith("event: "):
                name = text[7:]
            elif text.startswith("data: "):
                self.events.append((name, json.loads(text[6:])))

    def close(self):
        self._thread.join(20)
        self._connection.close()
        assert not self._thread.is_alive()

    def page(self):
        """Put together what the page shows now."""
        parts = {}
        for name, data in list(self.events):
            if name == "page":
                parts = dict(data)
            elif name == "change":
                parts.update(data)
        return parts


def test_only_who_knows_the_address_gets_the_page(served):
    url = urlsplit(served.address)
    assert url.hostname == "127.0.0.1"
    assert len(url.path) > 30
    status, headers, text = ask(served)
    assert (status, "<!doctype html>" in text) == (200, True)
    assert "connect-src 'self'" in headers["Content-Security-Policy"]
    assert headers["Cache-Control"] == "no-store"
    for path in ("/", "/x/", "/x/events", f"{url.path}../x", f"/{'A' * 32}/", f"{url.path}etc"):
        assert ask(served, path)[0] == 404


def test_another_name_for_this_machine_is_refused(served):
    """A page elsewhere may let its own name point to 127.0.0.1 and read what it answers."""
    assert ask(served, host="evil.example")[0] == 403
    assert ask(served, host="127.0.0.1:1")[0] == 403


@pytest.mark.parametrize("method", ["POST", "PUT", "DELETE", "PATCH"])
def test_nothing_can_be_changed(served, method):
    assert ask(served, method=method)[0] == 405


def test_no_other_machine_is_listened_to(served):
    port = urlsplit(served.address).port
    with socket.socket() as other:
        other.bind(("127.0.0.2", port))  # free: the server has 127.0.0.1 alone


def test_changes_come_as_they_happen(recorded, served, wait_for):
    browser = Browser(served)
    recorded.record._listeners = (served,)
    recorded.start({"a": recorded.node(), "b": recorded.node()})
    wait_for(lambda: browser.page().get("node:1"), "the page")
    recorded.write("node_started", node="a", attempt=0, job="", log="", worker="w", gpus=[])
    wait_for(lambda: browser.page()["node:0"]["state"] == "running", "a change")
    sent = browser.events[-1][1]
    assert "node:1" not in sent  # what did not change is not sent again
    recorded.finish("a", "failed", message="no luck")
    wait_for(lambda: browser.page()["node:0"]["state"] == "failed", "the end of a node")
    late = Browser(served)
    wait_for(lambda: late.page() == browser.page(), "the same page for who comes later")
    recorded.end(1)
    served.__exit__()
    for each in (browser, late):
        each.close()
        assert each.events[-1][0] == "end"
        assert each.page()["run"]["state"] == "failed"


def test_the_last_page_is_the_report(project, served):
    project.tasks(
        "from cyto.task import PipelineTask, Port\n"
        "class Bright(PipelineTask):\n"
        '    """Find."""\n'
        '    inputs = {"image": Port("image")}\n'
        '    outputs = {"label": Port("label")}\n'
        "    def run_baremetal(self, data):\n"
        '        return {"label": (data["image"] > 9).astype("uint8")}\n'
    )
    project.image("t.tif")
    project.plan_of({"channels": {"t": "t.tif"}, "tasks": {"seg": {"module": "MODULE.Bright"}}})
    browser = Browser(served)
    report = TaskManager(make_plan(project.pipeline), listeners=(served,)).run()
    served.__exit__()
    browser.close()
    view = read_view(RunLayout(report.output_dir, report.run_id))
    assert browser.page() == json.loads(json.dumps(Page(view).parts()))


def test_a_browser_that_goes_away_is_forgotten(recorded, served, wait_for):
    url = urlsplit(served.address)
    gone = socket.create_connection((url.hostname, url.port))
    gone.sendall(f"GET {url.path}events HTTP/1.1\r\nHost: {url.netloc}\r\n\r\n".encode())
    gone.recv(10)
    gone.close()
    recorded.record._listeners = (served,)
    recorded.start({"a": recorded.node()})
    recorded.finish("a")
    recorded.end()
    served.__exit__()
    assert not served._server._thread.is_alive()  # it ended, and did not wait for who is gone
    assert not served._server._clients


def test_without_the_library_it_says_how_to_get_it(monkeypatch):
    monkeypatch.setattr(dashboard.importlib.util, "find_spec", lambda _: None)
    with pytest.raises(UnavailableError, match="tornado") as caught:
        dashboard.check_library()
    assert "pip install 'pycyto[dashboard]'" in str(caught.value)
