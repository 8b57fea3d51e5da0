"""Annotations of MUSIC (``boxes.json``), VGG-SS, Flickr-SoundNet and AVSBench, read and checked.

========  ======================  ===============================================================================
format    file                    form
========  ======================  ===============================================================================
music     ``boxes.json``          ``{"NAME/frame_013/00411.jpg": {"bbox": [{"normbox": [x, y, w, h],
                                  "category_id": 3}]}}``, top left corner and size as fractions of the frame
vggss     ``vggss.json``          ``[{"file": NAME, "class": "flute", "bbox": [[x1, y1, x2, y2]]}]``, corners as
                                  fractions of the middle frame of the clip
flickr    folder of ``NAME.xml``  elements ``bbox``, one for each annotator. Their last four children are xmin, ymin,
                                  xmax, ymax in pixels of the middle frame of the clip, at 256 x 256. Or elements
                                  ``bndbox`` of Pascal VOC, in pixels of the ``size`` that the file states
masks     folder of               masks of AVSBench, as ``data/import_sets.py`` links them. The mask of a second is
          ``NAME/013.png``        that of the first frame in the second
========  ======================  ===============================================================================

A box may reach a little over the edge of the frame. It is cut off there, as in the published evaluations. A box that
cannot be one is left out with a note: the published ``vggss.json`` has 12 with an edge of -2.9e16.
"""

import json
import math
import re
import xml.etree.ElementTree as ElementTree
from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from itertools import compress
from pathlib import Path
from types import NoneType
from typing import NamedTuple, TypeVar

import numpy as np

from common.errors import UserError
from data.layout import frame_file

FLICKR_SIZE = 256  # pixels
FLICKR_EDGES = ("xmin", "ymin", "xmax", "ymax")
FRACTIONS = "fractions of the frame, from 0 to 1"
UNITS = {"flickr": "pixels of a frame of 256 x 256, or of the size in the file"}  # of a format without fractions
OVERSHOOT = 0.25  # part of a frame by which a box may reach over the edge
OTHER_UNIT = 0.9  # part of the boxes. If more do not fit into the frame, all are in another unit, such as pixels
LARGEST_NUMBER = 1e300  # infinite numbers count as this one, so that sums stay numbers
NO_CLASS = "no class"
T = TypeVar("T")

KEY_FORM = "NAME/frame_013/00411"
# NAME may start with dashes and contain dots, but it is no other folder, and it has no control characters for messages.
# Published files of maps have whole paths before it.
KEY_PATTERN = re.compile(
    r"(?:.*/)?(?P<video>(?!\.\.?/)[^/\x00-\x1f\x7f]+)/frame_(?P<second>[0-9]{1,9})/(?P<index>[0-9]{1,9})(?:\.(?:jpe?g|png))?"
)


class Frame(NamedTuple):
    """A frame: its video, the second it was extracted for, and its index in the video."""

    video: str
    second: int
    index: int

    @property
    def key(self) -> str:
        """The form of it in files: ``NAME/frame_013/00411.jpg``."""
        return f"{self.video}/{frame_file(self.second, self.index)}"


def parse_frame(key: str) -> Frame | None:
    """The frame of a key like ``NAME/frame_013/00411.jpg``; None for a key of another form."""
    match = KEY_PATTERN.fullmatch(key)
    return Frame(match["video"], int(match["second"]), int(match["index"])) if match else None


@dataclass(frozen=True)
class Boxes:
    """The boxes of a frame, or its mask. There are no boxes if the annotators saw nothing that sounds."""

    corners: np.ndarray  # float64 [N, 4], x1, y1, x2, y2 as fractions of the frame, from 0 to 1
    classes: tuple[str, ...]  # [N], "" for a box without a class
    mask: Path | None = None  # its file, in the place of boxes
    are_votes: bool = False  # each box is the vote of an annotator on the same object

    def objects(self) -> list[tuple[str, np.ndarray]]:
        """Class and boxes [n, 4] of each object. All boxes of a class are one object, and each box without a class."""
        members: dict[object, list[int]] = {}
        for number, name in enumerate(self.classes):
            members.setdefault(name or number, []).append(number)
        return [(self.classes[rows[0]] or NO_CLASS, self.corners[rows]) for rows in members.values()]


@dataclass(frozen=True)
class Annotations:
    """All annotations of a file or folder: of frames (MUSIC, AVSBench), or of clips (VGG-SS, Flickr-SoundNet)."""

    format: str  # music, vggss, flickr, or masks
    path: Path
    frames: dict[Frame, Boxes] = field(default_factory=dict)  # of masks, the index is that of the mask's second
    clips: dict[str, Boxes] = field(default_factory=dict)  # NAME -> boxes of the middle frame
    resting: dict[Frame, Boxes] = field(default_factory=dict)  # of objects that are silent at the frame

    @property
    def of_clips(self) -> bool:
        """Whether clips are annotated. Their boxes do not tell objects apart."""
        return self.format in ("vggss", "flickr")


