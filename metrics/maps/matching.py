"""Finds the annotation of each map.

The annotated frames of MUSIC come from videos of 30 frames a second. A map belongs to the annotation of the same video
and index. The second may differ by one. In a copy of another frame rate most annotated indices do not exist. There the
k-th annotated frame of a second belongs to the k-th extracted frame, a few hundredths of a second apart. This needs a
sparse second: one with no more annotated frames than are extracted. No map is used twice.

In such a copy some indices exist by coincidence, seconds away from the annotated moment. So if less than half of the
possible matches by index exist in a video, an index counts only where the rank agrees.

The published boxes of MUSIC are of excerpts from the start of a video, ``ID_0_1000``. They also count for its whole
video, ``ID``: the 11 characters of YouTube.

VGG-SS and Flickr-SoundNet annotate the middle frame of a clip. It belongs to the middle frame of the maps of the clip,
or, where a protocol names the second, to the first frame of that second. A mask of AVSBench belongs to the first frame
of its second.
"""

from collections import defaultdict
from collections.abc import Collection, Iterable
from dataclasses import dataclass

from common.errors import UserError
from data.lists import EXCERPT
from metrics.maps.annotations import KEY_FORM, Annotations, Boxes, Frame, parse_frame

FRAMES_PER_SECOND = 4  # extracted, and annotated in the published files

Found = tuple[dict[Frame, Boxes], dict[str, int]]  # boxes by the frame of the map; the other fields of `Counts`


@dataclass(frozen=True)
class Counts:
    """Counts of the annotations and maps of a run."""

    frames_scored: int = 0  # with a map and at least one box
    matched_by_rank: int = 0  # scored frames found by their rank within the second
    annotated_without_box: int = 0  # with a map, but not scored
    annotations_without_map: int = 0  # in videos of the run
    maps_without_annotation: int = 0  # VGG-SS, Flickr-SoundNet: maps of clips without an annotation
    annotations_between_frames: int = 0  # no loss: in seconds with more annotated than extracted frames
    videos_without_map: int = 0  # annotated videos outside the run, such as the training videos


def match_frames(
    keys: Collection[str], annotations: Annotations, second: int | None = None
) -> tuple[dict[str, Boxes], Counts]:
    """The boxes of each frame to score, by the key of its map and in the order of `keys`; and the counts.

    Of a clip whose annotation belongs to a `second` without a map, the middle frame is scored.
    """
    key_of: dict[Frame, str] = {}
    for key in keys:
        frame = parse_frame(key)
        if frame is None:
            raise UserError(f"the key {key!r:.100} of a map does not have the form {KEY_FORM}")
        if key_of.setdefault(frame, key) != key:
            raise UserError(f"{key_of[frame]!r} and {key!r} are maps of the same frame")
    maps_of = _group(key_of, "video")
    match = _match_music if annotations.format == "music" else _match_seconds
    found, counts = match(maps_of, annotations, second)
    if not found:
        shown = [*(frame.key for frame in annotations.frames), *annotations.clips, "nothing"][0]
        raise UserError(
            f"none of {len(key_of)} maps has an annotation in {annotations.path}: there are maps of "
            f"{next(iter(keys), 'nothing')!r}, and annotations of {shown!r}"
        )
    boxes = {key: found[frame] for frame, key in key_of.items() if frame in found}
    boxes = {key: one for key, one in boxes.items() if len(one.corners) or one.mask}  # AVSBench scores empty masks too
    if not boxes:
        raise UserError(f"{annotations.path} annotates all {len(found)} frames with a map as empty")
    return boxes, Counts(frames_scored=len(boxes), annotated_without_box=len(found) - len(boxes), **counts)


