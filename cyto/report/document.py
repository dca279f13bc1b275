"""The page itself: one HTML file with its style, its script and its data inside.

Nothing that users wrote is ever read as HTML: data is JSON, which the script puts into the page as
text, and the policy lets no other script run and nothing be fetched.
"""

from __future__ import annotations

import base64
import hashlib
import json
from collections.abc import Mapping
from functools import cache
from html import escape
from importlib.resources import files
from typing import Any

from cyto._version import VERSION

_SCRIPTS = (
    "dom.js", "head.js", "graph.js", "plots.js", "movies.js", "time.js", "nodes.js", "page.js",
)  # fmt: skip
_UNSAFE = {"<": "\\u003c", ">": "\\u003e", "&": "\\u0026"}
_SHOWN = 200


def document(parts: Mapping[str, Any] | None) -> str:
    """Give the page with its data inside; with ``None``, the page that follows a live run."""
    title = "A run · pyCyto" if parts is None else f"{parts['run']['title']} · pyCyto"
    pieces = {
        "POLICY": policy(live=parts is None),
        "VERSION": VERSION,
        "TITLE": escape(title),
        "STYLE": _asset("style.css"),
        "PLAIN": "" if parts is None else _plain(parts),
        "DATA": embedded(parts),
        "SCRIPT": _script(),
    }
    text = _asset("page.html")
    head, *rest = text.split("@@")
    # one pass: what is put in is not looked at again
    return head + "".join(
        pieces[part] if place % 2 == 0 else part for place, part in enumerate(rest)
    )


def policy(*, live: bool) -> str:
    """Give the page's Content-Security-Policy: its own style and script, pictures inside it."""
    rules = [
        "default-src 'none'",
        "img-src data:",
        f"style-src '{_digest(_asset('style.css'))}'",
        f"script-src '{_digest(_script())}'",
        "base-uri 'none'",
        "form-action 'none'",
    ]
    return "; ".join([*rules, "connect-src 'self'"] if live else rules)


def embedded(data: object) -> str:
    """Write data as JSON that cannot end the element that it stands in."""
    text = json.dumps(data, separators=(",", ":"))
    for mark, safe in _UNSAFE.items():
        text = text.replace(mark, safe)
    return text


@cache
def _asset(name: str) -> str:
    return (files("cyto.report") / "assets" / name).read_text(encoding="utf-8").strip()


@cache
def _script() -> str:
    body = "\n".join(_asset(name) for name in _SCRIPTS)
    return f'"use strict";\n(() => {{\n{body}\n}})();'


def _digest(text: str) -> str:
    return "sha256-" + base64.b64encode(hashlib.sha256(text.encode()).digest()).decode("ascii")


def _plain(parts: Mapping[str, Any]) -> str:
    """Say the most important things without a script, such as in a mail program."""
    run = parts["run"]
    nodes = [part for name, part in parts.items() if name.startswith("node:")]
    failed = [node for node in nodes if node["state"] == "failed"]
    more = "This page needs JavaScript to show more."
    lines = [
        f"<h1>{escape(run['title'])}: {escape(run['state'])}</h1>",
        f"<p>Run {escape(run['id'])}, {escape(run['started'])}. {more}</p>",
    ]
    lines += [
        f"<p><b>{escape(node['name'])}</b> failed: {escape(node['message'])}</p>"
        for node in failed[:_SHOWN]
    ]
    rows = "".join(
        f"<tr><td>{escape(node['name'])}</td><td>{escape(node['state'])}</td></tr>"
        for node in nodes[:_SHOWN]
    )
    return "\n".join([*lines, f"<table>{rows}</table>"])
