"""Kill a run with SIGKILL at random moments, again and again, and see that nothing is lost.

    python scripts/chaos.py                                fifty trials of 200 nodes, bare metal
    python scripts/chaos.py --times 5 --nodes 40 --profile mixed
    python scripts/chaos.py --profile docker --docker cyto-tasks:latest --seed 7 --keep

The pipeline runs once undisturbed. Then, in each trial, it starts in a fresh folder and its driver
is killed at a moment drawn from the time that the undisturbed run took (planning, publishing and
exporting included), and is started again, until a run ends by itself. After each kill: no process
is left, the lock is free, every result under its final name is whole. At the end: store and
exports equal those of the undisturbed run byte for byte, and no node was computed again that was
published when the driver died. Exits with 1 where that does not hold, and keeps the folder.

Images that are not named are those of the tests (scripts/test_images.sh), for the profiles that
need them. Moments are the seed's, but machines are not: a trial's kills fall nearly, not exactly,
where they fell before.
"""

from __future__ import annotations

import argparse
import random
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
import uuid
from collections import Counter
from dataclasses import dataclass, field
from pathlib import Path

HERE = Path(__file__).resolve().parent
sys.path.insert(0, str(HERE))

import chaos_checks as checks  # noqa: E402 - lies beside this file
from chaos_project import PROFILES, Project  # noqa: E402

_MOST_KILLS = 40  # then the run may end undisturbed
_LIMIT_S = 900.0


@dataclass
class Trial:
    """What one trial saw."""

    kills: Counter[str] = field(default_factory=Counter)
    again: int = 0
    saved: int = 0
    gone_s: list[float] = field(default_factory=list)
    wall_s: float = 0.0
    faults: list[str] = field(default_factory=list)


def main() -> int:
    args = _arguments()
    images = _images(args)
    work = Path(tempfile.mkdtemp(prefix="cyto-chaos-", dir=args.folder))
    mark = uuid.uuid4().hex

    def project(name: str) -> Project:
        made = Project(work / name, mark, work / "cache")
        return made.make(args.nodes, args.profile, images)

    wanted, expected_s = _undisturbed(project)
    print(f"{args.nodes} nodes, profile {args.profile}, seed {args.seed}, in {work}")
    print(f"undisturbed: {expected_s:.1f} s", flush=True)
    trials = []
    for number in range(1, args.times + 1):
        current = project(f"trial-{number:02}")
        chance = random.Random(f"{args.seed}/{number}")  # noqa: S311 - to be repeated
        trials.append(_trial(current, wanted, expected_s, chance))
        _print_trial(number, args.times, trials[-1])
        if not trials[-1].faults and not args.keep:
            shutil.rmtree(current.folder)
    _print_table(trials)
    bad = any(trial.faults for trial in trials)
    if bad or args.keep:
        print(f"kept: {work}")
    else:
        shutil.rmtree(work)
    return int(bad)


def _undisturbed(project: object) -> tuple[Project, float]:
    """Run it twice, the second time for the caches of the machine; time that one."""
    for name in ("first", "undisturbed"):
        made: Project = project(name)  # type: ignore[operator]
        started = time.monotonic()
        code = made.start().wait(_LIMIT_S)
        elapsed = time.monotonic() - started
        if code:
            printed = (made.folder / "printed.txt").read_text()[-2000:]
            raise SystemExit(f"the undisturbed run failed (exit code {code}):\n{printed}")
    return made, elapsed


def _trial(project: Project, wanted: Project, expected_s: float, chance: random.Random) -> Trial:
    trial, started = Trial(), time.monotonic()
    results = checks.files_for_people(wanted, hidden=True)
    saved: dict[tuple[str, str], int] = {}
    over = False
    while not over:
        before = set(checks.runs(project))
        over = _attempt(project, expected_s, chance, trial)
        if over and not trial.kills and not trial.faults:  # too fast to be killed: once more
            project.forget()
            over = False
            continue
        gone_s, stayed = checks.await_end(project.mark)
        computed = project.computed()
        trial.faults += stayed + checks.lock_faults(project)
        trial.faults += [
            f"{node}, frame {frame}: computed again though it was published"
            for (node, frame), count in saved.items()
            if computed[node, frame] != count
        ]
        if not over:
            trial.gone_s.append(gone_s)
            trial.kills[checks.moment(project, before)] += 1
            trial.faults += checks.export_faults(project, results)
            held = checks.published(project)
            saved = {what: count for what, count in computed.items() if what[0] in held}
            trial.saved = len(held)
    trial.again = sum(project.computed().values()) - len(project.computed())
    trial.faults += checks.end_faults(project, wanted)
    trial.wall_s = time.monotonic() - started
    return trial