def _match_seconds(maps_of: dict[str, list[Frame]], annotations: Annotations, second: int | None) -> Found:
    """Match a mask, or a clip with a named second, to the first frame of its second; other clips to the middle one."""
    truths = {(name, second): boxes for name, boxes in annotations.clips.items()}
    truths |= {(frame.video, frame.second): mask for frame, mask in annotations.frames.items()}
    found, missing = {}, 0
    for (video, wanted), boxes in truths.items():
        in_order = sorted(maps_of.get(video, ()), key=lambda frame: (frame.index, frame.second))
        in_second = [frame for frame in in_order if frame.second == wanted]
        if annotations.of_clips:
            in_second = in_second or in_order[len(in_order) // 2 :]
        if in_second:
            found[in_second[0]] = boxes
        else:
            missing += video in maps_of
    annotated = {video for video, _ in truths}
    # The other maps of a clip need no annotation.
    served = sum(len(maps_of[video]) for video in annotated & maps_of.keys()) if annotations.of_clips else len(found)
    return found, {
        "annotations_without_map": missing,
        "maps_without_annotation": sum(map(len, maps_of.values())) - served,
        "videos_without_map": len(annotated - maps_of.keys()),
    }


def _match_music(maps_of: dict[str, list[Frame]], annotations: Annotations, _: int | None) -> Found:
    name_in_run = _names_in_run({frame.video for frame in annotations.frames}, maps_of)
    boxes_of = {
        frame._replace(video=name_in_run.get(frame.video, frame.video)): boxes
        for frame, boxes in annotations.frames.items()
    }
    annotated = {frame: len(boxes.corners) > 0 for frame, boxes in boxes_of.items()}  # has it a box?
    truths_of = _group(annotated, "video")
    found: dict[Frame, Boxes] = {}
    by_rank = missing = between = 0
    for video, maps in maps_of.items():
        truths = truths_of.get(video, [])
        matched, ranked, sparse = match_video(maps, truths)
        found |= {frame: boxes_of[truth] for truth, frame in matched.items()}
        by_rank += sum(annotated[truth] for truth in ranked)
        lost = [truth.second for truth in truths if truth not in matched and annotated[truth]]
        missing += sum(second in sparse for second in lost)
        between += sum(second not in sparse for second in lost)
    return found, {
        "matched_by_rank": by_rank,
        "annotations_without_map": missing,
        "maps_without_annotation": sum(map(len, maps_of.values())) - len(found),
        "annotations_between_frames": between,
        "videos_without_map": len(truths_of.keys() - maps_of.keys()),
    }


def _names_in_run(annotated: Collection[str], mapped: Collection[str]) -> dict[str, str]:
    """Annotated video -> the same video of the run: of the same name, else the only one of the same ID."""
    annotated_of, mapped_of = _group_by_id(annotated), _group_by_id(mapped)
    same_id = {
        names[0]: mapped_of[identity][0]
        for identity, names in annotated_of.items()
        if len(names) == len(mapped_of.get(identity, ())) == 1
    }
    return same_id | {name: name for name in annotated if name in mapped}


def _group_by_id(names: Iterable[str]) -> dict[str, list[str]]:
    grouped = defaultdict(list)
    for name in names:
        match = EXCERPT.fullmatch(name)
        from_start = match and int(match["start"]) == 0  # else its frames are numbered from another moment
        grouped[match["id"] if from_start else name].append(name)
    return grouped


def match_video(maps: Collection[Frame], truths: Collection[Frame]) -> tuple[dict[Frame, Frame], set[Frame], set[int]]:
    """Annotated -> extracted frame of one video; the annotated frames matched by rank; the sparse seconds."""
    extracted, annotated = _group(sorted(maps), "second"), _group(sorted(truths), "second")
    sparse = {second for second, frames in annotated.items() if len(frames) <= FRAMES_PER_SECOND}
    by_index = {frame.index: frame for frame in sorted(maps, reverse=True)}
    matched = {truth: truth for truth in set(truths) & set(maps)}  # the same second and index come first
    used = set(matched.values())
    for truth in sorted(truths):
        candidate = by_index.get(truth.index)
        if truth not in matched and candidate is not None and candidate not in used:
            matched[truth] = candidate
            used.add(candidate)

    both = sparse & extracted.keys()
    at_rank = {
        truth: frame for second in both for truth, frame in zip(annotated[second], extracted[second], strict=False)
    }
    possible = min(sum(len(frames[second]) for second in both) for frames in (extracted, annotated))
    if 2 * sum(truth.second in sparse for truth in matched) < possible:  # these are coincidences
        matched = {t: frame for t, frame in matched.items() if t.second not in sparse or at_rank.get(t) == frame}
        used = set(matched.values())

    ranked = {truth for truth, frame in at_rank.items() if truth not in matched and frame not in used}
    return matched | {truth: at_rank[truth] for truth in ranked}, ranked, sparse


def _group(frames: Collection[Frame], field: str) -> dict:
    grouped = defaultdict(list)
    for frame in frames:
        grouped[getattr(frame, field)].append(frame)
    return grouped
