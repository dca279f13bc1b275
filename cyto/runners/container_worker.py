"""The one program that runs a task anywhere outside the caller's own process.

``python -m cyto.runners.container_worker REQUEST.json``
    runs that one request; this is the command that each job folder records.
``python -m cyto.runners.container_worker --serve``
    answers requests, one JSON object per line on stdin, until stdin closes.

Needs the standard library alone until it loads a task, so it starts under ``python -S`` in
milliseconds. Every request gets exactly one ``result.json``, ``SystemExit`` included. stdout and
stderr belong to the tool and go to the job's log; the protocol has a file descriptor of its own.
"""

from __future__ import annotations

import contextlib
import errno
import functools
import gc
import json
import os
import sys
import time
from typing import IO, Any, Optional

from cyto.core.request import Ref, TaskRequest, TaskResult
from cyto.runners.monitor import go_on_below_a_monitor

_LIBRARIES = (
    "numpy", "scipy", "skimage", "cv2", "pandas", "pyarrow", "networkx", "torch", "cellpose",
    "tensorflow", "stardist", "csbdeep",
)  # fmt: skip


def main(argv: Optional[list[str]] = None) -> int:
    """Run one request, or serve many; give the exit code."""
    args = sys.argv[1:] if argv is None else argv
    if args == ["--serve"]:
        go_on_below_a_monitor(watch_stdin=True)
        return serve()
    if os.getpid() == 1:
        go_on_below_a_monitor(watch_stdin=False)
    if len(args) != 1 or args[0].startswith("-"):
        sys.stderr.write(f"{__doc__}\n")
        return 0 if args in (["-h"], ["--help"]) else 2
    with open(args[0], encoding="utf-8") as file:
        request = TaskRequest.from_json(json.load(file))
    result = answer(request)
    if not result.ok:
        sys.stderr.write(f"{result.traceback}{result.reason}: {result.message}\n")
    return 0 if result.ok else 1


def serve() -> int:
    """Answer requests from stdin until it closes; the monitor sees when it does during a task."""
    replies = os.fdopen(os.dup(1), "w", encoding="utf-8")
    questions = os.fdopen(os.dup(0), encoding="utf-8")
    os.dup2(os.open(os.devnull, os.O_RDONLY), 0)  # a tool that reads stdin gets nothing
    os.dup2(2, 1)
    _reply(replies, json.dumps({"ready": os.getpid(), "python": sys.version.split()[0]}))
    for line in iter(questions.readline, ""):
        request = TaskRequest.from_json(json.loads(line))
        with _Capture(os.path.join(request.folder, "log.txt")):
            result = answer(request)
        _reply(replies, json.dumps({"result": result.to_json()}))
    os._exit(0)  # whoever asked is content; the monitor ends what tasks left


def answer(request: TaskRequest) -> TaskResult:
    """Run one request and write its result, whatever happens."""
    _forget_peak()
    wall, cpu = time.perf_counter(), time.process_time()
    before, folder, mask = _environ(), os.getcwd(), os.umask(0)
    os.umask(mask)
    outputs: dict[str, Ref] = {}
    failure: dict[str, Any] = {}
    pid = os.getpid()
    try:
        outputs = _execute(request)
    except BaseException as error:  # noqa: BLE001 - the one place that must not let go
        _end_a_fork(pid, error)
        failure = _explain(error)
        with contextlib.suppress(ValueError, OSError, AttributeError):  # the tool may have shut it
            sys.stderr.write(failure["traceback"])
        _remove_half(request)
    finally:
        for stream in (sys.stdout, sys.stderr):
            with contextlib.suppress(ValueError, OSError, AttributeError):
                stream.flush()
        os.chdir(folder)
        os.umask(mask)
        if _environ() != before:
            os.environ.clear()
            os.environ.update({os.fsdecode(k): os.fsdecode(v) for k, v in before.items()})
    result = TaskResult(
        outputs=outputs,
        wall_s=time.perf_counter() - wall,
        cpu_s=time.process_time() - cpu,
        peak_bytes=_peak(),
        versions=_versions(),
        **failure,
    )
    _write(result, request.folder)
    return result


