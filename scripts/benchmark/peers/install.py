"""Install the programs that the benchmark is compared with, each in an environment of its own.

    python scripts/benchmark/peers/install.py            all of them
    python scripts/benchmark/peers/install.py dask redun

They lie in ``bench-peers/NAME`` of pyCyto's cache folder ($CYTO_CACHE, else $XDG_CACHE_HOME/cyto,
else ~/.cache/cyto), about 550 MB in all; remove that folder to be rid of them. What is installed
already, in the version that ``NAME.txt`` beside this file asks for, is left alone. One that cannot
be installed is said, and the others go on.
"""

from __future__ import annotations

import argparse
import shutil
import subprocess
import sys
import venv
from pathlib import Path

HERE = Path(__file__).resolve().parent
sys.path[:0] = [str(HERE.parent), str(HERE.parent.parent.parent)]

from bench_peers import NAMES, folder_of, python_of  # noqa: E402


def main() -> int:
    """Install what is asked for; give 1 where one failed."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("names", nargs="*", metavar="NAME", help=", ".join(NAMES))
    wanted = parser.parse_args().names or NAMES
    for name in wanted:
        if name not in NAMES:
            parser.error(f"there is no peer {name!r}; there are {', '.join(NAMES)}")
    done = [install(name) for name in wanted]  # all of them, whatever one does
    return int(not all(done))


def install(name: str) -> bool:
    """Make one environment; tell whether it is there."""
    recipe, mark = HERE / f"{name}.txt", folder_of(name) / "installed.txt"
    if python_of(name):
        print(f"{name}: is there, {recipe.read_text().strip()}")
        return True
    shutil.rmtree(folder_of(name), ignore_errors=True)
    print(f"{name}: installing into {folder_of(name)}", flush=True)
    venv.create(folder_of(name), with_pip=True)
    pip = [str(folder_of(name) / "bin" / "python"), "-m", "pip", "install", "--quiet"]
    done = subprocess.run([*pip, "--requirement", str(recipe)], check=False)
    if done.returncode:
        print(f"{name}: pip could not install it (its words are above)", file=sys.stderr)
        return False
    shutil.copyfile(recipe, mark)  # last: what was broken off is made anew
    return True


if __name__ == "__main__":
    raise SystemExit(main())
