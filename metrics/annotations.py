"""Reads what annotators said: boxes of MUSIC (``boxes.json``), VGG-SS and Flickr-SoundNet.

========  ======================  ===============================================================================
format    file                    form
========  ======================  ===============================================================================
music     ``boxes.json``          ``{"NAME/frame_013/00411.jpg": {"bbox": [{"normbox": [x, y, w, h],
                                  "category_id": 3}]}}``, top left corner and size as fractions of the frame
vggss     ``vggss.json``          ``[{"file": NAME, "class": "flute", "bbox": [[x1, y1, x2, y2]]}]``, fractions;
                                  the middle frame of each clip
flickr    folder of ``NAME.xml``  elements ``bbox`` whose last four children are xmin, ymin, xmax, ymax in pixels of
                                  a 256 x 256 picture, one of each annotator; the middle frame of each clip
========  ======================  ===============================================================================

Boxes that reach over the frame's edge a little are cut off there, as in the published evaluations.
"""

import json
import math
import xml.etree.ElementTree as ElementTree
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from common.errors import UserError
from metrics.frame_keys import FORM, Frame, parse_frame

FORMATS = ("music", "vggss", "flickr")
FLICKR_SIZE = 256  # pixels of the pictures that its boxes were drawn in
OVERSHOOT = 0.25  # parts of a frame that a box may reach over its edge; pixels instead of fractions reach further
NO_CLASS = "no class"


@dataclass(frozen=True)
class Boxes:
    """The boxes of a frame; none if it was annotated that nothing is to be seen.

    Attributes:
        corners: float64 [N, 4], x1, y1, x2, y2 as fractions of the frame, in 0 ... 1.
        classes: of each box, as text; empty where it has none.
    """

    corners: np.ndarray
    classes: tuple[str, ...]

    def objects(self) -> dict[int, tuple[str, np.ndarray]]:
        """Number -> class and boxes [n, 4] of each object: boxes of one class are one, each box without is one."""
        members: dict[object, list[int]] = {}
        for number, name in enumerate(self.classes):
            members.setdefault(name or number, []).append(number)
        return {
            number: (self.classes[boxes[0]] or NO_CLASS, self.corners[boxes])
            for number, boxes in enumerate(members.values())
        }


@dataclass(frozen=True)
class Annotations:
    """All annotated frames of a file.

    Attributes:
        format: one of FORMATS.
        path: where it was read.
        frames: of MUSIC by frame.
        clips: of VGG-SS and Flickr-SoundNet by NAME, the boxes of a clip's middle frame.
    """

    format: str
    path: Path
    frames: dict[Frame, Boxes]
    clips: dict[str, Boxes]


def read_annotations(path: Path, format_name: str | None = None) -> Annotations:
    """Read a file of annotations, or the folder of those of Flickr-SoundNet.

    Args:
        path: of the file or folder.
        format_name: one of FORMATS; None finds out: a folder is ``flickr``, a list ``vggss``, else it is ``music``.

    Raises:
        UserError: it can't be read, or an entry is malformed; the text names it.
    """
    path = Path(path)
    if format_name == "flickr" or (format_name is None and path.is_dir()):
        return Annotations("flickr", path, {}, read_flickr(path))
    content = _load_json(path)
    if format_name == "vggss" or (format_name is None and isinstance(content, list)):
        return Annotations("vggss", path, {}, parse_vggss(content, path))
    return Annotations("music", path, parse_music(content, path), {})


def parse_music(content: object, path: Path) -> dict[Frame, Boxes]:
    """The frames of a ``boxes.json``.

    Raises:
        UserError: it has another form.
    """
    if not isinstance(content, dict):
        raise UserError(f'{path} is no file of boxes: it holds {_kind(content)}, not {{"{FORM}.jpg": ...}}')
    frames: dict[Frame, Boxes] = {}
    for key, entry in content.items():
        frame = parse_frame(key)
        if frame is None:
            raise UserError(f"{path}: the key {key!r:.100} is not of the form {FORM}.jpg")
        if frame in frames:
            raise UserError(f"{path}: the frame of {key!r} is there twice")
        where = f"{path}: the entry {key!r}"
        boxes = entry.get("bbox") if isinstance(entry, dict) else None
        if not isinstance(boxes, list):
            raise UserError(f'{where} has no list "bbox"')
        frames[frame] = _music_boxes(boxes, where)
    return frames


def _music_boxes(boxes: list, where: str) -> Boxes:
    corners, classes = [], []
    for number, box in enumerate(boxes):
        here = f"{where}, box {number}"
        if not isinstance(box, dict) or "normbox" not in box:
            raise UserError(f'{here} has no "normbox"')
        x, y, width, height = _four_numbers(box["normbox"], here)
        corners.append(_checked([x, y, x + width, y + height], here))
        category = box.get("category_id")
        if category is not None and (isinstance(category, bool) or not isinstance(category, int | str)):
            raise UserError(f'{here} has a "category_id" that is neither a whole number nor a name')
        classes.append("" if category is None else str(category))
    return _boxes(corners, classes)


