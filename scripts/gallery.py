"""Paint every content picture in every style, and lay the results out as one sheet.

    python scripts/gallery.py -c photo.jpg other.jpg -s one.jpg two.jpg -o gallery.jpg

Without pictures, those of the documentation: the scene and the styles of samples/, a
portrait that matplotlib brings (Grace Hopper, United States Navy, public domain) and a
cat that scikit-image brings (Stéfan van der Walt, CC0; pip install scikit-image).
"""

from __future__ import annotations

import argparse
from collections.abc import Iterator
from pathlib import Path

from matplotlib import cbook, font_manager
from PIL import Image, ImageDraw, ImageFont, ImageOps
from tqdm import tqdm

from chainer_style import images, transfer
from chainer_style.errors import UserError

ROOT = Path(__file__).resolve().parents[1]
STYLES = [ROOT / "samples" / f"{name}.jpg" for name in ("swirls", "mosaic", "ink")]

GAP = 6
"""Pixels between two pictures of the sheet."""

INK, PAPER = (70, 70, 70), (255, 255, 255)


def contents() -> list[Path]:
    """Return the documentation's content pictures."""
    import skimage

    portrait = cbook.get_sample_data("grace_hopper.jpg", asfileobj=False)
    cat = Path(skimage.__file__).parent / "data" / "chelsea.png"
    return [ROOT / "samples" / "lighthouse.jpg", Path(portrait), cat]


def main() -> None:
    """Paint, and write the sheet."""
    options = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    options.add_argument("-c", "--contents", nargs="+", type=Path)
    options.add_argument("-s", "--styles", nargs="+", type=Path, default=STYLES)
    options.add_argument("-o", "--output", type=Path, default=Path("gallery.jpg"))
    options.add_argument("-w", "--width", type=int, default=256)
    options.add_argument("--weights", default="self-taught")
    options.add_argument("--model")
    options.add_argument("--iterations", type=int)
    options.add_argument("--lam", type=float)
    given = options.parse_args()
    settings = {
        "weights": given.weights,
        "width": given.width,
        "model": given.model,
        "iterations": given.iterations,
        "content_weight": given.lam,
    }
    try:
        images.check_suffix(given.output)
        pictures = given.contents or contents()
        left, head = (
            [images.read(path) for path in x] for x in (pictures, given.styles)
        )
        rows, labels = [], set()
        for content in pictures:
            rows.append([])
            for style in given.styles:
                job = transfer.prepare(content, style, **settings)
                rows[-1].append(painted(job, f"{content.stem}, {style.stem}"))
                labels.add(job.problem.weights.label)
        label = "; ".join(sorted(labels))
        sheet = laid_out(head, left, rows, label, given.width)
        images.save(sheet, given.output, label)
    except UserError as error:
        options.error(str(error))


def painted(job: transfer.Transfer, name: str) -> Image.Image:
    """Run a transfer to its end and return the picture."""
    for _ in tqdm(job.run(), name, job.problem.protocol.iterations, leave=False):
        pass
    return job.picture


def laid_out(
    head: list[Image.Image],
    left: list[Image.Image],
    rows: list[list[Image.Image]],
    label: str,
    side: int,
) -> Image.Image:
    """Return the sheet: styles above, contents on the left, the label below."""
    font = ImageFont.truetype(font_manager.findfont("DejaVu Sans"), side // 16)
    line = 2 * font.size
    height = (side + GAP) * (len(rows) + 1)
    sheet = Image.new("RGB", ((side + GAP) * (len(head) + 1), height + line), PAPER)
    table = [
        [None, *head],
        *([first, *row] for first, row in zip(left, rows, strict=True)),
    ]
    for row, column, picture in _cells(table):
        # Squares: what is looked for is the hand, not the frame.
        sheet.paste(
            ImageOps.fit(picture, (side, side), Image.Resampling.LANCZOS),
            ((side + GAP) * column, (side + GAP) * row),
        )
    draw = ImageDraw.Draw(sheet)
    middle = side // 2
    draw.text((middle, middle), "content ↓\n\nstyle →", INK, font, "mm", align="center")
    draw.text((0, height + line // 2), label, INK, font, "lm")
    return sheet


def _cells(
    table: list[list[Image.Image | None]],
) -> Iterator[tuple[int, int, Image.Image]]:
    for i, row in enumerate(table):
        for j, picture in enumerate(row):
            if picture is not None:
                yield i, j, picture


if __name__ == "__main__":
    main()
