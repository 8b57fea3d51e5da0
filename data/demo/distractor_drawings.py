"""Drawings of the distractors: the silent objects in the demo videos."""

import numpy as np

from data.demo.canvas import CREAM, INK, Canvas, Color, Drawing, darker, lighter
from data.demo.shapes import ellipse, rectangle, smooth


def _mug(canvas: Canvas, body: Color, second: Color, accent: Color) -> None:
    canvas.line(ellipse(0.7, 0.53, 0.17, 0.18), INK, 0.1)
    canvas.line(ellipse(0.7, 0.53, 0.17, 0.18), body, 0.075)
    side = [(0.16, 0.22), (0.7, 0.22), (0.69, 0.8), *ellipse(0.43, 0.8, 0.26, 0.09, 0, 180), (0.17, 0.8)]
    canvas.shape(side, body)
    canvas.shape([(0.163, 0.42), (0.697, 0.42), (0.695, 0.6), (0.167, 0.6)], second)
    canvas.shape(ellipse(0.43, 0.22, 0.27, 0.09), lighter(body, 0.3))
    canvas.shape(ellipse(0.43, 0.225, 0.22, 0.062), darker(accent, 0.6))


def _plant(canvas: Canvas, body: Color, second: Color, accent: Color) -> None:
    for x, y in ((0.16, 0.42), (0.27, 0.2), (0.5, 0.08), (0.73, 0.2), (0.84, 0.42), (0.36, 0.38), (0.64, 0.38)):
        middle = ((x + 0.5) / 2, (y + 0.62) / 2)
        leaf = smooth([(0.5, 0.64), (0.55 * 0.1 + middle[0] * 0.9, middle[1]), (x, y)], False)
        canvas.tube(leaf, 0.13 * np.sin(np.linspace(0.25, np.pi - 0.05, len(leaf))), second)
    canvas.shape([(0.28, 0.66), (0.72, 0.66), (0.65, 0.95), (0.35, 0.95)], body)
    canvas.shape(rectangle(0.24, 0.6, 0.76, 0.69), accent)


def _lamp(canvas: Canvas, body: Color, second: Color, accent: Color) -> None:
    canvas.tube([(0.5, 0.45), (0.5, 0.86)], 0.055, second)
    canvas.shape(smooth([(0.26, 0.92), (0.3, 0.85), (0.5, 0.82), (0.7, 0.85), (0.74, 0.92), (0.5, 0.95)]), second)
    canvas.line([(0.64, 0.46), (0.64, 0.66)], INK, 0.014)
    canvas.disc(0.64, 0.67, 0.028, accent)
    canvas.shape([(0.36, 0.07), (0.64, 0.07), (0.86, 0.47), (0.14, 0.47)], body)
    canvas.shape([(0.166, 0.42), (0.834, 0.42), (0.86, 0.475), (0.14, 0.475)], accent)


def _chair(canvas: Canvas, body: Color, second: Color, accent: Color) -> None:
    for x, bottom in ((0.26, 0.84), (0.7, 0.84)):
        canvas.tube([(x, 0.55), (x, bottom)], 0.05, darker(body))
    for x in (0.26, 0.7):
        canvas.tube([(x, 0.06), (x, 0.58)], 0.065, body)
    for y in (0.15, 0.28, 0.41):
        canvas.shape(rectangle(0.25, y - 0.045, 0.71, y + 0.045), second)
    canvas.tube([(0.2, 0.66), (0.17, 0.95)], 0.06, body)
    canvas.tube([(0.8, 0.66), (0.83, 0.95)], 0.06, body)
    canvas.shape([(0.24, 0.54), (0.72, 0.54), (0.86, 0.66), (0.14, 0.66)], accent)
    canvas.shape(rectangle(0.14, 0.655, 0.86, 0.705), darker(accent))


def _ball(canvas: Canvas, body: Color, second: Color, accent: Color) -> None:
    canvas.shape(ellipse(0.5, 0.5, 0.43, 0.43), body)
    for turn, color in zip(range(0, 360, 60), (CREAM, second, CREAM, accent, CREAM, body), strict=True):
        arc = ellipse(0.5, 0.5, 0.43, 0.43, turn, turn + 60)
        center = (0.56, 0.42)
        seams = [
            smooth([center, ((x + center[0]) / 2 + 0.04, (y + center[1]) / 2), (x, y)], False)
            for x, y in (arc[0], arc[-1])
        ]
        canvas.shape([*seams[0], *arc, *seams[1][::-1]], color, depth=0.2)
    canvas.disc(0.56, 0.42, 0.06, accent)


