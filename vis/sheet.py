"""A contact sheet: rows of pictures under common titles, each with a line about it above and figures beside it."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from PIL import Image, ImageDraw, ImageFont

HEIGHT = 160  # of every picture
WIDEST = 320  # a wider picture is made lower
GAP = 10
LINE = 20  # from one line of text to the next
FONT_SIZE = 13
GROUND, INK, FAINT = (24, 24, 24), (240, 240, 240), (160, 160, 160)
MOST_PIXELS = 65500  # that JPEG can have on a side
MOST_ROWS = (MOST_PIXELS - 2 * GAP - LINE) // (LINE + HEIGHT + GAP)


@dataclass(frozen=True)
class Row:
    """A row of the sheet.

    Attributes:
        text: the line above its pictures.
        pictures: one under each title.
        figures: lines beside the pictures.
    """

    text: str
    pictures: Sequence[Image.Image]
    figures: Sequence[str]


def cell(picture: np.ndarray) -> Image.Image:
    """A picture at the size that it has on a sheet.

    Args:
        picture: uint8 [H, W, 3].
    """
    height, width = picture.shape[:2]
    factor = min(HEIGHT / height, WIDEST / width)
    size = (max(1, round(width * factor)), max(1, round(height * factor)))
    return Image.fromarray(picture).resize(size, Image.Resampling.LANCZOS)


def contact_sheet(titles: Sequence[str], rows: Sequence[Row]) -> Image.Image:
    """The sheet, as wide as its widest pictures and texts; at most MOST_ROWS rows.

    Args:
        titles: of the columns.
        rows: at least one, each with a picture for every title.
    """
    font = _font()
    widths = [
        max(int(font.getlength(title)) + 1, *(row.pictures[column].width for row in rows))
        for column, title in enumerate(titles)
    ]
    lefts = np.cumsum([GAP, *(width + GAP for width in widths)]).tolist()
    beside = max((int(font.getlength(line)) + 1 for row in rows for line in row.figures), default=0)
    width = lefts[-1] + (beside + GAP if beside else 0)
    sheet = Image.new("RGB", (width, 2 * GAP + LINE + len(rows) * (LINE + HEIGHT + GAP)), GROUND)
    draw = ImageDraw.Draw(sheet)
    for title, left in zip(titles, lefts, strict=False):
        draw.text((left, GAP), title, FAINT, font)
    for number, row in enumerate(rows):
        top = 2 * GAP + LINE + number * (LINE + HEIGHT + GAP)
        draw.text((GAP, top), elided(row.text, width - 2 * GAP, font), INK, font)
        for picture, left in zip(row.pictures, lefts, strict=False):
            sheet.paste(picture, (left, top + LINE))
        for line, text in enumerate(row.figures):
            draw.text((lefts[-1], top + LINE * (1 + line)), text, INK, font)
    return sheet


def elided(text: str, width: float, font: ImageFont.FreeTypeFont) -> str:
    """A text that is at most `width` pixels wide, its middle left out if it has to be."""
    kept = len(text)
    shown = text
    while kept > 2 and font.getlength(shown) > width:
        kept -= 1
        shown = f"{text[: (kept + 1) // 2]}…{text[len(text) - kept // 2 :]}"
    return shown


def _font() -> ImageFont.FreeTypeFont:
    """The font that matplotlib brings: it has more letters than Pillow's, which end with Western Europe's."""
    import matplotlib  # here, so that programs without pictures do without it

    return ImageFont.truetype(Path(matplotlib.get_data_path()) / "fonts/ttf/DejaVuSans.ttf", FONT_SIZE)