def _attempt(project: Project, expected_s: float, chance: random.Random, trial: Trial) -> bool:
    """Start a run and kill it; tell whether it ended before that."""
    process = project.start()
    enough = trial.kills.total() >= _MOST_KILLS
    try:
        code = process.wait(_LIMIT_S if enough else chance.uniform(0, expected_s))
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()
        return False
    if code:
        trial.faults.append(f"a run ended with exit code {code}; see printed.txt")
    return True


def _print_trial(number: int, times: int, trial: Trial) -> None:
    kills = ", ".join(f"{count} {what}" for what, count in sorted(trial.kills.items()))
    said = "VIOLATED" if trial.faults else "ok"
    print(
        f"trial {number:>2}/{times}  {trial.kills.total():>2} kills ({kills or 'none'})  "
        f"{trial.saved} kept at the last kill, {trial.again} computed again  "
        f"{trial.wall_s:.1f} s  {said}",
        flush=True,
    )
    for fault in trial.faults[:20]:
        print(f"    {fault}")


def _print_table(trials: list[Trial]) -> None:
    kills = [trial.kills.total() for trial in trials]
    phases = sum((trial.kills for trial in trials), Counter())
    gone = [seconds for trial in trials for seconds in trial.gone_s]
    rows = [
        ("trials", len(trials)),
        ("kills", sum(kills)),
        ("kills per trial, min / median / max",
         f"{min(kills)} / {statistics.median(kills):g} / {max(kills)}"),
        *((f"kills while {what}", phases[what]) for what in sorted(phases)),
        ("unpublished work computed again, nodes", sum(trial.again for trial in trials)),
        ("processes gone after a kill, at latest, s", f"{max(gone):.2f}" if gone else "-"),
        ("violations", sum(len(trial.faults) for trial in trials)),
    ]  # fmt: skip
    print()
    for name, value in rows:
        print(f"{name:<44}{value:>12}")


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--times", type=int, default=50, help="trials (50)")
    parser.add_argument("--nodes", type=int, default=200, help="nodes of the pipeline (200)")
    parser.add_argument("--seed", type=int, default=0, help="of the moments (0)")
    parser.add_argument("--profile", choices=PROFILES, default="local", help="where nodes run")
    parser.add_argument("--docker", metavar="IMAGE", help="'' leaves Docker out")
    parser.add_argument("--sif", metavar="FILE", help="'' leaves Apptainer out")
    parser.add_argument("--keep", action="store_true", help="keep the folders of good trials too")
    parser.add_argument("--folder", help="where to work; a disk of this machine")
    args = parser.parse_args()
    for name in ("times", "nodes"):
        if getattr(args, name) < 1:
            parser.error(f"--{name} must be at least 1")
    return args


def _images(args: argparse.Namespace) -> dict[str, str]:
    """Give the images that the profile needs, those of the tests where none is named."""
    given = {"docker": args.docker, "apptainer": args.sif}
    needed = {name for name in PROFILES[args.profile].values() if name in given}
    asked = {"docker": "tasks", "apptainer": "tasks-sif"}
    wanted = [asked[name] for name in sorted(needed) if given[name] is None]
    if wanted:
        argv = [str(HERE / "test_images.sh"), *wanted]
        done = subprocess.run(argv, stdout=subprocess.PIPE, text=True, check=False)
        if done.returncode:
            raise SystemExit("the images could not be made; name them with --docker and --sif")
        found = dict(line.split("=", 1) for line in done.stdout.splitlines() if "=" in line)
        given.update({name: found[asked[name]] for name in needed if given[name] is None})
    images = {name: str(given[name]) for name in needed if given[name]}
    if args.profile != "mixed" and needed - images.keys():
        raise SystemExit(f"the profile {args.profile} needs an image")
    return images


if __name__ == "__main__":
    sys.exit(main())
