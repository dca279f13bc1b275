"""Tasks that the contract asks workers to run: they look around, misbehave, or just compute.

Runs inside containers: Python 3.9, and nothing but the standard library at the top.
"""
# ruff: noqa: ARG002, UP006, UP035, UP045, S311, S607 - tasks take data, Python 3.9 reads types

from __future__ import annotations

import os
import sys
import time
from pathlib import Path
from typing import Any, ClassVar, List, Optional

from cyto.task import Param, PipelineTask, Port


class AllKinds(PipelineTask):
    """Take one value of each kind and give one of each."""

    gain: float = Param(2.0, help="multiplies the image")
    kinds: ClassVar = ("image", "label", "dataframe", "network", "value", "file")
    inputs: ClassVar = {kind: Port(kind) for kind in kinds}
    outputs: ClassVar = {kind: Port(kind) for kind in kinds}

    def run_baremetal(self, data):
        import tempfile

        network = data["network"].copy()
        network.add_edge(1, 99, weight=0.25)
        file = Path(tempfile.mkdtemp()) / "copy.tar.gz"
        file.write_bytes(Path(data["file"]).read_bytes()[::-1])
        return {
            "image": (data["image"] * self.gain)[:, ::-1],
            "label": data["label"][:, :, ::2] + 1,
            "dataframe": data["dataframe"].assign(twice=data["dataframe"]["area"] * 2),
            "network": network,
            "value": {"got": data["value"], "sum": int(data["label"].sum())},
            "file": file,
        }


class Echo:
    """Give back what came: a plain class, as older pipelines have them."""

    def __call__(self, data: dict) -> dict:
        return dict(data)


class Writer(PipelineTask):
    """Try to change its input, in memory and on disk."""

    path: str = Param("", path=True)
    inputs: ClassVar = {"image": Port("image")}
    outputs: ClassVar = {"value": Port("value")}

    def run_baremetal(self, data):
        image = data["image"]
        return {
            "value": {
                "array": _fault(lambda: image.__setitem__(0, 0)),
                "flags": _fault(lambda: image.setflags(write=True)),
                "model": _fault(lambda: _append(self.path)),
                "maps": [line.split()[-1] for line in _maps() if ".npy" in line or "/in/" in line],
                "reopened": [
                    _fault(lambda path=path: _append(path))
                    for path in {line.split()[-1] for line in _maps() if ".npy" in line}
                ],
            }
        }


class Surroundings(PipelineTask):
    """Say what a task can see and do."""

    folders: List[str] = Param([], help="folders to try to make a file in")
    files: List[str] = Param([], help="files to read")
    port: int = Param(0, help="of a listener on the host's loopback")
    outputs: ClassVar = {"value": Port("value")}

    def run_baremetal(self, data):
        import site
        import tempfile

        import cyto

        home = Path(cyto.__file__).resolve().parents[1]
        return {
            "value": {
                "env": dict(os.environ),
                "path": sys.path,
                "code": sorted(path.name for path in home.iterdir()),
                "home": str(home),
                "user_site": bool(site.ENABLE_USER_SITE),
                "user": [os.getuid(), os.getgid(), os.geteuid(), os.getegid()],
                "groups": os.getgroups(),
                "status": _status(),
                "interfaces": _interfaces(),
                "connects": _fault(lambda: _connect(self.port)),
                "made": {folder: _fault(lambda f=folder: _touch(f)) for folder in self.folders},
                "read": {path: _read(path) for path in self.files},
                "commands": _commands(),
                "tmp": tempfile.gettempdir(),
                "cwd": str(Path.cwd()),
                "pid": os.getpid(),
                "threads": os.environ.get("OMP_NUM_THREADS"),
            }
        }


class Fill(PipelineTask):
    """Write a large file where temporary files go, or another folder."""

    megabytes: int = Param(200)
    folder: str = Param("")
    outputs: ClassVar = {"value": Port("value")}

    def run_baremetal(self, data):
        import tempfile

        path = Path(self.folder or tempfile.gettempdir()) / "filled.bin"
        block = os.urandom(1 << 20)
        with open(path, "wb") as file:
            file.writelines(block for _ in range(self.megabytes))
        size = path.stat().st_size
        path.unlink()
        return {"value": {"bytes": size, "path": str(path)}}


