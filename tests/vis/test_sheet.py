"""The layout of contact sheets."""

from PIL import Image

from vis import sheet


def test_a_text_that_is_too_long_loses_its_middle():
    font = sheet._font()
    text = "a name that " + "goes on and on " * 20
    short = sheet.shorten(text, 200, font)
    assert 150 < font.getlength(short) <= 200 and "…" in short and short.startswith("a name") and short.endswith("on ")
    assert sheet.shorten("short", 200, font) == "short"


def test_columns_go_into_blocks_below_one_another():
    columns = [(str(number), [Image.new("RGB", (30, 40)), Image.new("RGB", (30, 10))]) for number in range(12)]
    height = 2 * sheet.GAP + sheet.LINE + 2 * (sheet.LINE + sheet.GAP) + 40 + 10
    width = sheet.GAP + sheet.COLUMNS * (30 + sheet.GAP)
    assert sheet.column_sheet(columns, ["frame", "overlay"]).size == (width, 3 * height)
