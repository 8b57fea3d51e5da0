"""What is seen where at which time in a demo video: renders its frames and the boxes of what sounds."""

import functools
from dataclasses import dataclass

import numpy as np
from PIL import Image
from scipy.spatial import ConvexHull

from data.demo.backgrounds import paint
from data.demo.drawings import draw
from data.demo.plan import DemoSettings, Stream, VideoPlan

WIDTH, HEIGHT = 320, 240
MARGIN = 3  # pixels that stay free between a thing and the border of the frame
PAN = 40  # pixels by which a background may travel in each direction
SOLID = 128  # alpha from which a pixel counts as the thing's

# A thing's longest side in pixels: smaller where several must find room.
SIZES = {1: (94, 136), 2: (84, 116)}
SIZE_IN_A_CROWD = (70, 96)
PLACES_TRIED = 60  # at each of three sizes
SAMPLE_STEP = 6  # every so many frames are looked at for a meeting

# Held as it is played; degrees anticlockwise. Everything else stands upright.
NATURAL_TURN = {"flute": 30.0, "guitar": -40.0, "violin": -25.0, "trumpet": 12.0}

Box = tuple[int, int, int, int]  # left, top, right, bottom; pixels, the last two exclusive
Sprite = tuple[int, int, np.ndarray]  # a thing in a frame: left, top, pixels uint8 [h, w, 4] with premultiplied alpha
Wave = tuple[float, float, float, float]  # two frequencies in Hz, where in its turn each starts in radians


@dataclass(frozen=True)
class Trajectory:
    """Where a thing is in each frame, all arrays [frames].

    Attributes:
        x, y: its centre in pixels.
        angle: radians, clockwise on the screen.
        scale: its size as a share of its picture's.
        boxes: [frames, 4] left, top, right, bottom of its outline in pixels.
    """

    x: np.ndarray
    y: np.ndarray
    angle: np.ndarray
    scale: np.ndarray
    boxes: np.ndarray


@dataclass(frozen=True)
class Motion:
    """How a thing moves: about a middle (a share of the room it has), turning, growing; in waves of time.

    Attributes:
        middle, reach: [2], across and down, shares of the free room.
        turn, rotation: middle and reach of its angle, radians.
        growth: reach of its size, a share.
        waves: across, down, turning, growing.
    """

    middle: np.ndarray
    reach: np.ndarray
    turn: float
    rotation: float
    growth: float
    waves: list[Wave]


@dataclass(frozen=True)
class SceneObject:
    """A thing in a video: its name, its picture (premultiplied alpha), its path."""

    name: str
    picture: Image.Image
    path: Trajectory


@dataclass(frozen=True)
class Scene:
    """Everything seen in a video.

    Attributes:
        background: larger than the frame, for panning.
        pan: [frames, 2] left, top of the frame on the background, pixels.
        silent: things without a sound, drawn first.
        sounding: instruments in the order of the plan, drawn last: nothing silent covers them.
    """

    background: Image.Image
    pan: np.ndarray
    silent: tuple[SceneObject, ...]
    sounding: tuple[SceneObject, ...]

    @functools.cached_property
    def backdrop(self) -> np.ndarray | None:
        """The background's one view, uint8 [HEIGHT, WIDTH, 3], if it does not pan."""
        return None if np.ptp(self.pan, axis=0).any() else _view(self.background, *self.pan[0])


def build_scene(settings: DemoSettings, plan: VideoPlan) -> Scene:
    """Paint the background, draw the things and give each a path on which it meets no other."""
    random = settings.generator(Stream.BACKGROUND, plan.index)
    background = Image.fromarray(paint(plan.background, random, WIDTH + 2 * PAN, HEIGHT + 2 * PAN))
    pan = _pan(random, plan.frames)
    random = settings.generator(Stream.SCENE, plan.index)
    seconds = np.arange(plan.frames) / float(plan.frame_rate)
    names = (*plan.instruments, *plan.silent_things)
    things: list[SceneObject] = []
    for name in names:
        things.append(_place(name, random, len(names), seconds, [thing.path for thing in things]))
    count = len(plan.instruments)
    return Scene(background, pan, tuple(things[count:]), tuple(things[:count]))


