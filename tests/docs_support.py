"""What the documents show, taken out of them and tried: files, commands, Python, fragments."""

from __future__ import annotations

import ast
import json
import os
import re
import shlex
import shutil
import subprocess
import sys
import sysconfig
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache
from pathlib import Path

import docs_commands as commands
import docs_yaml

ROOT = Path(__file__).resolve().parents[1]
SITE = ROOT / "docs"
PROGRAMS = (
    "bash", "cat", "cp", "cut", "dirname", "du", "env", "find", "grep", "head", "ls", "mkdir", "mv",
    "nproc", "printf", "realpath", "rm", "sed", "sh", "sort", "tail", "wc",
)  # fmt: skip
_FENCE = re.compile(r"^(?P<ticks>`{3,})(?P<kind>[\w{}-]*)(?: .*)?$")
_NAME = re.compile(r"^# (?P<name>[\w./-]+\.(?:yaml|yml|py|toml))(?:[ ,:].*)?$")
_EXCEPTION = re.compile(r"<!-- not run: (?P<reason>.+) -->")
_CODE = re.compile(r"#.*exit code (?P<code>\d+)")


@dataclass(frozen=True)
class Block:
    """A fenced block of a page."""

    page: str
    line: int
    kind: str
    text: str
    exception: str = ""

    @property
    def name(self) -> str:
        """The file that it shows, or nothing."""
        match = _NAME.match(self.text.partition("\n")[0])
        return match["name"] if match else ""

    @property
    def place(self) -> str:
        return f"{self.page}:{self.line}"


def pages() -> list[Path]:
    """Give every page of the site."""
    return sorted(path for path in SITE.rglob("*.md") if "_ext" not in path.parts)


def needed(path: Path) -> set[str]:
    """Give the commands that a page needs and another version may lack."""
    found = re.findall(r"<!-- needs: (.+) -->", path.read_text(encoding="utf-8"))
    return {name.strip().removeprefix("cyto ") for line in found for name in line.split(",")}


def blocks(path: Path) -> list[Block]:
    """Give the fenced blocks of a page; those that are Sphinx's own are left out."""
    return [one for one in _fences(path) if not one.kind.startswith("{")]


def _fences(path: Path) -> Iterator[Block]:
    page = str(path.relative_to(ROOT))
    lines = path.read_text(encoding="utf-8").splitlines()
    ticks, kind, begin, body = "", "", 0, list[str]()
    for number, line in enumerate(lines, 1):
        match = _FENCE.match(line.strip())
        if not ticks and match:
            ticks, kind, begin, body = match["ticks"], match["kind"], number, []
        elif ticks and line.strip() == ticks:
            before = lines[begin - 2] if begin > 1 else ""
            said = _EXCEPTION.fullmatch(before.strip())
            text = "\n".join(body) + "\n"
            yield Block(page, begin, kind, text, said["reason"] if said else "")
            ticks = ""
        elif ticks:
            body.append(line)
    assert not ticks, f"{page}:{begin}: the fence does not end"


def command_lines(text: str) -> list[str]:
    """Give the commands of a block, those that go on in the next line joined."""
    joined = re.sub(r"\\\n\s*", "", text)
    return [line for line in joined.splitlines() if line.strip() and not line.startswith("#")]


