"""The page as a file: nothing in it can act but its own script, and all data comes through."""

from __future__ import annotations

import base64
import hashlib
import re
from html.parser import HTMLParser

import pytest

from cyto.report.document import document, embedded, policy

HOSTILE = "</script><script>x()</script><!-- <img src=x onerror=x()> & ' \" \u2028 \x00 ]]>"


class Reader(HTMLParser):
    """List the elements of a page, with what is in its scripts and styles."""

    def __init__(self):
        super().__init__()
        self.tags, self.texts, self.open = [], {}, ""

    def handle_starttag(self, tag, attrs):
        self.tags.append((tag, dict(attrs)))
        self.open = tag

    def handle_endtag(self, tag):  # noqa: ARG002
        self.open = ""

    def handle_data(self, data):
        if self.open in {"script", "style"}:
            self.texts.setdefault(len(self.tags) - 1, []).append(data)

    def inside(self, tag):
        found = [i for i, (name, _) in enumerate(self.tags) if name == tag]
        return ["".join(self.texts.get(i, [])) for i in found]


def page(**run):
    node = {"name": HOSTILE, "state": "failed", "message": HOSTILE}
    run = {"title": HOSTILE, "state": "failed", "id": "r1", "started": "now", **run}
    return {"run": run, "node:0": node}


def read(text):
    reader = Reader()
    reader.feed(text)
    return reader


def test_hostile_text_adds_no_element(data_of):
    text = document(page())
    tags = [tag for tag, _ in read(text).tags]
    assert tags.count("script") == 2
    assert "img" not in tags
    assert data_of(text)["node:0"]["message"] == HOSTILE


def test_the_policy_allows_what_the_page_has_and_no_more():
    reader = read(document(page()))
    metas = [attrs for tag, attrs in reader.tags if tag == "meta"]
    (rule,) = [m["content"] for m in metas if m.get("http-equiv") == "Content-Security-Policy"]
    for kind, text in (
        ("style", reader.inside("style")[0]),
        ("script", reader.inside("script")[1]),
    ):
        digest = base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()
        assert f"{kind}-src 'sha256-{digest}'" in rule
    assert "default-src 'none'" in rule
    assert "unsafe" not in rule
    assert "connect-src" not in rule
    assert "connect-src 'self'" in policy(live=True)


def test_nothing_is_fetched():
    text = document(page(title="x"))
    without_data = re.sub(r'id="data">.*?</script>', "", text, flags=re.DOTALL)
    named = set(re.findall(r"https?://[^\s\"'`)]+", without_data))
    assert named == {"http://www.w3.org/2000/svg"}  # a name, not an address
    for _, attrs in read(text).tags:
        assert not attrs.get("src")
        assert attrs.get("href", "#").startswith(("#", "data:"))


def test_no_element_has_a_handler_or_a_style_of_its_own():
    """The policy would refuse them."""
    for _, attrs in read(document(page(title="x"))).tags:
        assert not [name for name in attrs if name.startswith("on") or name == "style"]


def test_the_state_and_the_failures_are_readable_without_a_script():
    text = document(page(title="assay"))
    plain = text.partition("<noscript>")[2].partition("</noscript>")[0]
    assert "<h1>assay: failed</h1>" in plain
    assert "&lt;/script&gt;" in plain


def test_a_live_page_has_no_data_of_its_own(data_of):
    assert data_of(document(None)) is None


@pytest.mark.parametrize("value", [HOSTILE, {"a": [HOSTILE, None, 1.5]}, {HOSTILE: 1}])
def test_embedded_data_has_no_mark_of_html(value):
    text = embedded(value)
    assert not set("<>&\u2028\x00") & set(text)