def read_annotations(path: Path) -> Annotations:
    """Read a file or folder.

    A folder of folders of PNG files is ``masks``, another folder ``flickr``, a JSON list ``vggss``, other JSON
    ``music``. Prints a note on boxes that are left out.
    """
    return _leave_out_impossible(_read(Path(path)))


def _read(path: Path) -> Annotations:
    if path.is_dir():
        masks = _find_masks(path)
        return Annotations("masks", path, masks) if masks else Annotations("flickr", path, clips=_read_flickr(path))
    try:
        content = json.loads(_read_text(path))
    except (ValueError, RecursionError) as error:
        raise UserError(f"{path} is not JSON ({error})") from error
    if isinstance(content, list):
        return Annotations("vggss", path, clips=_parse_vggss(content, path))
    frames, resting = _parse_music(content, path)
    return Annotations("music", path, frames, resting=resting)


def _find_masks(folder: Path) -> dict[Frame, Boxes]:
    found = {}
    for path in sorted(folder.glob("*/*.png")):
        if path.stem.isdecimal():
            second = int(path.stem)
            found[Frame(path.parent.name, second, second)] = replace(_boxes([], []), mask=path)
    return found


def _parse_music(content: object, path: Path) -> tuple[dict[Frame, Boxes], dict[Frame, Boxes]]:
    """The boxes of what sounds in each frame, and of what rests."""
    frames: dict[Frame, Boxes] = {}
    resting: dict[Frame, Boxes] = {}
    for key, entry in _expect(content, dict, f'an object {{"{KEY_FORM}.jpg": ...}}', str(path)).items():
        where = f"{path}: entry {key!r:.100}"
        frame = parse_frame(key)
        if frame is None:
            raise UserError(f"{where}: the key does not have the form {KEY_FORM}.jpg")
        if frame in frames:
            raise UserError(f"{where}: its frame occurs twice")
        frames[frame] = _parse_music_boxes(entry, "bbox", where)
        if "resting" in entry:
            resting[frame] = _parse_music_boxes(entry, "resting", where)
    return frames, resting


def _parse_music_boxes(entry: object, name: str, where: str) -> Boxes:
    corners, classes = [], []
    for number, box in enumerate(_field(entry, name, list, "a list", where)):
        here = f"{where}, box {number}"
        x, y, width, height = _four_numbers(_field(box, "normbox", list, "a list", here), here)
        corners.append([x, y, x + width, y + height])
        category = _field(box, "category_id", int | str | None, "a whole number or a name", here)
        classes.append("" if category is None else str(category))
    return _boxes(corners, classes)


def _parse_vggss(content: list[object], path: Path) -> dict[str, Boxes]:
    clips: dict[str, Boxes] = {}
    for number, entry in enumerate(content):
        name = _field(entry, "file", str, "a name", f"{path}: entry {number}")
        where = f"{path}: entry {number} ({name:.100})"
        if name in clips:
            raise UserError(f"{where}: its clip occurs twice")
        label = _field(entry, "class", str | None, "a text", where) or ""
        corners = [
            _four_numbers(box, f"{where}, box {i}")
            for i, box in enumerate(_field(entry, "bbox", list, "a list", where))
        ]
        clips[name] = _boxes(corners, [label] * len(corners))
    return clips


def _read_flickr(folder: Path) -> dict[str, Boxes]:
    paths = sorted(path for path in folder.iterdir() if path.suffix.lower() == ".xml")
    if not paths:
        raise UserError(f"the folder {folder} contains no XML file and no NAME/000.png: name the one that does")
    return {path.stem: _parse_flickr(_read_text(path), path) for path in paths}


def _parse_flickr(text: str, path: Path) -> Boxes:
    """The boxes of a clip. Each one counts as the vote of an annotator, as in the published evaluations."""
    if "<!DOCTYPE" in text or "<!ENTITY" in text:  # entities can grow without bound
        raise UserError(f"{path} declares a document type or entities. It was not read: annotations need neither")
    try:
        root = ElementTree.fromstring(text)
    except (ElementTree.ParseError, ValueError) as error:
        raise UserError(f"{path} is not XML ({error})") from error
    corners = []
    for number, (element, size) in enumerate(_flickr_elements(root, str(path))):
        where = f"{path}: {element.tag} {number}"
        edges = list(element)[-4:]
        if {edge.tag for edge in edges} == set(FLICKR_EDGES):  # in any order; other names count by position
            edges.sort(key=lambda edge: FLICKR_EDGES.index(edge.tag))
        try:
            pixels = _four_numbers([float(edge.text or "") for edge in edges], where)
        except ValueError as error:
            raise UserError(f"{where}: an edge is not a number ({error})") from error
        corners.append([value / side for value, side in zip(pixels, size * 2, strict=True)])
    return replace(_boxes(corners, [""] * len(corners)), are_votes=True)