def parse_vggss(content: object, path: Path) -> dict[str, Boxes]:
    """The clips of a ``vggss.json``.

    Raises:
        UserError: it has another form.
    """
    if not isinstance(content, list):
        raise UserError(f'{path} is no file of VGG-SS: it holds {_kind(content)}, not [{{"file": ..., "bbox": ...}}]')
    clips: dict[str, Boxes] = {}
    for number, entry in enumerate(content):
        name = entry.get("file") if isinstance(entry, dict) else None
        if not isinstance(name, str) or not name:
            raise UserError(f'{path}: entry {number} has no name as its "file"')
        where = f"{path}: entry {number} ({name:.100})"
        if name in clips:
            raise UserError(f"{where} is there twice")
        boxes, label = entry.get("bbox"), entry.get("class", "")
        if not isinstance(boxes, list):
            raise UserError(f'{where} has no list "bbox"')
        if not isinstance(label, str):
            raise UserError(f'{where} has a "class" that is no text')
        corners = [
            _checked(_four_numbers(box, f"{where}, box {i}"), f"{where}, box {i}") for i, box in enumerate(boxes)
        ]
        clips[name] = _boxes(corners, [label] * len(corners))
    return clips


def read_flickr(folder: Path) -> dict[str, Boxes]:
    """The clips of a folder of XML files, ``NAME.xml``.

    Raises:
        UserError: it is no such folder, or a file has another form.
    """
    folder = Path(folder)
    try:
        paths = sorted(path for path in folder.iterdir() if path.suffix.lower() == ".xml")
    except OSError as error:
        raise UserError(f"the annotations {folder} are not a folder of XML files ({error.strerror})") from error
    if not paths:
        raise UserError(f"the folder {folder} holds no XML file: give the one with NAME.xml for each clip")
    return {path.stem: parse_flickr(_read_text(path), path) for path in paths}


def parse_flickr(text: str, path: Path) -> Boxes:
    """The boxes of one clip; every one counts as an annotator's vote, as in the published evaluations.

    Raises:
        UserError: it is no XML, declares entities, or a box has another form.
    """
    if "<!DOCTYPE" in text or "<!ENTITY" in text:  # entities can grow without bound, and no annotation has any
        raise UserError(f"{path} declares a document type or entities, which no annotation needs: it was not read")
    try:
        root = ElementTree.fromstring(text)
    except (ElementTree.ParseError, ValueError) as error:
        raise UserError(f"{path} is no XML ({error})") from error
    corners = []
    for number, element in enumerate(root.iter("bbox")):
        where = f"{path}: bbox {number}"
        values = {child.tag: child.text for child in list(element)[-4:]}
        if set(values) == {"xmin", "ymin", "xmax", "ymax"}:  # by name, else by position as published
            texts: Sequence[str | None] = [values[name] for name in ("xmin", "ymin", "xmax", "ymax")]
        else:
            texts = [child.text for child in list(element)[-4:]]
        try:
            pixels = [float(text or "") for text in texts]
        except ValueError as error:
            raise UserError(f"{where} has an edge that is no number ({error})") from error
        fractions = [value / FLICKR_SIZE for value in _four_numbers(pixels, where)]
        corners.append(_checked(fractions, where, "pixels of a picture of 256 x 256"))
    return _boxes(corners, [""] * len(corners))


def _boxes(corners: list[list[float]], classes: list[str]) -> Boxes:
    return Boxes(np.array(corners, np.float64).reshape(-1, 4), tuple(classes))


def _four_numbers(box: object, where: str) -> list[float]:
    """A box as 4 finite numbers.

    Raises:
        UserError: it is something else.
    """
    if not isinstance(box, list) or len(box) != 4:
        has = f"{len(box)} numbers" if isinstance(box, list) else _kind(box)
        raise UserError(f"{where} has {has} where a box has 4 numbers")
    if any(isinstance(value, bool) or not isinstance(value, int | float) for value in box):
        raise UserError(f"{where} holds something that is no number: {box!r:.100}")
    if not all(abs(value) < math.inf for value in box):  # False for NaN too
        raise UserError(f"{where} holds a number that is not finite: {box!r:.100}")
    if max(map(abs, box)) > 1e9:
        raise UserError(f"{where} holds a number beyond any frame: {box!r:.100}")
    return [float(value) for value in box]


def _checked(corners: list[float], where: str, unit: str = "fractions of the frame, 0 to 1") -> list[float]:
    """Corners cut off at the frame's edges.

    Raises:
        UserError: the box has a negative size, or lies far outside the frame.
    """
    x1, y1, x2, y2 = corners
    shown = ", ".join(f"{value:g}" for value in corners)
    if x2 < x1 or y2 < y1:
        raise UserError(f"{where} has a negative size: its corners are {shown} of the frame")
    if min(corners) < -OVERSHOOT or max(corners) > 1 + OVERSHOOT:
        raise UserError(f"{where} lies outside the frame, with its corners at {shown}: they are {unit}")
    return [min(max(value, 0.0), 1.0) for value in corners]


def _kind(value: object) -> str:
    """What JSON calls the type of a value."""
    names = {dict: "an object", list: "a list", str: "a text", bool: "a truth value", type(None): "null"}
    return names.get(type(value), "a number")


def _read_text(path: Path) -> str:
    try:
        return path.read_text(encoding="utf-8-sig")
    except OSError as error:
        raise UserError(f"the annotations {path} cannot be read ({error.strerror})") from error
    except ValueError as error:
        raise UserError(f"{path} is no text in UTF-8 ({error})") from error


def _load_json(path: Path) -> object:
    text = _read_text(path)
    try:
        return json.loads(text)
    except (ValueError, RecursionError) as error:
        raise UserError(f"{path} is no JSON ({error})") from error
