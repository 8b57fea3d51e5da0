"""Contact sheets: rows of images under column titles, with a line of text above each row and figures beside it."""

import io
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from PIL import Image, ImageDraw, ImageFont

from common.atomic import atomic_file
from common.errors import UserError

HEIGHT = 160  # of an image, at most
WIDTH = 320  # of an image, at most
COLUMNS = 5  # of `column_sheet`, before the next block begins
GAP = 10
LINE = 20  # from one line of text to the next
FONT_SIZE = 13
GROUND, INK, FAINT = (24, 24, 24), (240, 240, 240), (160, 160, 160)
MAX_PIXELS = 65500  # of a side of a JPEG file
MAX_ROWS = (MAX_PIXELS - 2 * GAP - LINE) // (LINE + HEIGHT + GAP)
QUALITY = 90  # of JPEG


@dataclass(frozen=True)
class Row:
    """A row of the sheet: a line of text, an image under each title, and lines beside the images."""

    text: str
    images: Sequence[Image.Image]
    figures: Sequence[str] = ()


def cell(frame: np.ndarray) -> Image.Image:
    """A frame, uint8 [H, W, 3], in the size that it has on a sheet."""
    height, width = frame.shape[:2]
    factor = min(HEIGHT / height, WIDTH / width)
    size = (max(1, round(width * factor)), max(1, round(height * factor)))
    return Image.fromarray(frame).resize(size, Image.Resampling.LANCZOS)


def contact_sheet(titles: Sequence[str], rows: Sequence[Row]) -> Image.Image:
    """A sheet of 1 to MAX_ROWS rows, as wide as its widest images and texts."""
    font = _font()
    widths = [
        max(int(font.getlength(title)) + 1, *(row.images[column].width for row in rows))
        for column, title in enumerate(titles)
    ]
    lefts = np.cumsum([GAP, *(width + GAP for width in widths)]).tolist()
    figures_width = max((int(font.getlength(line)) + 1 for row in rows for line in row.figures), default=0)
    texts_width = 2 * GAP + max(int(font.getlength(row.text)) + 1 for row in rows)
    width = max(texts_width, lefts[-1] + (figures_width + GAP if figures_width else 0))
    heights = [LINE + max(image.height for image in row.images) + GAP for row in rows]
    sheet = Image.new("RGB", (width, 2 * GAP + LINE + sum(heights)), GROUND)
    draw = ImageDraw.Draw(sheet)
    for title, left in zip(titles, lefts, strict=False):
        draw.text((left, GAP), title, FAINT, font)
    top = 2 * GAP + LINE
    for row, height in zip(rows, heights, strict=True):
        draw.text((GAP, top), row.text, INK, font)
        for image, left in zip(row.images, lefts, strict=False):
            sheet.paste(image, (left, top + LINE))
        for number, line in enumerate(row.figures, 1):
            draw.text((lefts[-1], top + LINE * number), line, INK, font)
        top += height
    return sheet


def column_sheet(columns: Sequence[tuple[str, Sequence[Image.Image]]], texts: Sequence[str]) -> Image.Image:
    """A sheet of columns, each a title and its images, in blocks of COLUMNS. The `texts` stand above the images."""
    blocks = []
    for start in range(0, len(columns), COLUMNS):
        titles, images = zip(*columns[start : start + COLUMNS], strict=True)
        rows = [Row(text, row) for text, row in zip(texts, zip(*images, strict=True), strict=True)]
        blocks.append(contact_sheet(titles, rows))
    sheet = Image.new("RGB", (max(block.width for block in blocks), sum(block.height for block in blocks)), GROUND)
    top = 0
    for block in blocks:
        sheet.paste(block, (0, top))
        top += block.height
    return sheet


def image_format(path: Path) -> str:
    """Pillow's name of the format that a file name asks for."""
    name = Image.registered_extensions().get(path.suffix.lower())
    if name not in Image.SAVE:
        raise UserError(f"{path}: {path.suffix!r} is not the ending of an image format. Use .jpg or .png")
    return name


def save_image(image: Image.Image, path: Path) -> None:
    """Write an image in the format that its file name asks for."""
    path.parent.mkdir(parents=True, exist_ok=True)
    content = io.BytesIO()  # Pillow itself says nothing if a disk is too full for the end of a file
    image.save(content, format=image_format(path), quality=QUALITY)
    with atomic_file(path) as partial:
        partial.write_bytes(content.getbuffer())


def _font() -> ImageFont.FreeTypeFont:
    """The font that matplotlib brings. Pillow's own has the letters of Western Europe only."""
    import matplotlib  # here, so that programs without drawings need not load it

    return ImageFont.truetype(Path(matplotlib.get_data_path()) / "fonts/ttf/DejaVuSans.ttf", FONT_SIZE)
