"""The folder of a demo data set: its earlier content, and the files that describe its videos."""

import json
from collections.abc import Iterable, Sequence
from pathlib import Path

from common.atomic import atomic_file
from common.errors import UserError
from data import layout
from data.demo.pauses import playing_spans, plays_at
from data.demo.plan import CATEGORY_IDS, DemoSettings, VideoPlan
from data.demo.scene import HEIGHT, WIDTH, Box
from data.media.frame_selection import select_at_constant_rate

DESCRIPTION = "demo.json"  # the settings of the data set, the names of its videos and of its categories
EXTRACTED_FPS = 4  # frames a second that cut_video.py extracts: they decide the second in a frame's key


def video_path(data_dir: Path, name: str) -> Path:
    """Path of the video NAME."""
    return layout.video_dir(data_dir) / f"{name}.mp4"


def prepare_folder(data_dir: Path, settings: DemoSettings, plans: Iterable[VideoPlan]) -> None:
    """Make the folder ready for the videos of `plans`, and write demo.json: videos of other settings never mix.

    Raises:
        UserError: the folder holds other data.
    """
    folder, earlier, wanted = layout.video_dir(data_dir), _earlier_settings(data_dir), settings.description()
    if earlier is not None and earlier != wanted:
        pairs = [(key, earlier.get(key, 0), wanted.get(key, 0)) for key in {**wanted, **earlier}]
        difference = ", ".join(f"{key} {old} instead of {new}" for key, old, new in pairs if old != new)
        raise UserError(
            f"{data_dir} holds a demo data set of other settings ({difference}): choose another --data_dir or delete it"
        )
    present = [path.name for path in folder.iterdir() if not path.name.startswith(".")] if folder.exists() else []
    foreign = sorted(set(present) - {video_path(data_dir, plan.name).name for plan in plans})
    if foreign:
        raise UserError(f"{folder} holds files of other data, such as {foreign[0]}: choose another --data_dir.")
    for path in (layout.boxes_file(data_dir), layout.labels_file(data_dir)):
        if path.exists() and earlier is None:
            raise UserError(f"{path} describes other data and is never replaced: choose another --data_dir.")
    folder.mkdir(parents=True, exist_ok=True)
    categories = {str(number): name for name, number in CATEGORY_IDS.items()}
    names = [plan.name for plan in plans]
    _write_json(data_dir / DESCRIPTION, {"settings": wanted, "categories": categories, "videos": names})


def _earlier_settings(data_dir: Path) -> dict | None:
    """The settings in the demo.json of an earlier run, None if there is none."""
    path = data_dir / DESCRIPTION
    try:
        return dict(json.loads(path.read_text(encoding="utf-8"))["settings"])
    except FileNotFoundError:
        return None
    except (ValueError, KeyError, TypeError, RecursionError) as error:
        raise UserError(f"{path} was not written by this program: choose another --data_dir.") from error


def write_descriptions(
    data_dir: Path, settings: DemoSettings, plans: Sequence[VideoPlan], boxes: Iterable[list[list[Box]]]
) -> None:
    """Write boxes.json and labels.json."""
    entries, labels = {}, {}
    for plan, frame_boxes in zip(plans, boxes, strict=True):
        entries |= _box_entries(settings, plan, frame_boxes)
        labels.setdefault(" ".join(plan.instruments), []).append(plan.name)
    _write_json(layout.boxes_file(data_dir), entries)
    _write_json(layout.labels_file(data_dir), {"videos": dict(sorted(labels.items()))})


def _write_json(path: Path, content: object) -> None:
    with atomic_file(path) as partial:
        partial.write_text(json.dumps(content, separators=(",", ":")), encoding="utf-8")


def _box_entries(settings: DemoSettings, plan: VideoPlan, frame_boxes: list[list[Box]]) -> dict[str, dict[str, list]]:
    """The entries of boxes.json for every frame of a video; with pauses, those that rest have a list of their own."""
    selected = {index: second for second, index in select_at_constant_rate(plan.frames, plan.frame_rate, EXTRACTED_FPS)}
    ids = [CATEGORY_IDS[name] for name in plan.instruments]
    spans = playing_spans(settings, plan)
    entries = {}
    for index, boxes in enumerate(frame_boxes):
        key = f"{plan.name}/{layout.frame_file(selected.get(index, int(index / plan.frame_rate)), index)}"
        entries[key] = {"bbox": [], "resting": []} if settings.pauses else {"bbox": []}
        for number, box, own in zip(ids, boxes, spans, strict=True):
            field = "bbox" if plays_at(own, float(index / plan.frame_rate)) else "resting"
            entries[key][field].append({"normbox": _normalize(box), "category_id": number})
    return entries


def _normalize(box: Box) -> list[float]:
    left, top, right, bottom = box
    return [round(x, 5) for x in (left / WIDTH, top / HEIGHT, (right - left) / WIDTH, (bottom - top) / HEIGHT)]