def _flickr_elements(
    root: ElementTree.Element, where: str
) -> Iterator[tuple[ElementTree.Element, tuple[float, float]]]:
    """The elements of boxes, each with the width and height of the frame that its edges are given for."""
    yield from ((element, (FLICKR_SIZE, FLICKR_SIZE)) for element in root.iter("bbox"))
    if voc := root.findall("object/bndbox"):
        try:
            sides = [float(root.findtext(f"size/{side}", FLICKR_SIZE)) for side in ("width", "height")]
        except ValueError as error:
            raise UserError(f"{where}: its size is not a number ({error})") from error
        width, height = (side or math.nan for side in sides)  # 0: not filled in
        yield from ((element, (width, height)) for element in voc)


def _expect(value: object, kind: type[T], expected: str, where: str) -> T:
    if not isinstance(value, kind) or isinstance(value, bool):
        raise UserError(f"{where}: expected {expected}, found {value!r:.60}")
    return value


def _field(entry: object, key: str, kind: type[T], expected: str, where: str) -> T:
    fields = _expect(entry, dict, f'an object with "{key}"', where)
    return _expect(fields.get(key), kind, f'{expected} as "{key}"', where)


def _four_numbers(box: object, where: str) -> list[float]:
    """The numbers of a box, perhaps NaN: ``null`` is what JSON of browsers has in its place."""
    if not isinstance(box, list) or len(box) != 4 or not all(type(value) in (int, float, NoneType) for value in box):
        raise UserError(f"{where}: expected a box of 4 numbers, found {box!r:.100}")
    return [float(max(min(value, LARGEST_NUMBER), -LARGEST_NUMBER)) if value is not None else math.nan for value in box]


def _leave_out_impossible(annotations: Annotations) -> Annotations:
    """Cut boxes off at the edge of the frame, and leave out those that no frame can have.

    Raises:
        UserError: hardly any box fits: their unit is another one.
    """
    named = [
        (field_name, name, boxes)
        for field_name in ("frames", "resting", "clips")
        for name, boxes in getattr(annotations, field_name).items()
    ]
    corners = np.concatenate([np.zeros((0, 4)), *(boxes.corners for *_, boxes in named)])  # all at once: faster
    inside = corners.clip(0, 1)
    fits = (abs(corners - inside) <= OVERSHOOT).all(1)  # NaN does not
    fits &= (corners[:, :2] <= corners[:, 2:]).all(1)
    possible = fits & (inside[:, :2] < inside[:, 2:]).all(1)
    kept, count, left_out, start = {"frames": {}, "resting": {}, "clips": {}}, len(corners), [], 0
    for field_name, name, boxes in named:
        own = slice(start, start + len(boxes.corners))
        classes = tuple(compress(boxes.classes, possible[own]))
        kept[field_name][name] = replace(boxes, corners=inside[own][possible[own]], classes=classes)
        left_out += [(name, corners) for corners in boxes.corners[~possible[own]]]
        start = own.stop
    if left_out:
        name, corners = left_out[0]
        key = name.key if isinstance(name, Frame) else name
        shown = ", ".join(f"{value:g}" for value in corners)
        text = (
            f"{annotations.path}: {len(left_out)} of {count} boxes lie outside the frame or have no area, as one of "
            f"{key!r:.100}, with corners at {shown}"
        )
        misfits = np.count_nonzero(~fits)  # boxes without area may be many: 0, 0, 0, 0 also says that there is none
        if misfits > OTHER_UNIT * count:
            raise UserError(f"{text}. Expected {UNITS.get(annotations.format, FRACTIONS)}")
        print(f"{text}: left out")
    return replace(annotations, **kept)


def _boxes(corners: list[list[float]], classes: list[str]) -> Boxes:
    return Boxes(np.array(corners, np.float64).reshape(-1, 4), tuple(classes))


def _read_text(path: Path) -> str:
    try:
        return path.read_text(encoding="utf-8-sig")
    except OSError as error:
        raise UserError(f"the annotations {path} cannot be read ({error.strerror})") from error
    except ValueError as error:
        raise UserError(f"{path} is not UTF-8 text ({error})") from error
