"""Renders the frames of a demo video and the boxes of its sounding objects."""

from dataclasses import dataclass

import numpy as np
from PIL import Image

from data.demo.backgrounds import paint
from data.demo.drawings import draw
from data.demo.plan import DemoSettings, Stream, VideoPlan

WIDTH, HEIGHT = 320, 240
MARGIN = 3  # free pixels between an object and the border of the frame
PAN = 40  # largest pan of a background in each direction, pixels
SOLID = 128  # least alpha of a pixel that counts as part of an object

# Area of the box of an object as a share of the frame, by the number of objects. As it grows and turns, a single one
# has 8% to 35%.
AREAS = {1: (0.09, 0.31), 2: (0.09, 0.18)}
AREA_IN_A_CROWD = (0.06, 0.12)
MOST_OF_A_SIDE = 0.9  # of the frame, that a box may have
CUT_OFF = 0.35  # share of the objects that the edge of the frame may cut off
OVERHANG = 0.35  # of the box of such an object may lie outside at most, in each direction
PATHS_TRIED = 60  # at each of three sizes
SAMPLE_STEP = 6  # overlaps are measured in every sixth frame

# Degrees by which a player holds an instrument, counterclockwise. All other objects stand upright.
NATURAL_ANGLE = {"flute": 30.0, "guitar": -40.0, "violin": -25.0, "trumpet": 12.0}

Box = tuple[int, int, int, int]  # left, top, right, bottom; pixels, the last two exclusive
Sprite = tuple[int, int, np.ndarray]  # object in a frame: left, top, uint8 [h, w, 4] with premultiplied alpha


@dataclass(frozen=True)
class Trajectory:
    """The place of an object in each frame."""

    x: np.ndarray  # center in pixels, [frames]
    y: np.ndarray
    angle: np.ndarray  # radians, clockwise on the screen, [frames]
    scale: np.ndarray  # share of the size of its drawing, [frames]
    boxes: np.ndarray  # left, top, right, bottom of its outline in pixels, [frames, 4]


@dataclass(frozen=True)
class SceneObject:
    """An object in a video."""

    drawing: Image.Image  # with premultiplied alpha
    path: Trajectory


@dataclass(frozen=True)
class Scene:
    """Everything visible in a video."""

    background: Image.Image  # larger than the frame, for panning
    pan: np.ndarray  # left, top of the frame on the background in pixels, [frames, 2]
    distractors: tuple[SceneObject, ...]  # drawn first: they cover no instrument
    instruments: tuple[SceneObject, ...]  # in the order of the plan


def build_scene(settings: DemoSettings, plan: VideoPlan) -> Scene:
    """Paint the background, draw the objects and give each a path clear of the others."""
    random = settings.generator(Stream.BACKGROUND, plan.index)
    background = Image.fromarray(paint(plan.background, random, WIDTH + 2 * PAN, HEIGHT + 2 * PAN))
    start, end = random.uniform(0, 2 * PAN, (2, 2))
    if random.random() < 0.5:  # half of the videos do not pan
        start = end = start.round()
    pan = np.linspace(start, end, plan.frames)
    random = settings.generator(Stream.SCENE, plan.index)
    seconds = np.arange(plan.frames) / float(plan.frame_rate)
    names = (*plan.instruments, *plan.distractors)
    objects: list[SceneObject] = []
    for name in names:
        objects.append(_place(name, random, len(names), seconds, [other.path for other in objects]))
    count = len(plan.instruments)
    return Scene(background, pan, tuple(objects[count:]), tuple(objects[:count]))


def render_frame(scene: Scene, index: int) -> tuple[np.ndarray, list[Box]]:
    """A frame, RGB, uint8 [HEIGHT, WIDTH, 3], and its `visible_boxes`."""
    frame = render_background(scene, index)
    instruments = [_sprite(item, index) for item in scene.instruments]
    for sprite in (*(_sprite(item, index) for item in scene.distractors), *instruments):
        _compose(frame, sprite)
    return frame, _tight_boxes(instruments)


