"""Workers in Docker and Podman containers."""

from __future__ import annotations

import hashlib
import json
import os
import shutil
from collections.abc import Sequence
from typing import Any, ClassVar

from cyto.core.placement import Placement
from cyto.errors import UnavailableError
from cyto.runners.building import Builder, how_to_build
from cyto.runners.environment import (
    INSIDE,
    Ending,
    Mount,
    WorkerSpec,
    exit_ending,
    memory_ending,
    no_python_ending,
    owner_is_alive,
    tail,
)
from cyto.runners.process import run, run_visible

_LABEL = "org.pycyto.driver"
_BASE = "org.pycyto.base"
_PIDS = 4096  # enough for any tool, too few for a fork bomb


class DockerRunner:
    """A worker in a Docker container: locked down, seen by its driver alone, always removed."""

    name: ClassVar[str] = "docker"
    program: ClassVar[str] = "docker"
    builder: ClassVar[Builder] = "docker"
    sees_host: ClassVar[bool] = False
    limits_memory: ClassVar[bool] = True

    def check(self, placement: Placement) -> None:
        """Make sure of program, daemon, permission and image, in this order.

        Raises
        ------
        UnavailableError
            One of them is missing; the hint says which command mends it.
        """
        self.check_program()
        image = placement.image or ""
        if placement.may_pull == "always" or (
            placement.may_pull == "missing" and not self.has_image(image)
        ):
            self._pull(image)
        if placement.packages and self.has_image(image):
            self._derive(placement)
        elif not self.has_image(image):
            raise UnavailableError(
                f"there is no {self.name} image {image!r} on this machine",
                hint=f"make it with: {how_to_build(image, self.builder)}\n"
                "    or run without it: --profile local",
            )

    def check_program(self) -> str:
        """Make sure that the program is there and its daemon answers; give the server's version."""
        if shutil.which(self.program) is None:
            raise UnavailableError(
                f"{self.name} is not installed: no program {self.program!r} on the PATH",
                hint=f"install {self.name}, choose another runner in the resources file, "
                "or use --profile local",
            )
        answer = run([self.program, "info", "--format", "{{json .}}"])
        data = _parse(answer.out)
        faults = data.get("ServerErrors") or []
        if answer.ok and not faults:
            return str(data.get("ServerVersion") or _podman_version(data))
        raise _daemon_error(self.name, answer.err + " ".join(map(str, faults)))

    def has_image(self, image: str) -> bool:
        """Tell whether the image is on this machine."""
        return self._image_id(image) is not None

    def identity(self, placement: Placement) -> str:
        """Give the image's digest.

        Raises
        ------
        UnavailableError
            The daemon does not answer or has no such image, and the node is to run here.
        """
        found = self._image_id(_image_of(placement))
        if found is None and placement.launcher == "local":
            self.check_program()
            raise UnavailableError(f"there is no {self.name} image {placement.image!r}")
        return f"{self.name} {found}"

    def wrap(self, spec: WorkerSpec, args: Sequence[str]) -> list[str]:
        """Give the ``run`` command."""
        placement, wanted = spec.placement, spec.placement.resources
        python, *more = placement.python
        limits = ["--pids-limit", str(placement.pids or _PIDS)]
        if wanted.memory_bytes:
            amount = str(wanted.memory_bytes)
            limits += ["--memory", amount, "--memory-swap", amount]
        if wanted.cpus:
            limits += ["--cpus", str(wanted.cpus)]
        mounts = [
            *spec.mounts,
            Mount(source=f"{spec.scratch}/tmp", target="/tmp", writable=True),  # noqa: S108 - inside
        ]
        return [
            self.program, "run", "--interactive", *_kept(spec),
            *self._user(spec.user),
            "--network", "host" if placement.network else "none",
            "--cap-drop", "ALL", "--security-opt", "no-new-privileges", "--read-only",
            *self._pull_never(), "--workdir", "/tmp", "--shm-size", "1g", *limits,  # noqa: S108
            *self._gpus(spec.gpu_ids),
            *(part for mount in mounts for part in ("--mount", mount_option(mount))),
            *(p for k, v in self._inside(spec).items() for p in ("--env", f"{k}={v}")),
            "--entrypoint", python, _image_of(placement), *more, "-S", "-s", *args,
        ]  # fmt: skip

    def variables(self, spec: WorkerSpec) -> dict[str, str]:  # noqa: ARG002 - the client's own
        """Give the client the caller's variables; none of them reaches the container."""
        return dict(os.environ)

    def explain(self, spec: WorkerSpec, code: int | None, stderr: str) -> Ending:
        """Ask the daemon why the container ended."""
        state = _parse(run([self.program, "inspect", "--format", "{{json .State}}", spec.name]).out)
        if state.get("OOMKilled"):
            return memory_ending(spec.placement)
        if code == 137 and not state:
            return Ending(
                reason="signal", message="its container was killed and removed by somebody"
            )
        if code == 125 or not state:
            return Ending(reason="lost", message=f"{self.name} could not run it: {tail(stderr)}")
        if code in {126, 127}:
            return no_python_ending(spec.placement, stderr)
        return exit_ending(code, stderr, spec.placement)

    def remove(self, spec: WorkerSpec) -> None:
        """Kill and remove the container."""
        run([self.program, "rm", "--force", "--volumes", spec.name])

    def sweep(self) -> None:
        """Remove containers whose driver is dead."""
        form = '{{.ID}} {{.Label "' + _LABEL + '"}}'
        listed = run([self.program, "ps", "--all", "--filter", f"label={_LABEL}", "--format", form])
        for line in listed.out.splitlines():
            container, _, label = line.partition(" ")
            if not owner_is_alive(label):
                run([self.program, "rm", "--force", "--volumes", container])

    def _image_id(self, image: str) -> str | None:
        found = run([self.program, "image", "inspect", "--format", "{{.Id}}", image])
        return found.out.strip() if found.ok and image else None

    def _pull(self, image: str) -> None:
        code = run_visible([self.program, "pull", image])
        if code:
            raise UnavailableError(
                f"the image {image!r} could not be pulled ({self.program} pull: exit code {code})",
                hint="check its name and your network, or set 'pull: never' and build it here",
            )

    def _derive(self, placement: Placement) -> None:
        """Add the packages to the image, once for each content of it."""
        base = self._image_id(placement.image or "") or ""
        name = _image_of(placement)
        form = '{{index .Config.Labels "' + _BASE + '"}}'
        known = run([self.program, "image", "inspect", "--format", form, name])
        if known.ok and known.out.strip() == base:
            return
        pip = ["python3", "-m", "pip", "install", "--no-cache-dir", *placement.packages]
        recipe = f"FROM {base}\nUSER root\nRUN {json.dumps(pip)}\n"
        build = ["build", "--network", "host", "--label", f"{_BASE}={base}", "-t", name, "-"]
        if run_visible([self.program, *build], text=recipe):
            raise UnavailableError(
                f"{', '.join(placement.packages)} could not be added to {placement.image!r}",
                hint="what pip said stands above; check the names, and that the image has pip",
            )

    def _user(self, user: tuple[int, int]) -> list[str]:
        return ["--user", f"{user[0]}:{user[1]}"]

    def _pull_never(self) -> list[str]:
        return ["--pull", "never"]

    def _gpus(self, ids: tuple[str, ...]) -> list[str]:
        return ["--gpus", f'"device={",".join(ids)}"'] if ids else []

    def _inside(self, spec: WorkerSpec) -> dict[str, str]:
        return inside_variables(spec)


