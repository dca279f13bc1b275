"""How the killing assay scales: the time of each of its stages with N = 1, 2, 4, 8 workers.

    python scripts/benchmark/run_benchmark.py
    python scripts/benchmark/run_benchmark.py --quick        small movies: does it still run?
    python scripts/benchmark/run_benchmark.py --stages segmentation tracking --workers 1 2
    python scripts/benchmark/run_benchmark.py --draw output/benchmark/20250131-120000

and inside a SIF:

    apptainer exec --nv --bind $(pwd):/workspace containers/images/cyto-gpu.sif \\
        pixi run -e gpu python scripts/benchmark/run_benchmark.py

Settings are in benchmark.def.toml beside this file, with what they mean; yours go over them in
benchmark.user.toml (the SIF that nodes run in, Slurm, sizes). Movies are simulated. Every run makes
a new folder with measurements.csv, results.json (with versions, machine, commit and settings),
figures as PNG and SVG, and README.md, a page that reads them.

Exit codes: 0 done, 2 the settings are wrong, 3 something needed is missing.
"""

from __future__ import annotations

import argparse
import json
import os
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

HERE = Path(__file__).resolve().parent
sys.path[:0] = [str(HERE), str(HERE.parent.parent)]

from bench_figures import HOW_TO_GET, can_draw  # noqa: E402
from bench_machine import provenance  # noqa: E402
from bench_overhead_table import short  # noqa: E402
from bench_report import write_results  # noqa: E402
from bench_rows import CannotRunError  # noqa: E402
from bench_settings import STAGES, Settings, read_settings  # noqa: E402

from cyto.errors import CytoError  # noqa: E402

_NEEDS = (
    "    pip install '.[tasks]' in this checkout, or run it in an image that has pyCyto whole, "
    "such as cyto-gpu.sif"
)


def main() -> int:
    """Run the benchmark, or draw an earlier one anew."""
    args = _arguments()
    try:
        if args.draw:
            return _draw(args.draw)
        return _run(_settings(args))
    except (CytoError, CannotRunError) as error:
        print(f"error: {error}", file=sys.stderr)
        return error.exit_code if isinstance(error, CytoError) else 3
    except ModuleNotFoundError as error:
        print(f"error: {sys.executable} has no module {error.name!r}\n{_NEEDS}", file=sys.stderr)
        return 3


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--quick", action="store_true", help="small movies, one run of each")
    parser.add_argument(
        "--config", type=Path, metavar="FILE", help="instead of benchmark.user.toml"
    )
    parser.add_argument("--output", metavar="DIR", help="instead of run.output")
    parser.add_argument("--stages", nargs="+", choices=STAGES, metavar="STAGE", help="only these")
    parser.add_argument(
        "--workers", nargs="+", type=int, metavar="N", help="instead of run.workers"
    )
    parser.add_argument("--repetitions", type=int, metavar="N", help="instead of run.repetitions")
    parser.add_argument(
        "--draw", type=Path, metavar="DIR", help="make figures and page of an earlier run anew"
    )
    args = parser.parse_args()
    for number in [*(args.workers or []), args.repetitions]:
        if number is not None and number < 1:
            parser.error(f"--workers and --repetitions must be at least 1, not {number}")
    return args


def _settings(args: argparse.Namespace) -> Settings:
    settings = read_settings(args.config, quick=args.quick)
    given = {
        "output": args.output,
        "stages": args.stages,
        "workers": sorted(set(args.workers or [])),
        "repetitions": args.repetitions,
    }
    settings["run"].update({name: value for name, value in given.items() if value})
    return settings


def _run(settings: Settings) -> int:
    from bench_scaling import Scaling, container

    place = container(settings)
    facts = {**provenance(), "image": place.sif, "image_digest": place.digest()}
    folder = Path(settings["run"]["output"]).absolute() / time.strftime("%Y%m%d-%H%M%S")
    scratch = Path(settings["run"]["scratch"] or folder.parent)
    scratch.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(prefix="scratch-", dir=scratch) as work:
        scaling = Scaling(settings, place, Path(work))
        print("simulating movies, and computing all once", flush=True)
        scaling.prepare()
        measurements = scaling.measure(_say)
    folder.mkdir()
    results = {
        "provenance": {**facts, "load_at_end": round(os.getloadavg()[0], 2)},
        "settings": settings,
        "pieces": scaling.pieces,
        "measurements": measurements,
    }
    return _write(folder, results)


def _say(found: dict[str, Any]) -> None:
    name = f"{found['stage']}, {found['workers']} workers, run {found['repetition'] + 1}"
    print(f"{name:<44}{short(found['seconds']):>8} s", flush=True)


def _draw(folder: Path) -> int:
    path = folder / "results.json"
    if not path.is_file():
        raise CannotRunError(f"--draw: there is no {path}; name the folder of an earlier run")
    results = json.loads(path.read_text(encoding="utf-8"))
    results.pop("summary", None)
    return _write(folder, results)


def _write(folder: Path, results: dict[str, Any]) -> int:
    write_results(folder, results)
    print(f"\n{(folder / 'README.md').read_text(encoding='utf-8')}")
    print(f"results are in {folder}")
    if not can_draw():
        print(HOW_TO_GET, file=sys.stderr)
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
