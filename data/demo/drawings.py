"""Drawings of the instruments in the demo videos.

All objects take their colors from one palette, so that the shape tells the instrument and the color does not.
"""

from collections.abc import Sequence

import numpy as np
from PIL import Image

from data.demo.canvas import CREAM, INK, Canvas, Color, Drawing, darker, lighter
from data.demo.distractor_drawings import DISTRACTOR_DRAWINGS
from data.demo.shapes import ellipse, rectangle, ribbon, smooth, symmetric

PALETTE: tuple[Color, ...] = (
    (214, 48, 49), (235, 120, 30), (248, 196, 40), (150, 200, 50), (40, 150, 80), (30, 170, 175),
    (50, 120, 215), (70, 70, 180), (150, 80, 200), (225, 80, 150), (150, 90, 45), (205, 165, 110),
)  # fmt: skip


def draw(name: str, random: np.random.Generator) -> Image.Image:
    """The instrument or distractor `name` in random colors, RGBA, about 500 pixels, cropped to its visible part."""
    canvas = Canvas()
    DRAWINGS[name](canvas, *pick_colors(random))
    return canvas.cut_out()


def pick_colors(random: np.random.Generator) -> Sequence[Color]:
    """Three different colors of the palette: for the body, a second part and an accent."""
    return [PALETTE[index] for index in random.permutation(len(PALETTE))[:3]]


def _guitar(canvas: Canvas, body: Color, second: Color, accent: Color) -> None:
    upper = [(0.5, 0.445), (0.62, 0.46), (0.68, 0.53), (0.63, 0.63)]
    lower = [(0.71, 0.73), (0.73, 0.84), (0.65, 0.935), (0.5, 0.95)]
    canvas.shape(smooth(symmetric([*upper, *lower])), body)
    canvas.disc(0.5, 0.61, 0.09, accent)
    canvas.shape(ellipse(0.5, 0.61, 0.065, 0.065), INK, depth=0)
    canvas.shape(rectangle(0.465, 0.13, 0.535, 0.53), second)
    for fret in np.linspace(0.18, 0.49, 8):
        canvas.line([(0.465, fret), (0.535, fret)], lighter(second, 0.5))
    for peg in (0.06, 0.1, 0.14):
        canvas.shape(ellipse(0.43, peg, 0.022, 0.014), CREAM)
        canvas.shape(ellipse(0.57, peg, 0.022, 0.014), CREAM)
    canvas.shape([(0.445, 0.03), (0.555, 0.03), (0.54, 0.16), (0.46, 0.16)], darker(second))
    canvas.shape(rectangle(0.41, 0.79, 0.59, 0.825), darker(second))
    for x in (-0.022, -0.007, 0.008, 0.023):
        canvas.line([(0.5 + x, 0.05), (0.5 + x, 0.81)], CREAM, 0.006)


def _violin(canvas: Canvas, body: Color, second: Color, accent: Color) -> None:
    upper = [(0.5, 0.42), (0.6, 0.425), (0.665, 0.48), (0.66, 0.55), (0.635, 0.59)]
    waist = [(0.59, 0.6), (0.575, 0.65), (0.595, 0.7)]
    lower = [(0.655, 0.715), (0.69, 0.77), (0.69, 0.86), (0.62, 0.93), (0.5, 0.945)]
    right = [*smooth(upper, False), *smooth(waist, False), *smooth(lower, False)]
    canvas.shape(symmetric(right), body)
    for x in (0.425, 0.575):
        hole = [(x + 0.02, 0.61), (x - 0.012, 0.63), (x + 0.01, 0.73), (x - 0.022, 0.75)]
        canvas.line(smooth(hole, False), INK, 0.016)
    canvas.shape([(0.455, 0.8), (0.545, 0.8), (0.52, 0.93), (0.48, 0.93)], darker(second, 0.6))
    canvas.shape([(0.475, 0.14), (0.525, 0.14), (0.54, 0.62), (0.46, 0.62)], darker(second, 0.6))
    canvas.shape(rectangle(0.44, 0.7, 0.56, 0.715), CREAM)
    for x in (-0.018, 0, 0.018):
        canvas.line([(0.5 + x * 0.8, 0.14), (0.5 + x * 1.2, 0.82)], CREAM, 0.006)
    canvas.tube([(0.5, 0.17), (0.5, 0.1), (0.5, 0.07)], 0.06, body)
    canvas.disc(0.5, 0.065, 0.045, body)
    for x, y in ((0.43, 0.105), (0.57, 0.125), (0.43, 0.145), (0.57, 0.16)):
        canvas.shape(ellipse(x, y, 0.035, 0.014), darker(second))
    canvas.shape(ribbon([(0.09, 0.8), (0.91, 0.6)], 0.022), CREAM, depth=0.1)
    canvas.tube(smooth([(0.07, 0.775), (0.3, 0.725), (0.6, 0.655), (0.93, 0.56)], False), 0.032, accent)
    canvas.shape([(0.07, 0.75), (0.15, 0.735), (0.165, 0.785), (0.09, 0.82)], darker(accent))