def _book(canvas: Canvas, body: Color, second: Color, accent: Color) -> None:
    canvas.shape([(0.05, 0.24), (0.95, 0.24), (0.95, 0.83), (0.05, 0.83)], body)
    left = [*smooth([(0.5, 0.25), (0.38, 0.17), (0.22, 0.16), (0.09, 0.2)], False), (0.09, 0.77)]
    page = [*left, *smooth([(0.09, 0.77), (0.22, 0.73), (0.38, 0.74), (0.5, 0.82)], False)]
    canvas.shape(page, CREAM, depth=0.12)
    canvas.shape([(1 - x, y) for x, y in page], CREAM, depth=0.12)
    for number, y in enumerate(np.linspace(0.3, 0.64, 6)):
        color = (second, accent)[number % 2]
        canvas.line([(0.15, y - 0.01), (0.3, y - 0.02), (0.43, y + 0.03)], color, 0.022)
        canvas.line([(0.85, y - 0.01), (0.7, y - 0.02), (0.57, y + 0.03)], color, 0.022)
    canvas.shape([(0.6, 0.2), (0.68, 0.17), (0.68, 0.42), (0.64, 0.37), (0.6, 0.44)], accent)


def _hat(canvas: Canvas, body: Color, second: Color, accent: Color) -> None:
    canvas.shape(ellipse(0.5, 0.76, 0.46, 0.13), body)
    lower_edge = ellipse(0.5, 0.72, 0.19, 0.06, 0, 180)
    canvas.shape([(0.27, 0.2), (0.73, 0.2), *lower_edge], body)
    canvas.shape([(0.302, 0.56), (0.698, 0.56), *lower_edge], second)
    canvas.shape(ellipse(0.5, 0.2, 0.23, 0.065), lighter(body, 0.25))
    canvas.tube(smooth([(0.66, 0.64), (0.74, 0.45), (0.86, 0.25)], False), [0.03, 0.1, 0.02], accent)


def _clock(canvas: Canvas, body: Color, second: Color, accent: Color) -> None:
    canvas.shape(ellipse(0.5, 0.5, 0.44, 0.44), body)
    canvas.shape(ellipse(0.5, 0.5, 0.34, 0.34), CREAM, depth=0.1)
    for hour in range(12):
        x, y = np.sin(hour * np.pi / 6), np.cos(hour * np.pi / 6)
        canvas.line([(0.5 + 0.26 * x, 0.5 + 0.26 * y), (0.5 + 0.31 * x, 0.5 + 0.31 * y)], INK, 0.024)
    canvas.line([(0.5, 0.5), (0.38, 0.36)], second, 0.045)
    canvas.line([(0.5, 0.5), (0.66, 0.28)], accent, 0.03)
    canvas.disc(0.5, 0.5, 0.04, second)


def _umbrella(canvas: Canvas, body: Color, second: Color, accent: Color) -> None:
    stick = [(0.5, 0.08), (0.5, 0.5), (0.5, 0.84), (0.56, 0.93), (0.64, 0.9), (0.66, 0.82)]
    canvas.tube(smooth(stick, False), 0.045, accent)
    for number, color in enumerate((body, second, body, second)):
        left, right = 0.05 + 0.225 * number, 0.275 + 0.225 * number
        edges = [smooth([(0.5, 0.1), (x + (0.5 - x) * 0.35, 0.22), (x, 0.52)], False) for x in (left, right)]
        scallop = ellipse((left + right) / 2, 0.52, (right - left) / 2, 0.06, 180, 360)
        canvas.shape([*edges[0], *scallop, *edges[1][::-1]], color)
    canvas.disc(0.5, 0.09, 0.03, accent)


DISTRACTOR_DRAWINGS: dict[str, Drawing] = {
    function.__name__.removeprefix("_"): function
    for function in (_ball, _book, _chair, _clock, _hat, _lamp, _mug, _plant, _umbrella)
}