def render_background(scene: Scene, index: int) -> np.ndarray:
    """The background of a frame, RGB, uint8 [HEIGHT, WIDTH, 3]."""
    left, top = scene.pan[index].tolist()
    if left.is_integer() and top.is_integer():  # does not pan; faster
        return np.array(scene.background.crop((left, top, left + WIDTH, top + HEIGHT)))
    size, area = (WIDTH, HEIGHT), (1, 0, left, 0, 1, top)
    return np.array(scene.background.transform(size, Image.Transform.AFFINE, area, Image.Resampling.BILINEAR))


def visible_boxes(scene: Scene, index: int) -> list[Box]:
    """The tight box of the visible pixels of each instrument in a frame."""
    return _tight_boxes([_sprite(item, index) for item in scene.instruments])


def _tight_boxes(sprites: list[Sprite]) -> list[Box]:
    boxes = []
    covered = np.zeros((HEIGHT, WIDTH), bool)
    for left, top, patch in reversed(sprites):  # the last one is in front
        solid = patch[..., 3] >= SOLID
        behind = covered[top : top + solid.shape[0], left : left + solid.shape[1]]
        rows, columns = (np.flatnonzero((solid & ~behind).any(axis)) for axis in (1, 0))
        boxes.append((left + int(columns[0]), top + int(rows[0]), left + int(columns[-1]) + 1, top + int(rows[-1]) + 1))
        behind |= solid
    return boxes[::-1]


def _compose(frame: np.ndarray, sprite: Sprite) -> None:
    """Draw a sprite over a frame, uint8 [HEIGHT, WIDTH, 3], in place."""
    left, top, patch = sprite
    area = frame[top : top + patch.shape[0], left : left + patch.shape[1]]
    behind = area * (255 - patch[..., 3:].astype(np.uint16)) + 128
    behind = (behind + (behind >> 8)) >> 8  # divided by 255
    area[:] = np.minimum(behind + patch[..., :3], 255)


def _sprite(item: SceneObject, index: int) -> Sprite:
    path = item.path
    left, top = (np.floor(path.boxes[index, :2]).astype(int) - 1).clip(0)
    right, bottom = (np.ceil(path.boxes[index, 2:]).astype(int) + 1).clip(max=(WIDTH, HEIGHT))
    cosine, sine = (function(path.angle[index]) / path.scale[index] for function in (np.cos, np.sin))
    x, y = left - path.x[index], top - path.y[index]
    across = (cosine, sine, cosine * x + sine * y + item.drawing.width / 2)  # from the frame to the drawing
    down = (-sine, cosine, cosine * y - sine * x + item.drawing.height / 2)
    size = (int(right - left), int(bottom - top))
    patch = item.drawing.transform(size, Image.Transform.AFFINE, (*across, *down), Image.Resampling.BICUBIC)
    return int(left), int(top), np.asarray(patch)


def _place(
    name: str, random: np.random.Generator, crowd: int, seconds: np.ndarray, others: list[Trajectory]
) -> SceneObject:
    """An object on a path clear of all others, or on the path of least overlap if none is clear."""
    drawing = draw(name, random)
    angle = np.radians(NATURAL_ANGLE.get(name, 0))
    if random.random() < 0.5:
        drawing, angle = drawing.transpose(Image.Transpose.FLIP_LEFT_RIGHT), -angle
    area = np.exp(random.uniform(*np.log(AREAS.get(crowd, AREA_IN_A_CROWD))))
    overhang = OVERHANG if random.random() < CUT_OFF else 0.0
    best, least = None, np.inf
    for factor in (1, 0.85, 0.7):
        resized = _resize(drawing, angle, area * factor**2)
        outline = _outline(resized)
        for _ in range(PATHS_TRIED):
            path = _random_path(random, outline, angle, 0.25 / crowd, seconds, overhang)
            overlap = max((_overlap(path.boxes, other.boxes) for other in others), default=0.0)
            if overlap < least:
                best, least = SceneObject(resized, path), overlap
            if least == 0:
                return best
    return best