def _flute(canvas: Canvas, body: Color, second: Color, accent: Color) -> None:
    canvas.tube([(0.04, 0.5), (0.5, 0.5), (0.96, 0.5)], 0.15, body)
    for left, right in ((0.03, 0.085), (0.31, 0.36), (0.8, 0.84), (0.93, 0.97)):
        canvas.tube([(left, 0.5), (right, 0.5)], 0.19, second)
    canvas.shape(ellipse(0.2, 0.47, 0.085, 0.085), lighter(body, 0.3))
    canvas.shape(ellipse(0.2, 0.46, 0.042, 0.03), INK, depth=0)
    canvas.tube([(0.38, 0.565), (0.78, 0.565)], 0.026, second)
    for x in np.linspace(0.41, 0.75, 5):
        canvas.disc(x, 0.475, 0.044, accent)
    canvas.disc(0.885, 0.475, 0.04, accent)


def _trumpet(canvas: Canvas, body: Color, second: Color, accent: Color) -> None:
    loop = [(0.6, 0.68), (0.3, 0.68), (0.22, 0.6), (0.22, 0.53), (0.3, 0.46)]
    canvas.tube(smooth([(0.68, 0.455), (0.74, 0.5), (0.74, 0.62), (0.66, 0.68), *loop], False), 0.05, body)
    canvas.tube([(0.08, 0.45), (0.4, 0.45), (0.68, 0.45)], 0.05, body)
    flare = [(0.58, 0.45), (0.68, 0.45), (0.78, 0.45), (0.85, 0.45), (0.9, 0.45), (0.94, 0.45)]
    canvas.tube(smooth(flare, False), [0.05, 0.065, 0.1, 0.16, 0.25, 0.42], body)
    canvas.shape(ellipse(0.94, 0.45, 0.035, 0.215), darker(body, 0.6))
    canvas.tube([(0.03, 0.45), (0.06, 0.45), (0.12, 0.45)], [0.11, 0.09, 0.05], accent)
    for x in (0.38, 0.475, 0.57):
        canvas.tube([(x, 0.27), (x, 0.4)], 0.026, CREAM)
        canvas.shape(ellipse(x, 0.265, 0.036, 0.02), accent)
        canvas.tube([(x, 0.37), (x, 0.55), (x, 0.75)], 0.078, second)
        canvas.shape(rectangle(x - 0.045, 0.36, x + 0.045, 0.4), accent)
        canvas.shape(rectangle(x - 0.045, 0.72, x + 0.045, 0.76), accent)