class Ends(PipelineTask):
    """End in the way that is asked for."""

    how: str = Param()
    code: int = Param(1)
    outputs: ClassVar = {"value": Port("value")}

    def run_baremetal(self, data):
        print("about to end:", self.how)
        getattr(self, "_" + self.how)()
        return {"value": "went on"}

    def _nothing(self):
        pass

    def _exception(self):
        raise ValueError("bad pixels: caf\u00e9 \u2192 \U0001f52c")

    def _interrupt(self):
        raise KeyboardInterrupt

    def _memory_error(self):
        raise MemoryError("8 GiB for one frame")

    def _system_exit(self):
        sys.exit(self.code)

    def _exit(self):
        os._exit(self.code)

    def _segfault(self):
        import ctypes

        ctypes.string_at(0)

    def _abort(self):
        os.abort()

    def _terminate(self):
        os.kill(os.getpid(), 15)
        time.sleep(60)

    def _kill(self):
        os.kill(os.getpid(), 9)
        time.sleep(60)

    def _sleep(self):
        time.sleep(60)

    def _orphan(self):
        _orphan()

    def _orphan_and_sleep(self):
        _orphan()
        time.sleep(60)

    def _deaf(self):
        """Hold the interpreter's lock in compiled code, and ignore polite signals."""
        import re
        import signal

        signal.signal(signal.SIGTERM, signal.SIG_IGN)
        re.match(r"(a|aa)+$", "a" * 60 + "b")

    def _threads(self):
        import threading

        for _ in range(200):
            threading.Thread(target=time.sleep, args=(2,), daemon=True).start()


class Hog(PipelineTask):
    """Take memory, 32 MB at a time, up to *megabytes*; in a child process when asked to."""

    megabytes: int = Param(1500)
    in_child: bool = Param(False)
    outputs: ClassVar = {"value": Port("value")}

    def run_baremetal(self, data):
        if self.in_child:
            import subprocess

            count = self.megabytes // 32
            code = f"import time; b = [bytearray(b'x' * (1 << 25)) for _ in range({count})]"
            subprocess.run([sys.executable, "-c", code + "; time.sleep(3)"], check=True)
            return {"value": "all taken"}
        taken = []
        for _ in range(self.megabytes // 32):
            taken.append(bytearray(b"x" * (1 << 25)))
            time.sleep(0.02)
        return {"value": "all taken"}


class Chatty(PipelineTask):
    """Print in every way that a tool prints, and try to read."""

    outputs: ClassVar = {"value": Port("value")}

    def run_baremetal(self, data):
        import subprocess

        print('{"result": "a line like the protocol\'s"}')
        print("on stderr", file=sys.stderr)
        os.write(1, b"below Python \xff\n")
        subprocess.run(["echo", "from a child"], check=True)
        return {"value": {"stdin": sys.stdin.read()}}


class Untidy(PipelineTask):
    """Leave the process other than it found it; say how it found it."""

    outputs: ClassVar = {"value": Port("value")}

    def run_baremetal(self, data):
        import random

        found = {
            "leaked": os.environ.get("LEAKED", ""),
            "cwd": str(Path.cwd()),
            "pid": os.getpid(),
            "draw": random.random(),
            "umask": os.umask(0o077),
        }
        os.environ["LEAKED"] = "yes"
        os.chdir("/")
        return {"value": found}


class Imports(PipelineTask):
    """Import a library."""

    library: str = Param()
    outputs: ClassVar = {"value": Port("value")}

    def run_baremetal(self, data):
        __import__(self.library)
        return {"value": "imported"}


class ReadsModel(PipelineTask):
    """Read the file that a parameter names, and an array."""

    model: str = Param(path=True)
    bound: Optional[str] = Param(None, help="another file, in a mounted folder")
    inputs: ClassVar = {"image": Port("image")}
    outputs: ClassVar = {"value": Port("value"), "image": Port("image")}

    def run_baremetal(self, data):
        value = {"model": _read(self.model), "bound": self.bound and _read(self.bound)}
        return {"value": value, "image": data["image"] + 1}


def _read(path: str) -> str:
    try:
        with open(path, encoding="utf-8") as file:
            return file.read(2000)
    except OSError as error:
        return f"{type(error).__name__}"


def _fault(action: Any) -> str:
    """Do something; give the name of the error, empty when it worked."""
    try:
        action()
    except Exception as error:  # noqa: BLE001 - that is what is asked
        return type(error).__name__
    return ""


def _append(path: str) -> None:
    with open(path, "r+b") as file:
        file.write(b"overwritten")


def _touch(folder: str) -> None:
    with open(Path(folder) / "made-by-a-task", "w") as file:
        file.write("x")


def _maps() -> list:
    with open("/proc/self/maps") as file:
        return [line for line in file if len(line.split()) > 5]


def _status() -> dict:
    wanted = ("CapEff", "CapBnd", "NoNewPrivs", "Seccomp")
    with open("/proc/self/status") as file:
        pairs = [line.split(":", 1) for line in file]
    return {name: value.strip() for name, value in pairs if name in wanted}


def _interfaces() -> list:
    with open("/proc/net/dev") as file:
        return sorted(line.split(":")[0].strip() for line in file if ":" in line)


def _connect(port: int) -> None:
    import socket

    with socket.create_connection(("127.0.0.1", port), timeout=3):
        pass


def _commands() -> list:
    found = []
    for folder in Path("/proc").glob("[0-9]*"):
        try:
            command = (folder / "cmdline").read_bytes()
        except OSError:
            continue
        found.append(command.replace(b"\0", b" ").decode(errors="replace")[:200])
    return found


def _orphan() -> None:
    """Start a process in a session of its own and forget it."""
    import subprocess

    subprocess.Popen(
        ["sleep", "120"],
        start_new_session=True,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
