"""The layout of contact sheets."""

import numpy as np
from PIL import Image

from vis import sheet


def test_images_stand_under_their_titles_row_by_row():
    shades = [(50, 100), (150, 200)]
    rows = [sheet.Row("", [Image.new("RGB", (60, 40), (shade,) * 3) for shade in row], ["IoU 0.5"]) for row in shades]
    pixels = np.asarray(sheet.contact_sheet(["a", "b"], rows))
    for number, row in enumerate(shades):
        top = 2 * sheet.GAP + 2 * sheet.LINE + number * (sheet.LINE + 40 + sheet.GAP)
        for column, shade in enumerate(row):
            left = sheet.GAP + column * (60 + sheet.GAP)
            assert (pixels[top : top + 40, left : left + 60] == shade).all()


def test_columns_go_into_blocks_below_one_another():
    columns = [(str(number), [Image.new("RGB", (30, 40)), Image.new("RGB", (30, 10))]) for number in range(12)]
    height = 2 * sheet.GAP + sheet.LINE + 2 * (sheet.LINE + sheet.GAP) + 40 + 10
    width = sheet.GAP + sheet.COLUMNS * (30 + sheet.GAP)
    assert sheet.column_sheet(columns, ["frame", "overlay"]).size == (width, 3 * height)
