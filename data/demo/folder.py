"""The folder of a demo data set: what lies there already, whose it is, and the files that describe the videos."""

import contextlib
import json
import re
import shutil
from collections.abc import Iterable
from dataclasses import asdict
from pathlib import Path

from common.atomic import atomic_file
from data.demo.plan import CATEGORY_IDS, NAME_CHARACTERS, NAME_LENGTH, VERSION, DemoSettings, VideoPlan
from data.demo.scene import HEIGHT, WIDTH, Box
from data.layout import (
    LIST_NAMES,
    audio_frames_dir,
    boxes_file,
    frame_file,
    labels_file,
    list_path,
    video_dir,
    video_frames_dir,
)
from data.media.frame_selection import select_at_constant_rate

SETTINGS_FILE = "demo.json"
EXTRACTED_FPS = 4  # frames a second that the extraction takes: they decide in which second's folder a frame lies
NAME_PATTERN = re.compile(f"[{re.escape(NAME_CHARACTERS)}]{{{NAME_LENGTH}}}")

FrameBoxes = list[list[Box]]  # for each frame the boxes of what sounds, in the order of the plan


class ForeignDataError(Exception):
    """The folder holds something that this program did not make, or made with other settings."""


def video_path(data_dir: Path, name: str) -> Path:
    """Path of the video NAME."""
    return video_dir(data_dir) / f"{name}.mp4"


def prepare_folder(data_dir: Path, settings: DemoSettings, plans: Iterable[VideoPlan], overwrite: bool) -> set[str]:
    """Make the folder ready for the videos of `plans`; return the names of those that are there already.

    With `overwrite` an earlier demo data set is removed first, whatever its settings.

    Raises:
        ForeignDataError: the folder holds files of others, or without `overwrite` a demo data set of other settings.
        OSError: it can't be read or written.
    """
    names = {plan.name for plan in plans}
    earlier = _read_earlier(data_dir)
    if earlier is not None and not overwrite and earlier["settings"] != _described(settings):
        raise ForeignDataError(
            f"{data_dir} holds a demo data set of other settings ({_difference(earlier['settings'], settings)}): "
            "choose another --data_dir, or replace it with --overwrite 1."
        )
    ours = names | set(earlier["videos"] if earlier else ())
    _refuse_foreign_files(data_dir, ours, described=earlier is not None)
    if overwrite:
        _remove(data_dir, ours, described=earlier is not None)
    video_dir(data_dir).mkdir(parents=True, exist_ok=True)
    return {name for name in names if video_path(data_dir, name).is_file()}


def write_descriptions(
    data_dir: Path, settings: DemoSettings, plans: Iterable[VideoPlan], boxes: Iterable[FrameBoxes]
) -> None:
    """Write boxes.json, labels.json and, last of all, demo.json."""
    plans = list(plans)
    entries = {}
    for plan, frame_boxes in zip(plans, boxes, strict=True):
        entries.update(box_entries(plan, frame_boxes))
    description = {
        "settings": _described(settings),
        "categories": {str(number): name for name, number in CATEGORY_IDS.items()},
        "videos": [plan.name for plan in plans],
    }
    for path, content in (
        (boxes_file(data_dir), entries),
        (labels_file(data_dir), {"videos": _labels(plans)}),
        (data_dir / SETTINGS_FILE, description),
    ):
        with atomic_file(path) as partial:
            partial.write_text(json.dumps(content, separators=(",", ":")), encoding="utf-8")


def box_entries(plan: VideoPlan, frame_boxes: FrameBoxes) -> dict[str, dict[str, list]]:
    """A video's entries of boxes.json, one for every frame of the video."""
    chosen = {index: second for second, index in select_at_constant_rate(plan.frames, plan.frame_rate, EXTRACTED_FPS)}
    entries = {}
    for index, boxes in enumerate(frame_boxes):
        second = chosen.get(index, int(index / plan.frame_rate))
        entries[f"{plan.name}/{frame_file(second, index)}"] = {
            "bbox": [
                {"normbox": _fractions(box), "category_id": CATEGORY_IDS[name]}
                for name, box in zip(plan.instruments, boxes, strict=True)
            ]
        }
    return entries


def _fractions(box: Box) -> list[float]:
    left, top, right, bottom = box
    sides = (left / WIDTH, top / HEIGHT, (right - left) / WIDTH, (bottom - top) / HEIGHT)
    return [round(side, 5) for side in sides]


def _labels(plans: Iterable[VideoPlan]) -> dict[str, list[str]]:
    labels: dict[str, list[str]] = {}
    for plan in plans:
        labels.setdefault(" ".join(plan.instruments), []).append(plan.name)
    return dict(sorted(labels.items()))


def _described(settings: DemoSettings) -> dict[str, int]:
    return {**asdict(settings), "version": VERSION}


def _difference(earlier: dict, settings: DemoSettings) -> str:
    changed = {key: value for key, value in _described(settings).items() if earlier.get(key) != value}
    return ", ".join(f"{key} {earlier.get(key)} instead of {value}" for key, value in changed.items())


def _read_earlier(data_dir: Path) -> dict | None:
    """What demo.json says of an earlier run, None without one."""
    path = data_dir / SETTINGS_FILE
    try:
        earlier = json.loads(path.read_text(encoding="utf-8"))
        names_valid = all(NAME_PATTERN.fullmatch(name) for name in earlier["videos"])
        valid = names_valid and isinstance(earlier["settings"], dict)
    except FileNotFoundError:
        return None
    except (ValueError, KeyError, TypeError):
        valid = False
    if not valid:
        raise ForeignDataError(f"{path} was not written by this program: choose another --data_dir.")
    return earlier


def _refuse_foreign_files(data_dir: Path, ours: set[str], described: bool) -> None:
    """Complain of what neither demo.json lists nor these settings would make; hidden files don't count."""
    folder = video_dir(data_dir)
    present = [path.name for path in folder.iterdir() if not path.name.startswith(".")] if folder.exists() else []
    foreign = sorted(set(present) - {video_path(data_dir, name).name for name in ours})
    if foreign:
        others = f" and {len(foreign) - 1} more" if len(foreign) > 1 else ""
        raise ForeignDataError(
            f"{folder} holds files that are not of this demo data set ({foreign[0]}{others}), which are never removed: "
            "choose another --data_dir, or move them away yourself."
        )
    for path in () if described else (boxes_file(data_dir), labels_file(data_dir)):
        if path.exists():
            raise ForeignDataError(
                f"{data_dir} holds a {path.name} of another data set, which is never replaced: "
                "choose another --data_dir."
            )


def _remove(data_dir: Path, names: Iterable[str], described: bool) -> None:
    """Remove a demo data set and what was extracted from it; the description of what is there goes last."""
    for name in names:
        video_path(data_dir, name).unlink(missing_ok=True)
        for folder in (video_frames_dir(data_dir), audio_frames_dir(data_dir)):
            with contextlib.suppress(FileNotFoundError):
                shutil.rmtree(folder / name)
    if described:
        lists = [list_path(data_dir, name) for name in LIST_NAMES]
        for path in (*lists, boxes_file(data_dir), labels_file(data_dir), data_dir / SETTINGS_FILE):
            path.unlink(missing_ok=True)
