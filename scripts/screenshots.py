"""Make the pictures of the report that the README shows, from a run of the killing assay.

scripts/services.sh up chromium
python scripts/screenshots.py
"""

from __future__ import annotations

import subprocess
import sys
import tempfile
import time
from pathlib import Path

from browser import Browser, browser
from PIL import Image

ROOT = Path(__file__).resolve().parents[1]
IMAGES = ROOT / "docs" / "images"
MOST_BYTES = 300_000
FRAME = 13
RESOURCES = """
execution_configs:
  local:
    default: {type: baremetal, resources: {cpus: 1, memory: 512Mi, walltime: 10min}}
    tag:segmentation: {type: baremetal, resources: {cpus: 1, memory: 1Gi, batch_size: 6}}
default_profile: local
"""


def main() -> int:
    """Run the assay, open its report, and write what is seen of it."""
    IMAGES.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory() as folder, browser() as window:
        window.open(run(Path(folder)))
        scrub(window)
        shot(window, "report.png", "light", "window.scrollTo(0, 0)", 1470)
        shot(window, "report-resources.png", "dark", SHOW_TIME, 1010)
    return 0


def run(folder: Path) -> Path:
    """Run the assay on a simulated movie; give its report."""
    sample, out = folder / "sample", folder / "results"
    (folder / "resources.yaml").write_text(RESOURCES, encoding="utf-8")
    cyto("sample", sample, "--size", "320", "--tcells", "18", "--cancer-cells", "22", "--seed", "4")
    sets = [
        f"channels.{name}.path={sample}/{name}.ome.tif" for name in ("tcell", "cancer", "death")
    ]
    cyto(
        "run", ROOT / "pipelines/pipeline.killing_assay.yaml", "--output-dir", out,
        "--resources", folder / "resources.yaml",
        *(part for text in sets for part in ("--set", text)),
    )  # fmt: skip
    return out / "report.html"


def cyto(*args: str | Path) -> None:
    subprocess.run([sys.executable, ROOT / "main.py", *args], check=True, stdout=subprocess.DEVNULL)


SHOW_TIME = """
document.getElementById('time').scrollIntoView();
"""


def scrub(window: Browser) -> None:
    """Go to a frame in which cells touch."""
    window.run(
        "const scrubber = document.getElementById('scrubber');"
        f"scrubber.value = {FRAME}; scrubber.dispatchEvent(new Event('input'))"
    )


def shot(window: Browser, name: str, scheme: str, script: str, height: int) -> None:
    """Write one picture, in few colours."""
    path = IMAGES / name
    window.resize((1280, height))
    window.prefer(scheme)
    window.run(script)
    time.sleep(1)  # until the pictures are drawn
    window.picture(path)
    with Image.open(path) as picture:
        few = in_few_colours(picture.convert("RGB"))
    few.save(path, optimize=True)
    if path.stat().st_size > MOST_BYTES:
        raise SystemExit(f"{path} has {path.stat().st_size:,} bytes, more than {MOST_BYTES:,}")
    sys.stdout.write(f"{path.relative_to(ROOT)}: {path.stat().st_size:,} bytes\n")


def in_few_colours(picture: Image.Image) -> Image.Image:
    """Give a picture in 256 colours: the page's own exactly, those of the movie about."""
    counted = sorted(picture.getcolors(picture.width * picture.height) or [], reverse=True)
    exact = [channel for _, color in counted[:128] for channel in color]
    about = picture.quantize(128, Image.Quantize.MAXCOVERAGE).getpalette() or []
    palette = Image.new("P", (1, 1))
    palette.putpalette((exact + about)[: 256 * 3])
    return picture.quantize(palette=palette, dither=Image.Dither.NONE)


if __name__ == "__main__":
    sys.exit(main())