def _execute(request: TaskRequest) -> dict[str, Ref]:
    _use_site_packages()
    if request.code:  # nothing of ours is to appear beside the user's files
        sys.dont_write_bytecode = True
    for module in request.code:
        if os.path.dirname(module) not in sys.path:
            sys.path.append(os.path.dirname(module))
    from cyto.runners import exchange

    data = {key: exchange.load(ref) for key, ref in request.inputs.items()}
    _seed(request.seed)
    # the task floor is above this one: it is loaded by name, as the request's class is
    loading = __import__("cyto.task.loading", fromlist=["load_task"])
    cls = loading.load_task(request.task)
    gc.enable()
    task = loading.build_task(cls, request.params)
    out = os.path.join(request.into or request.folder, "out")
    ports = getattr(cls, "outputs", {})
    framewise = getattr(cls, "framewise", False)
    if framewise or request.frames:
        from pathlib import Path

        from cyto.runners import blocks

        count = blocks.block_frames(cls, data, request.inputs)
        if count or request.frames:
            kinds = {key: port.kind for key, port in ports.items()}
            call = functools.partial(_call, loading, task)
            return blocks.run_in_blocks(
                call, data, request.inputs, count, kinds, Path(out), part=request.frames
            )
    values = _call(loading, task, data)
    if framewise:  # as it is when parts are joined
        tables = {k: v for k, v in values.items() if exchange.infer_kind(k, v) == "dataframe"}
        values = {**values, **{k: v.reset_index(drop=True) for k, v in tables.items()}}
    return {
        key: exchange.save(
            value, ports[key].kind if key in ports else exchange.infer_kind(key, value), out, key
        )
        for key, value in values.items()
        if not exchange.says_nothing(key, value, request.inputs)
    }


def _call(loading: Any, task: Any, data: Any) -> Any:
    pid = os.getpid()
    values = loading.call_here(task, data)
    _end_a_fork(pid)
    return values


def _end_a_fork(pid: int, error: Optional[BaseException] = None) -> None:
    """End the process if it is one that the task forked: only the worker itself answers."""
    if os.getpid() == pid:
        return
    code: Any = error.code if isinstance(error, SystemExit) else int(error is not None)
    if error is not None and not isinstance(error, SystemExit):
        import traceback

        traceback.print_exception(type(error), error, error.__traceback__)
    for stream in (sys.stdout, sys.stderr):
        with contextlib.suppress(ValueError, OSError, AttributeError):
            stream.flush()
    os._exit(code if isinstance(code, int) else int(code is not None))


def _remove_half(request: TaskRequest) -> None:
    """Remove what a failed task wrote; on a full disk the result would find no room beside it."""
    import shutil

    if not request.into:  # the other chunks' results lie there too
        shutil.rmtree(os.path.join(request.folder, "out"), ignore_errors=True)


def _explain(error: BaseException) -> dict[str, Any]:
    """Say in a user's words what ended the task."""
    import traceback

    name = type(error).__name__
    text = "".join(traceback.format_exception(type(error), error, error.__traceback__))
    if isinstance(error, SystemExit):
        why = f"the task ended its own process (exit code {error.code!r}) instead of returning"
        return {"reason": "exit", "message": why, "traceback": text}
    if isinstance(error, MemoryError):
        why = f"out of memory: {error}" if str(error) else "out of memory"
        return {"reason": "memory", "message": why, "traceback": text}
    if isinstance(error, ModuleNotFoundError):
        why = (
            f"the environment of this task has no library {error.name!r} ({error}); install it "
            "there, or give the node an image that has it (cyto doctor --image shows what lacks)"
        )
        return {"reason": "exception", "message": why, "traceback": text}
    if _is_full_disk(error):
        why = (
            f"no space is left on the disk that the task writes to ({name}: {error}); make room in "
            "the output folder and run again, or name another --output-dir"
        )
        return {"reason": "exception", "message": why, "traceback": text}
    if hasattr(error, "exit_code"):  # ours: the message says it all
        return {"reason": "exception", "message": str(error), "traceback": text}
    why = f"{name}: {error}" if str(error) else name
    return {"reason": "exception", "message": why + _where(error), "traceback": text}


