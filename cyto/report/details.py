"""What a reader asks of one node: parameters, inputs, outputs, log and exact command."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any
from urllib.parse import quote

from cyto.core.layout import JobLayout
from cyto.core.units import format_memory
from cyto.engine.store import Entry, Store
from cyto.engine.view import NodeView, RunView
from cyto.report.folding import sources

_LOG_BYTES, _FAILED_LOG_BYTES = 4_000, 24_000
_COMMAND_CHARS = 12_000
_VALUE_CHARS = 2_000
_BUDGET_BYTES = 2_500_000


class Details:
    """Read the details of a run's nodes, while the page has room for them.

    Parameters
    ----------
    view
        The run.
    store
        Where its results are.
    """

    def __init__(self, view: RunView, store: Store) -> None:
        self._view, self._store = view, store
        self._entries: dict[str, Entry | None] = {}
        self._taken: dict[str, int] = {}
        self._sum = 0
        self.short: list[str] = []
        """Nodes whose log is left out, as the page is full."""

    def of(self, node: NodeView) -> dict[str, Any]:
        """Give the details of a node as JSON values."""
        entry = self.entry(node)
        details = {
            "params": {name: _shown(value) for name, value in node.facts["params"].items()},
            "inputs": self._inputs(node),
            "outputs": self._outputs(node, entry),
            "tags": list(node.facts.get("tags", ())),
            "options": dict(node.facts.get("options", {})),
            "attempts": [_cut(text, _VALUE_CHARS) for text in node.attempts],
            "traceback": _tail(str(node.end.get("traceback", "")), _FAILED_LOG_BYTES),
            "key": node.end.get("key", ""),
            "command": self._command(node),
            "script": str(self._view.moved(node.script)) if node.script else "",
            "log": self._log(node),
        }
        if entry is not None:
            parts = entry.facts.get("parts") or {}
            details["identity"] = parts.get("environment", "")
            details["versions"] = dict(entry.facts.get("versions", {}))
            details["run"] = entry.facts.get("run", "")
            details["code"] = parts.get("code", "")
        size = len(json.dumps(details))
        self._sum += size - self._taken.get(node.name, 0)
        self._taken[node.name] = size
        return details

    def entry(self, node: NodeView) -> Entry | None:
        """Give the node's result; ``None`` where there is none, or no more."""
        key = str(node.end.get("key") or "")
        if key and key not in self._entries:
            try:
                self._entries[key] = self._store.look(key)
            except (ValueError, OSError):
                self._entries[key] = None
        return self._entries.get(key)

    def _inputs(self, node: NodeView) -> list[dict[str, Any]]:
        channels = self._view.started.get("channels", {})
        known = sources(node, channels)
        listed = []
        for key, text in node.facts["inputs"].items():
            source = known.get(key, "")
            facts = channels.get(text, {})
            other = self._view.nodes.get(source)
            listed.append(
                {
                    "key": key,
                    "from": text,
                    "node": None if other is None else other.index,
                    "path": str(facts.get("path", "")),
                    "shape": " × ".join(map(str, facts.get("shape", ()))),
                }
            )
        return listed

    def _outputs(self, node: NodeView, entry: Entry | None) -> list[dict[str, Any]]:
        found = {each["key"]: each for each in node.end.get("findings", ())}
        refs = dict(entry.outputs) if entry is not None else {}
        listed = []
        for key in dict.fromkeys([*refs, *found]):
            path = self._view.moved(found[key]["path"]) if key in found else None
            ref = refs.get(key)
            listed.append(
                {
                    "key": key,
                    "kind": ref.kind if ref is not None else "",
                    "text": found[key]["text"] if key in found else _described(ref),
                    "path": str(path) if path is not None else "",
                    "link": self.link(path) if path is not None else "",
                    "stored": str(ref.path) if ref is not None and ref.path else "",
                }
            )
        return listed

    def link(self, path: Path) -> str:
        """Give a file's address relative to the output folder; empty for one that lies outside."""
        try:
            inside = path.relative_to(self._view.layout.output_dir)
        except ValueError:
            return ""
        return "./" + quote(str(inside))

    def _command(self, node: NodeView) -> str:
        """Read the command of the job that failed, else of the first."""
        spans = sorted((span for span in node.spans if span.job), key=lambda span: span.ok)
        job = str(node.end.get("job") or (spans[0].job if spans else ""))
        if not job:
            return ""
        path = JobLayout(self._view.moved(job)).command
        try:
            text = path.read_text(encoding="utf-8", errors="replace")
        except OSError:
            return ""
        return _cut(text.strip(), _COMMAND_CHARS)

    def _log(self, node: NodeView) -> dict[str, Any]:
        path = self._view.layout.log(node.name)
        if not path.exists():
            return {}
        most = _FAILED_LOG_BYTES if node.state == "failed" else _LOG_BYTES
        if (
            self._sum - self._taken.get(node.name, 0) + most > _BUDGET_BYTES
            and node.state != "failed"
        ):
            self.short.append(node.name)
            return {"text": "", "path": str(path), "link": self.link(path), "cut": True}
        text, cut = read_tail(path, most)
        return {"text": text, "path": str(path), "link": self.link(path), "cut": cut}


def read_tail(path: Path, most: int) -> tuple[str, bool]:
    """Read the end of a log, of lines that were written over the last state alone.

    Returns
    -------
    The text, empty where there is no file, and whether something before it was left out.
    """
    try:
        with path.open("rb") as file:
            size = file.seek(0, 2)
            file.seek(max(0, size - most))
            data = file.read()
    except OSError:
        return "", False
    cut = size > most
    lines = data.decode("utf-8", errors="replace").split("\n")
    kept = [line.rstrip("\r").rpartition("\r")[2] for line in (lines[1:] if cut else lines)]
    return "\n".join(kept), cut


def _described(ref: Any) -> str:
    """Say what a stored value is, without reading it."""
    if ref.shape:
        return f"{' × '.join(map(str, ref.shape))}, {ref.dtype}"
    if ref.columns:
        return f"{len(ref.columns)} columns"
    if ref.format == "inline":
        return _cut(json.dumps(ref.value), 200)
    try:
        return format_memory(Path(str(ref.path)).stat().st_size)
    except OSError:
        return ""


def _shown(value: Any) -> Any:
    text = json.dumps(value)
    return value if len(text) <= _VALUE_CHARS else _cut(text, _VALUE_CHARS)


def _cut(text: str, most: int) -> str:
    return text if len(text) <= most else f"{text[:most]} … ({len(text) - most} characters more)"


def _tail(text: str, most: int) -> str:
    return text if len(text) <= most else f"… {text[-most:]}"