def _resize(drawing: Image.Image, angle: float, area: float) -> Image.Image:
    """The drawing, premultiplied, in the size at which its box, rotated, has this share of the frame's area."""
    extent = np.ptp(_rotated(_outline(drawing), np.array([angle])), axis=0)[:, 0]
    scale = min(np.sqrt(area * WIDTH * HEIGHT / extent.prod()), *(MOST_OF_A_SIDE * np.array([WIDTH, HEIGHT]) / extent))
    width, height = (max(1, round(side * scale)) for side in drawing.size)
    resized = Image.new("RGBA", (width + 4, height + 4))  # edges fade out into the transparent border
    resized.paste(drawing.resize((width, height), Image.Resampling.LANCZOS), (2, 2))
    return resized.convert("RGBa")


def _outline(drawing: Image.Image) -> np.ndarray:
    """Corners [n, 2] of the convex hull of the visible pixels, relative to the center of the drawing."""
    from scipy.spatial import ConvexHull  # here, so that --help of data/make_demo.py need not load it

    visible = np.asarray(drawing)[..., 3] > 0
    rows = np.flatnonzero(visible.any(1))
    first = visible[rows].argmax(1)
    last = visible.shape[1] - visible[rows, ::-1].argmax(1)
    corners = np.concatenate([np.stack([columns, rows + down], 1) for columns in (first, last) for down in (0, 1)])
    return corners[ConvexHull(corners).vertices] - np.array(drawing.size) / 2


def _rotated(outline: np.ndarray, angle: np.ndarray) -> np.ndarray:
    """The outline [n, 2] rotated by each angle: [n, 2, angles]."""
    x, y = outline[:, :1], outline[:, 1:]
    cosine, sine = np.cos(angle), np.sin(angle)
    return np.stack([cosine * x - sine * y, sine * x + cosine * y], 1)


def _random_wave(random: np.random.Generator, seconds: np.ndarray) -> np.ndarray:
    """A slow wave with a faster one on top, within -1 and 1, at each time."""
    slow, fast, slow_phase, fast_phase = random.uniform((0.05, 0.15, 0, 0), (0.2, 0.45, 2 * np.pi, 2 * np.pi))
    turns = 2 * np.pi * seconds
    return 0.75 * np.sin(slow * turns + slow_phase) + 0.25 * np.sin(fast * turns + fast_phase)


def _random_path(
    random: np.random.Generator,
    outline: np.ndarray,
    natural_angle: float,
    reach: float,
    seconds: np.ndarray,
    overhang: float,
) -> Trajectory:
    """Slow waves of position, angle and size, scaled to the free room.

    Args:
        overhang: share of the object that may leave the frame, in each direction.
    """
    reaches = random.uniform(0.3 * reach, reach, 2)  # across and down, as shares of the free room
    middle = random.uniform(reaches, 1 - reaches)
    angle = natural_angle + np.radians(random.uniform(-8, 8))
    rotation = np.radians(random.uniform(2, 7))
    growth = random.uniform(0.02, 0.07)
    across, down, turn, size = (_random_wave(random, seconds) for _ in range(4))
    angle = angle + rotation * turn
    scale = 1 + growth * size
    extent = _rotated(outline, angle) * scale
    low, high = extent.min(0), extent.max(0)  # [2, times]
    margin = MARGIN if overhang == 0 else -overhang * (high - low)
    room = np.array([[WIDTH], [HEIGHT]]) - 2 * margin - (high - low)
    share = middle[:, None] + reaches[:, None] * np.stack([across, down])
    center = margin - low + share * room
    return Trajectory(*center, angle, scale, np.concatenate([center + low, center + high]).T)


def _overlap(boxes: np.ndarray, others: np.ndarray) -> float:
    """The largest intersection of two boxes [times, 4] over time, as a share of the smaller one."""
    boxes, others = boxes[::SAMPLE_STEP], others[::SAMPLE_STEP]
    low = np.maximum(boxes[:, :2], others[:, :2])
    high = np.minimum(boxes[:, 2:], others[:, 2:])
    common = np.prod(np.maximum(high - low, 0), axis=1)
    areas = [np.prod(corners[:, 2:] - corners[:, :2], axis=1) for corners in (boxes, others)]
    return float((common / np.minimum(*areas)).max())