def render_frame(scene: Scene, index: int) -> tuple[np.ndarray, list[Box]]:
    """A frame, RGB, uint8 [HEIGHT, WIDTH, 3], and what `visible_boxes` says about it."""
    frame = render_background(scene, index)
    for thing in scene.silent:
        _compose(frame, _cast(thing, index))
    casts = [_cast(thing, index) for thing in scene.sounding]
    for cast in casts:
        _compose(frame, cast)
    return frame, _tight_boxes(casts)


def render_background(scene: Scene, index: int) -> np.ndarray:
    """What a frame shows behind the things, RGB, uint8 [HEIGHT, WIDTH, 3]."""
    return _view(scene.background, *scene.pan[index]) if scene.backdrop is None else scene.backdrop.copy()


def visible_boxes(scene: Scene, index: int) -> list[Box]:
    """For each sounding thing the tight box of its visible pixels in a frame."""
    return _tight_boxes([_cast(thing, index) for thing in scene.sounding])


def _tight_boxes(casts: list[Sprite]) -> list[Box]:
    boxes = []
    covered = np.zeros((HEIGHT, WIDTH), bool)
    for left, top, patch in reversed(casts):  # the last one is in front
        solid = patch[..., 3] >= SOLID
        behind = covered[top : top + solid.shape[0], left : left + solid.shape[1]]
        rows, columns = (np.flatnonzero((solid & ~behind).any(axis)) for axis in (1, 0))
        boxes.append((left + int(columns[0]), top + int(rows[0]), left + int(columns[-1]) + 1, top + int(rows[-1]) + 1))
        behind |= solid
    return boxes[::-1]


def _view(background: Image.Image, left: float, top: float) -> np.ndarray:
    area = (1, 0, left, 0, 1, top)
    return np.array(background.transform((WIDTH, HEIGHT), Image.Transform.AFFINE, area, Image.Resampling.BILINEAR))


def _pan(random: np.random.Generator, frames: int) -> np.ndarray:
    """A slow straight way of the frame over the background, [frames, 2]; half of the videos stand still."""
    start, end = random.uniform(0, 2 * PAN, (2, 2))
    if random.random() < 0.5:
        start = end = start.round()
    return np.linspace(start, end, frames)


def _compose(frame: np.ndarray, cast: Sprite) -> None:
    """Lay a thing over a frame, uint8 [HEIGHT, WIDTH, 3], in place."""
    left, top, patch = cast
    area = frame[top : top + patch.shape[0], left : left + patch.shape[1]]
    behind = area * (255 - patch[..., 3:].astype(np.uint16)) + 128
    behind = (behind + (behind >> 8)) >> 8  # divided by 255
    area[:] = np.minimum(behind + patch[..., :3], 255)


def _cast(thing: SceneObject, index: int) -> Sprite:
    """The thing as a frame shows it: left, top and its pixels, uint8 [h, w, 4], premultiplied."""
    path = thing.path
    left, top = np.floor(path.boxes[index, :2]).astype(int) - 1
    right, bottom = np.ceil(path.boxes[index, 2:]).astype(int) + 1
    cosine, sine = (function(path.angle[index]) / path.scale[index] for function in (np.cos, np.sin))
    x, y = left - path.x[index], top - path.y[index]
    way_back = (
        *(cosine, sine, cosine * x + sine * y + thing.picture.width / 2),
        *(-sine, cosine, cosine * y - sine * x + thing.picture.height / 2),
    )
    size = (int(right - left), int(bottom - top))
    patch = thing.picture.transform(size, Image.Transform.AFFINE, way_back, Image.Resampling.BICUBIC)
    return int(left), int(top), np.asarray(patch)


def _place(
    name: str, random: np.random.Generator, crowd: int, seconds: np.ndarray, others: list[Trajectory]
) -> SceneObject:
    """A thing on a path clear of all others; where there is no room left, on the one that meets them the least."""
    drawing = draw(name, random)
    turn = np.radians(NATURAL_TURN.get(name, 0))
    if random.random() < 0.5:
        drawing, turn = drawing.transpose(Image.Transpose.FLIP_LEFT_RIGHT), -turn
    size = random.uniform(*SIZES.get(crowd, SIZE_IN_A_CROWD))
    best, least = None, np.inf
    for smaller in (1, 0.85, 0.7):
        picture = _resized(drawing, turn, size * smaller)
        outline = _outline(picture)
        for _ in range(PLACES_TRIED):
            motion = _random_motion(random, turn, reach=0.25 / crowd)
            sample = _follow(motion, outline, seconds[::SAMPLE_STEP])
            met = max((_overlap(sample.boxes, other.boxes[::SAMPLE_STEP]) for other in others), default=0.0)
            if met < least:
                best, least = SceneObject(name, picture, _follow(motion, outline, seconds)), met
            if least == 0:
                return best
    return best