def _saxophone(canvas: Canvas, body: Color, second: Color, accent: Color) -> None:
    down = [(0.37, 0.17), (0.4, 0.35), (0.43, 0.55), (0.46, 0.73), (0.52, 0.87)]
    up = [(0.64, 0.89), (0.72, 0.77), (0.75, 0.62), (0.775, 0.5), (0.8, 0.42)]
    widths = [0.05, 0.075, 0.1, 0.125, 0.14, 0.145, 0.16, 0.19, 0.24, 0.32]
    canvas.tube(smooth([*down, *up], False), widths, body)
    canvas.shape([(x, y + (x - 0.8) * 0.3) for x, y in ellipse(0.8, 0.42, 0.155, 0.05)], darker(body, 0.65))
    canvas.tube(smooth([(0.14, 0.2), (0.22, 0.09), (0.33, 0.08), (0.37, 0.18)], False), 0.045, second)
    canvas.tube([(0.08, 0.275), (0.12, 0.225), (0.165, 0.165)], [0.035, 0.065, 0.065], darker(accent, 0.5))
    canvas.tube([(0.46, 0.25), (0.53, 0.7)], 0.018, second)
    for x, y in ((0.39, 0.29), (0.4, 0.38), (0.42, 0.47), (0.435, 0.57), (0.455, 0.68)):
        canvas.disc(x, y, 0.02 + 0.033 * y, accent)
    for x, y in ((0.585, 0.885), (0.715, 0.73), (0.755, 0.58)):
        canvas.disc(x, y, 0.045, accent)
    canvas.disc(0.53, 0.5, 0.03, second)
    canvas.disc(0.545, 0.6, 0.03, second)


def _bell(canvas: Canvas, body: Color, second: Color, accent: Color) -> None:
    canvas.line(ellipse(0.5, 0.12, 0.075, 0.07), INK, 0.06)
    canvas.line(ellipse(0.5, 0.12, 0.075, 0.07), second, 0.036)
    canvas.disc(0.5, 0.885, 0.085, accent)
    half = [(0.5, 0.17), (0.6, 0.185), (0.675, 0.26), (0.7, 0.42), (0.73, 0.57), (0.8, 0.7), (0.88, 0.77)]
    canvas.shape(symmetric([*smooth(half, False), (0.89, 0.85)]), body)
    canvas.shape([(0.115, 0.78), (0.885, 0.78), (0.89, 0.855), (0.11, 0.855)], second)
    canvas.shape([(0.265, 0.58), (0.735, 0.58), (0.75, 0.625), (0.25, 0.625)], accent)
    glint = smooth([(0.4, 0.25), (0.375, 0.35), (0.36, 0.5)], False)
    canvas.line(glint, lighter(body, 0.75), 0.035)


def _drum(canvas: Canvas, body: Color, second: Color, accent: Color) -> None:
    left, right, top, bottom = 0.12, 0.88, 0.42, 0.8
    side = [*ellipse(0.5, bottom, 0.38, 0.12, 0, 180), (left, top), (right, top)]
    canvas.shape(side, body)
    xs = np.linspace(left + 0.02, right - 0.02, 9)
    lower = bottom + 0.12 * np.sqrt(1 - ((xs - 0.5) / 0.38) ** 2)
    upper = top + 0.12 * np.sqrt(1 - ((xs - 0.5) / 0.38) ** 2)
    canvas.line([(x, upper[i] if i % 2 else lower[i]) for i, x in enumerate(xs)], CREAM, 0.02)
    for y in (bottom, top + 0.02):
        band = [*ellipse(0.5, y, 0.385, 0.12, 0, 180), *ellipse(0.5, y - 0.05, 0.385, 0.12, 180, 0)]
        canvas.shape(band, second)
    canvas.shape(ellipse(0.5, top - 0.02, 0.385, 0.125), second)
    canvas.shape(ellipse(0.5, top - 0.02, 0.345, 0.1), CREAM, depth=0.15)
    for tip, end in (((0.55, 0.4), (0.08, 0.1)), ((0.44, 0.43), (0.92, 0.08))):
        canvas.tube([end, tip], [0.05, 0.03], accent)
        canvas.disc(*tip, 0.035, accent)