def _is_full_disk(error: BaseException) -> bool:
    """Tell whether the disk, or a quota, was full; NumPy says only how much it could write."""
    if not isinstance(error, OSError):
        return False
    if error.errno is None:
        return " requested and " in str(error) and str(error).endswith(" written")
    return error.errno in {errno.ENOSPC, errno.EDQUOT}


def _where(error: BaseException) -> str:
    import traceback

    frames = traceback.extract_tb(error.__traceback__)
    if not frames:
        return ""
    last = frames[-1]
    return f" (in {last.name}, {os.path.basename(last.filename)} line {last.lineno})"


def _reply(replies: IO[str], message: str) -> None:
    replies.write(message + "\n")
    replies.flush()


def _stream(number: int) -> IO[str]:
    return open(
        number, "w", buffering=1, encoding="utf-8", errors="backslashreplace", closefd=False
    )


class _Capture:
    """Send what the tool prints, from Python or below it, to the job's log."""

    def __init__(self, path: str) -> None:
        self.path = path

    def __enter__(self) -> None:
        import faulthandler

        self.saved = (os.dup(1), os.dup(2))
        log = os.open(self.path, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o644)
        os.dup2(log, 1)
        os.dup2(log, 2)
        os.close(log)
        # new ones, whatever the last tool did to them
        self.streams = [_stream(1), _stream(2)]
        sys.stdout, sys.stderr = self.streams
        faulthandler.enable(2)

    def __exit__(self, *_: object) -> None:
        for stream in self.streams:
            with contextlib.suppress(ValueError, OSError):
                stream.flush()
        for target, saved in zip((1, 2), self.saved):
            os.dup2(saved, target)
            os.close(saved)


def _write(result: TaskResult, folder: str) -> None:
    path = os.path.join(folder, "result.json")
    with open(path + ".part", "wb", buffering=0) as file:
        data = memoryview(json.dumps(result.to_json()).encode())
        while data:
            data = data[file.write(data) :]
    os.replace(path + ".part", path)


@functools.cache
def _use_site_packages() -> None:
    if sys.flags.no_site:
        import site

        site.main()


def _seed(seed: int) -> None:
    sys.meta_path[:] = [f for f in sys.meta_path if not isinstance(f, _SeedWhenLoaded)]
    for name, value in (("random", seed), ("numpy.random", seed % 2**32)):
        loaded = sys.modules.get(name)
        if loaded is not None:
            loaded.seed(value)
        else:  # importing it costs more than many a task
            sys.meta_path.insert(0, _SeedWhenLoaded(name, value))


class _SeedWhenLoaded:
    """Seed a module's global generator when the task first loads it."""

    def __init__(self, name: str, seed: int) -> None:
        self.name, self.seed = name, seed

    def find_spec(self, name: str, *_: object) -> Any:
        if name != self.name:
            return None
        import importlib.util

        sys.meta_path.remove(self)
        spec = importlib.util.find_spec(name)
        if spec is None or spec.loader is None:
            return spec
        load = spec.loader.exec_module

        def exec_module(module: Any) -> None:
            load(module)
            module.seed(self.seed)

        spec.loader.exec_module = exec_module  # type: ignore[method-assign]
        return spec


def _environ() -> dict[Any, Any]:
    """Copy the environment: what is below it, for to decode it all costs more than many a task."""
    return dict(getattr(os.environ, "_data", os.environ))


def _forget_peak() -> None:
    try:
        with open("/proc/self/clear_refs", "wb", buffering=0) as file:
            file.write(b"5")
    except OSError:
        pass


def _peak() -> int:
    try:
        with open("/proc/self/status", "rb", buffering=0) as file:
            return int(file.read(8192).partition(b"VmHWM:")[2].split(None, 1)[0]) * 1024
    except (OSError, IndexError):
        pass
    return 0


def _versions() -> dict[str, str]:
    found = {"python": sys.version.split()[0]}
    for name in _LIBRARIES:
        version = getattr(sys.modules.get(name), "__version__", None)
        if version:
            found[name] = str(version)
    return found


if __name__ == "__main__":
    gc.disable()  # until the task is loaded: what is loaded is no garbage
    sys.exit(main())