def _resized(drawing: Image.Image, turn: float, longest: float) -> Image.Image:
    """The drawing at the size at which the box around it, turned, has its longest side, premultiplied.

    A transparent border lets it fade out when it is resampled.
    """
    extent = np.ptp(_rotated(_outline(drawing), np.array([turn])), axis=0).max()
    width, height = (max(1, round(side * longest / extent)) for side in drawing.size)
    picture = Image.new("RGBA", (width + 4, height + 4))
    picture.paste(drawing.resize((width, height), Image.Resampling.LANCZOS), (2, 2))
    return picture.convert("RGBa")


def _outline(picture: Image.Image) -> np.ndarray:
    """Corners [n, 2] of the convex hull of the visible pixels, relative to the centre of the picture."""
    visible = np.asarray(picture)[..., 3] > 0
    rows = np.flatnonzero(visible.any(1))
    first = visible[rows].argmax(1)
    last = visible.shape[1] - visible[rows, ::-1].argmax(1)
    corners = np.concatenate([np.stack([columns, rows + down], 1) for columns in (first, last) for down in (0, 1)])
    return corners[ConvexHull(corners).vertices] - np.array(picture.size) / 2


def _rotated(outline: np.ndarray, angle: np.ndarray) -> np.ndarray:
    """The outline [n, 2] turned by each angle: [n, 2, angles]."""
    x, y = outline[:, :1], outline[:, 1:]
    cosine, sine = np.cos(angle), np.sin(angle)
    return np.stack([cosine * x - sine * y, sine * x + cosine * y], 1)


def _random_wave(random: np.random.Generator) -> Wave:
    return tuple(random.uniform((0.05, 0.15, 0, 0), (0.2, 0.45, 2 * np.pi, 2 * np.pi)))


def _along(wave: Wave, seconds: np.ndarray) -> np.ndarray:
    """The wave's values, within -1 and 1."""
    slow, fast, slow_start, fast_start = wave
    turns = 2 * np.pi * seconds
    return 0.75 * np.sin(slow * turns + slow_start) + 0.25 * np.sin(fast * turns + fast_start)


def _random_motion(random: np.random.Generator, turn: float, reach: float) -> Motion:
    reaches = random.uniform(0.3 * reach, reach, 2)
    return Motion(
        middle=random.uniform(reaches, 1 - reaches),
        reach=reaches,
        turn=turn + np.radians(random.uniform(-8, 8)),
        rotation=np.radians(random.uniform(2, 7)),
        growth=random.uniform(0.02, 0.07),
        waves=[_random_wave(random) for _ in range(4)],
    )


def _follow(motion: Motion, outline: np.ndarray, seconds: np.ndarray) -> Trajectory:
    """The motion at some times, in terms of the room that the thing has left in the frame: it never leaves it."""
    across, down, rotation, growth = (_along(wave, seconds) for wave in motion.waves)
    angle = motion.turn + motion.rotation * rotation
    scale = 0.93 + motion.growth * growth
    extent = _rotated(outline, angle) * scale
    low, high = extent.min(0), extent.max(0)  # [2, times]
    room = np.array([[WIDTH], [HEIGHT]]) - 2 * MARGIN - (high - low)
    share = motion.middle[:, None] + motion.reach[:, None] * np.stack([across, down])
    centre = MARGIN - low + share * room
    return Trajectory(*centre, angle, scale, np.concatenate([centre + low, centre + high]).T)


def _overlap(boxes: np.ndarray, others: np.ndarray) -> float:
    """The largest share of the smaller of two boxes that both have in common, over all times; boxes are [times, 4]."""
    low = np.maximum(boxes[:, :2], others[:, :2])
    high = np.minimum(boxes[:, 2:], others[:, 2:])
    common = np.prod(np.maximum(high - low, 0), axis=1)
    areas = [np.prod(corners[:, 2:] - corners[:, :2], axis=1) for corners in (boxes, others)]
    return float((common / np.minimum(*areas)).max())