def _organ(canvas: Canvas, body: Color, second: Color, accent: Color) -> None:
    canvas.shape(rectangle(0.1, 0.5, 0.9, 0.72), darker(body, 0.3))
    heights = [0.16, 0.23, 0.29, 0.19, 0.05, 0.19, 0.29, 0.23, 0.16]
    for number, top in enumerate(heights):
        x = 0.5 + (number - 4) * 0.09
        canvas.tube([(x, top), (x, 0.3), (x, 0.52)], 0.082, second)
        canvas.tube([(x, 0.52), (x, 0.6)], [0.078, 0.025], second)
        canvas.shape(ellipse(x, top, 0.041, 0.014), darker(second, 0.6))
        canvas.shape(rectangle(x - 0.024, 0.475, x + 0.024, 0.515), INK, outline=False, depth=0)
    canvas.shape(rectangle(0.05, 0.6, 0.95, 0.95), body)
    for y, inset in ((0.64, 0.06), (0.745, 0.03)):
        canvas.shape(rectangle(0.06 + inset, y, 0.94 - inset, y + 0.085), CREAM, depth=0.1)
        for number, x in enumerate(np.linspace(0.06 + inset, 0.94 - inset, 15)[1:-1]):
            canvas.line([(x, y), (x, y + 0.085)], INK, 0.006)
            if number % 7 not in (2, 6):
                canvas.shape(rectangle(x - 0.015, y, x + 0.015, y + 0.052), INK, outline=False, depth=0)
    canvas.shape(rectangle(0.03, 0.85, 0.97, 0.885), accent)
    for x in np.linspace(0.32, 0.68, 7):
        canvas.shape(rectangle(x - 0.018, 0.9, x + 0.018, 0.94), accent)


def _marimba(canvas: Canvas, body: Color, second: Color, accent: Color) -> None:
    xs = np.linspace(0.1, 0.9, 9)
    for x in (0.075, 0.925):
        canvas.tube([(x, 0.4), (x, 0.95)], 0.035, darker(second, 0.5))
    for number, x in enumerate(xs):
        canvas.tube([(x, 0.4), (x, 0.92 - 0.042 * number)], 0.066, second)
    for left, right in ((0.28, 0.39), (0.62, 0.53)):
        canvas.tube([(0.03, left), (0.97, right)], 0.03, darker(second, 0.4))
    for number, x in enumerate(xs):
        top, bottom = 0.2 + 0.016 * number, 0.7 - 0.017 * number
        canvas.shape(rectangle(x - 0.042, top, x + 0.042, bottom), body)
        for y in (top + 0.075, bottom - 0.075):
            canvas.shape(ellipse(x, y, 0.011, 0.011), INK, outline=False, depth=0)
    for ball, end in (((0.38, 0.43), (0.1, 0.06)), ((0.6, 0.42), (0.92, 0.06))):
        canvas.tube([end, ball], 0.024, CREAM)
        canvas.disc(*ball, 0.058, accent)


def _accordion(canvas: Canvas, body: Color, second: Color, accent: Color) -> None:
    folds = 9
    xs = np.linspace(0.28, 0.7, folds + 1)
    for number in range(folds):
        left, right = xs[number], xs[number + 1]
        ends = (0.0, 0.035) if number % 2 else (0.035, 0.0)
        outline = [(left, 0.22 - ends[0]), (right, 0.22 - ends[1]), (right, 0.78 + ends[1]), (left, 0.78 + ends[0])]
        canvas.shape(outline, second if number % 2 else darker(second, 0.45))
    canvas.shape(smooth([(0.06, 0.2), (0.28, 0.17), (0.29, 0.5), (0.28, 0.83), (0.06, 0.8), (0.045, 0.5)]), body)
    for x in (0.115, 0.195):
        for y in np.linspace(0.29, 0.71, 6):
            canvas.disc(x, y, 0.026, accent)
    canvas.shape(smooth([(0.7, 0.16), (0.84, 0.15), (0.85, 0.5), (0.84, 0.85), (0.7, 0.84), (0.69, 0.5)]), body)
    canvas.shape(rectangle(0.82, 0.1, 0.96, 0.9), CREAM, depth=0.1)
    for number, y in enumerate(np.linspace(0.1, 0.9, 13)[1:-1]):
        canvas.line([(0.82, y), (0.96, y)], INK, 0.008)
        if number % 7 not in (2, 6):
            canvas.shape(rectangle(0.82, y - 0.017, 0.9, y + 0.017), INK, outline=False, depth=0)
    for y in (0.3, 0.4, 0.5, 0.6, 0.7):
        canvas.line([(0.735, y), (0.79, y)], accent, 0.026)


INSTRUMENT_DRAWINGS: dict[str, Drawing] = {
    function.__name__.removeprefix("_"): function
    for function in (_accordion, _bell, _drum, _flute, _guitar, _marimba, _organ, _saxophone, _trumpet, _violin)
}
DRAWINGS = INSTRUMENT_DRAWINGS | DISTRACTOR_DRAWINGS