class PodmanRunner(DockerRunner):
    """A worker in a Podman container; the same command line, without a daemon."""

    name: ClassVar[str] = "podman"
    program: ClassVar[str] = "podman"
    builder: ClassVar[Builder] = "podman"

    def _user(self, user: tuple[int, int]) -> list[str]:
        # without root, Podman maps the caller to root unless told to keep the id
        keep = ["--userns", "keep-id"] if user[0] else []
        return [*keep, *super()._user(user)]

    def _gpus(self, ids: tuple[str, ...]) -> list[str]:
        return [part for i in ids for part in ("--device", f"nvidia.com/gpu={i}")]


def _kept(spec: WorkerSpec) -> list[str]:
    """Name a container that is asked how it ended; one that nobody asks removes itself."""
    if not spec.watched:
        return ["--rm"]
    return ["--name", spec.name, "--label", f"{_LABEL}={spec.owner}"]


def _image_of(placement: Placement) -> str:
    """Name the image that runs: the one asked for, or that with the packages added."""
    image = placement.image or ""
    if not placement.packages:
        return image
    parts = "\n".join([image, *sorted(placement.packages)])
    return f"cyto-derived:{hashlib.sha256(parts.encode()).hexdigest()[:16]}"


def inside_variables(spec: WorkerSpec) -> dict[str, str]:
    """Give all the variables that a containerised worker sees beside its image's own."""
    own = {
        "PYTHONPATH": f"{INSIDE}/code",
        "PYTHONDONTWRITEBYTECODE": "1",
        "PYTHONUTF8": "1",
        "HOME": "/tmp",  # noqa: S108 - inside the container
        "TMPDIR": "/tmp",  # noqa: S108
        "NUMBA_CACHE_DIR": "/tmp/numba",  # noqa: S108
        "MPLCONFIGDIR": "/tmp/matplotlib",  # noqa: S108
    }
    return {**own, **spec.env, **dict(spec.placement.env)}


def mount_option(mount: Mount) -> str:
    """Write a mount as ``--mount`` reads it: a line of CSV, so that any path can be named."""
    fields = ["type=bind", f"source={mount.source}", f"target={mount.target}"]
    if not mount.writable:
        fields.append("readonly")
    return ",".join(csv_field(text) for text in fields)


def csv_field(text: str) -> str:
    """Quote a field of a CSV line where it needs it."""
    return '"' + text.replace('"', '""') + '"' if any(c in text for c in ',"\n\r') else text


def _daemon_error(name: str, said: str) -> UnavailableError:
    if "permission denied" in said.lower():
        return UnavailableError(
            f"you are not permitted to use {name}: its socket refuses this user",
            hint="add yourself to the docker group: sudo usermod -aG docker $USER, then log out "
            "and in again; or use --profile local",
        )
    if "connect" in said.lower() or "daemon running" in said:
        return UnavailableError(
            f"{name} is installed and its daemon does not answer",
            hint="start it (sudo systemctl start docker, or Docker Desktop), "
            "or use --profile local",
        )
    return UnavailableError(f"{name} does not work here: {tail(said, 3)}", hint="see cyto doctor")


def _podman_version(data: dict[str, Any]) -> str:
    return str((data.get("version") or {}).get("Version", ""))


def _parse(text: str) -> dict[str, Any]:
    try:
        data = json.loads(text or "{}")
    except json.JSONDecodeError:
        return {}
    return data if isinstance(data, dict) else {}