class Folder:
    """A reader's folder: a clone's pipelines and containers in it, and a machine with no service.

    Commands find Python, cyto and the usual small programs on the PATH, and neither Docker nor
    Apptainer nor Slurm: what needs one ends with exit code 3 before anything runs, on every
    machine.
    """

    def __init__(self, folder: Path, *, services: bool = False) -> None:
        self.folder = folder / "clone"
        shutil.copytree(ROOT / "pipelines", self.folder / "pipelines")
        for name in ("containers", "scripts", "notebooks", "main.py"):
            (self.folder / name).symlink_to(ROOT / name)
        programs = folder / "bin"
        programs.mkdir()
        for name in PROGRAMS:
            (programs / name).symlink_to(str(shutil.which(name)))
        for name in ("python", "python3"):
            # a link would be another Python, without this one's packages
            (programs / name).write_text(f'#!/bin/sh\nexec {sys.executable} "$@"\n')
            (programs / name).chmod(0o755)
        (programs / "cyto").symlink_to(Path(sysconfig.get_path("scripts")) / "cyto")
        path = f"{programs}:{os.environ['PATH']}" if services else str(programs)
        self.env = {
            **os.environ,
            "PATH": path,
            "CYTO_CACHE": str(folder / "cache"),
            "COLUMNS": "100",
            "USER": "somebody",
        }

    def take(self, block: Block) -> None:
        """Do with a block what its kind asks for."""
        if block.name:
            path = self.folder / block.name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(block.text, encoding="utf-8")
        if block.exception:
            return
        match block.kind:
            case "yaml":
                docs_yaml.check(block.text, self.folder / block.name if block.name else None)
            case "bash":
                for line in command_lines(block.text):
                    self._command(line)
            case "console":
                self._transcript(block)
            case "python":
                if not block.name:
                    self._python(block)
            case "json":
                json.loads(block.text)
            case "text":
                first = block.text.partition("\n")[0]
                assert says(first), f"no message of the program is in {first!r}"
            case "toml":
                docs_yaml.check_toml(block.text)
            case _:
                raise AssertionError(f"a block of kind {block.kind!r} is not tried by anything")

    def _command(self, line: str) -> str:
        words = shlex.split(re.sub(r"\$\([^)]*\)", "SOMETHING", line), comments=True)
        while words and re.match(r"^[A-Z_]+=", words[0]):
            words.pop(0)
        if commands.is_checked_only(words):
            commands.check(words)
            return ""
        if words[:2] == ["cyto", "build"]:
            line = f"{line.partition('#')[0].strip().replace('cyto build', 'cyto build --dry-run')}"
        done = self._shell(line)
        said = _CODE.search(line)
        fine = {int(said["code"])} if said else commands.fine_codes(words, done.stderr)
        assert done.returncode in fine, f"{line}\nexit code {done.returncode}\n{done.stderr}"
        return done.stdout + done.stderr

    def _transcript(self, block: Block) -> None:
        """Run what stands after each ``$`` and compare; ``…`` in what is shown is anything."""
        for part in re.split(r"^\$ ", block.text, flags=re.MULTILINE)[1:]:
            line, _, shown = part.partition("\n")
            found = self._command(line)
            for wanted in filter(None, (_spaceless(text) for text in shown.splitlines())):
                pattern = ".*".join(map(re.escape, wanted.split("…")))
                fits = any(re.fullmatch(pattern, _spaceless(got)) for got in found.splitlines())
                assert fits, f"{line}\nshows no line\n{wanted}\nbut\n{found}"

    def _python(self, block: Block) -> None:
        done = self._shell(f"python - <<'END'\n{block.text}\nEND")
        assert done.returncode == 0, done.stderr

    def _shell(self, line: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            ["/bin/bash", "-c", line],
            cwd=self.folder,
            env=self.env,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            check=False,
            timeout=300,
        )


@cache
def messages() -> tuple[str, ...]:
    """Give every text of the package, with ``…`` for what is put in."""
    found = []
    for path in (ROOT / "cyto").rglob("*.py"):
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(node, ast.JoinedStr):
                parts = (v.value if isinstance(v, ast.Constant) else "…" for v in node.values)
                found.append("".join(map(str, parts)))
            elif isinstance(node, ast.Constant) and isinstance(node.value, str):
                found.append(node.value)
    return tuple(found)


def says(line: str) -> bool:
    """Tell whether some message of the program, with a few words of its own, is in *line*."""
    for text in messages():
        parts = [re.escape(part) for part in text.split("…")]
        if len(text) - text.count("…") > 12 and re.search(".+".join(parts), line):
            return True
    return False


def _spaceless(text: str) -> str:
    return " ".join(text.split())
