"""Keeps a small set of the screenshots that `shots.mjs` took, light enough to be part of the documents: `python images.py [SHOTS]`."""

import sys
from pathlib import Path

from PIL import Image

ROOT = Path(__file__).resolve().parents[2]
PAGES, SIZES = ("fleet", "compare", "device", "statement", "pipeline"), ("desk", "phone")
HEIGHT_MAX, COLOURS, BYTES_MAX = 2_600, 64, 150_000


def main(shots: Path) -> None:
    for name in (f"{page}-{size}" for page in PAGES for size in SIZES):
        shot = Image.open(shots / f"{name}-light.png").convert("RGB")
        kept = ROOT / "docs/images" / f"{name}.png"
        shot.crop((0, 0, shot.width, min(shot.height, HEIGHT_MAX))).quantize(COLOURS, dither=Image.Dither.NONE).save(kept, optimize=True)
        weight = kept.stat().st_size
        print(f"{kept.relative_to(ROOT)}: {weight} bytes")
        if weight > BYTES_MAX:
            sys.exit(f"{name} is too heavy: {BYTES_MAX} bytes at most")


if __name__ == "__main__":
    main(Path(sys.argv[1]) if len(sys.argv) > 1 else ROOT / "target/shots")
