"""Which map belongs to which annotation.

Annotations of MUSIC were made on frames of 30 a second. Where a run has the same frame, by NAME and index in the video
(the folder may be that of a neighbouring second), it is that one. A copy of another frame rate has most indices not at
all; there the k-th annotated frame of a second is the k-th extracted one, a few hundredths of a second apart, as long
as the second has no more annotated frames than are extracted from one. No map is used twice.

In a copy of another frame rate some indices exist by coincidence, seconds away from the annotated moment. So in a video
in which less than half of the indices that could be found are, an index counts only where the rank agrees.

VGG-SS and Flickr-SoundNet annotate the middle frame of a clip: the middle one of the run's frames of that NAME.
"""

from collections import defaultdict
from collections.abc import Collection
from dataclasses import dataclass

from common.errors import UserError
from metrics.annotations import Annotations, Boxes
from metrics.frame_keys import FORM, Frame, parse_frame

FRAMES_PER_SECOND = 4  # extracted and, in the published annotations, annotated


@dataclass(frozen=True)
class Counts:
    """What became of the annotations and of the maps of a run.

    Attributes:
        frames_scored: frames with a map and at least one box.
        matched_by_rank: those of them that were found by their rank within the second.
        annotated_without_box: frames with a map that are annotated to hold nothing; they are not scored.
        annotations_without_map: annotated frames without a map, in videos that the run has.
        maps_without_annotation: maps of frames, of VGG-SS and Flickr-SoundNet of clips, that are not annotated.
        annotations_between_frames: annotated frames that were never extracted, as the annotations have more than 4
            frames of their second, such as all; no loss.
        videos_without_map: annotated videos of which the run has nothing, such as those of the training list.
    """

    frames_scored: int
    matched_by_rank: int
    annotated_without_box: int
    annotations_without_map: int
    maps_without_annotation: int
    annotations_between_frames: int
    videos_without_map: int


def match_frames(keys: Collection[str], annotations: Annotations) -> tuple[dict[str, Boxes], Counts]:
    """Find the annotation of each map.

    Args:
        keys: of the maps.
        annotations: see `metrics.annotations`.

    Returns:
        key -> boxes of the frames that can be scored, in the order of `keys`; and the counts.

    Raises:
        UserError: a key has no frame's form, two are of the same frame, or no map has an annotation.
    """
    key_of: dict[Frame, str] = {}
    for key in keys:
        frame = parse_frame(key)
        if frame is None:
            raise UserError(f"the key {key!r:.100} of a map is not of the form {FORM}")
        if key_of.setdefault(frame, key) != key:
            raise UserError(f"{key_of[frame]!r} and {key!r} are maps of the same frame")
    if annotations.format == "music":
        found, counts = _match_music(set(key_of), annotations.frames)
    else:
        found, counts = _match_clips(set(key_of), annotations.clips)
    if not found:
        raise UserError(
            f"no map of {len(key_of)} has an annotation in {annotations.path}: {_examples(keys, annotations)}"
        )
    boxes = {key: found[frame] for frame, key in key_of.items() if frame in found and len(found[frame].corners)}
    if not boxes:
        raise UserError(f"all {len(found)} frames that {annotations.path} annotates are annotated to hold nothing")
    return boxes, counts


def _examples(keys: Collection[str], annotations: Annotations) -> str:
    map_key = repr(next(iter(keys))) if keys else "nothing"
    if annotations.format == "music":
        frame = next(iter(annotations.frames), None)
        annotated = repr(f"{frame.video}/frame_{frame.second:03d}/{frame.index:05d}") if frame else "nothing"
    else:
        annotated = repr(next(iter(annotations.clips), "nothing"))
    return f"there are maps of {map_key}, and annotations of {annotated}"


def _match_clips(frames: set[Frame], clips: dict[str, Boxes]) -> tuple[dict[Frame, Boxes], Counts]:
    """The middle frame of every annotated clip."""
    of_video = _by_video(frames)
    middle = {}
    for video, there in of_video.items():
        in_order = sorted(there, key=lambda frame: (frame.index, frame.second))
        middle[video] = in_order[len(in_order) // 2]
    found = {middle[video]: boxes for video, boxes in clips.items() if video in middle}
    scored = sum(len(boxes.corners) > 0 for boxes in found.values())
    return found, Counts(
        frames_scored=scored,
        matched_by_rank=0,
        annotated_without_box=len(found) - scored,
        annotations_without_map=0,
        maps_without_annotation=sum(len(there) for video, there in of_video.items() if video not in clips),
        annotations_between_frames=0,
        videos_without_map=len(clips) - len(found),
    )


def _match_music(frames: set[Frame], annotated: dict[Frame, Boxes]) -> tuple[dict[Frame, Boxes], Counts]:
    """Frames by index, else by their rank within the second."""
    maps_of, truths_of = _by_video(frames), _by_video(annotated)
    found: dict[Frame, Boxes] = {}
    by_rank = missing = between = 0
    for video, maps in maps_of.items():
        truths = truths_of.get(video, [])
        matched, ranked = match_video(maps, truths)
        found |= {matched[truth]: annotated[truth] for truth in matched}
        by_rank += sum(len(annotated[truth].corners) > 0 for truth in ranked)
        lost = [truth for truth in truths if truth not in matched and len(annotated[truth].corners)]
        sparse = sparse_seconds(truths)
        missing += sum(truth.second in sparse for truth in lost)
        between += sum(truth.second not in sparse for truth in lost)
    scored = sum(len(boxes.corners) > 0 for boxes in found.values())
    return found, Counts(
        frames_scored=scored,
        matched_by_rank=by_rank,
        annotated_without_box=len(found) - scored,
        annotations_without_map=missing,
        maps_without_annotation=len(frames) - len(found),
        annotations_between_frames=between,
        videos_without_map=len(truths_of.keys() - maps_of.keys()),
    )


def match_video(maps: Collection[Frame], truths: Collection[Frame]) -> tuple[dict[Frame, Frame], set[Frame]]:
    """Match the annotated frames of one video with its extracted ones; see above.

    Args:
        maps: extracted frames.
        truths: annotated frames.

    Returns:
        annotated -> extracted frame, and which of the annotated were found by rank.
    """
    there = set(maps)
    by_index = {frame.index: frame for frame in sorted(there, reverse=True)}
    matched = {truth: truth for truth in truths if truth in there}  # first those that agree in everything
    used = set(matched.values())
    for truth in sorted(truths):
        candidate = by_index.get(truth.index)
        if truth not in matched and candidate is not None and candidate not in used:
            matched[truth] = candidate
            used.add(candidate)

    at_rank = _by_rank(maps, truths)
    sparse = sparse_seconds(truths)
    seconds = {frame.second for frame in maps}
    could_be_found = min(
        sum(truth.second in sparse and truth.second in seconds for truth in truths),
        sum(frame.second in sparse for frame in maps),
    )
    if 2 * sum(truth.second in sparse for truth in matched) < could_be_found:
        matched = {t: frame for t, frame in matched.items() if t.second not in sparse or at_rank.get(t) == frame}
        used = set(matched.values())

    ranked = {truth for truth, frame in at_rank.items() if truth not in matched and frame not in used}
    return matched | {truth: at_rank[truth] for truth in ranked}, ranked


def sparse_seconds(truths: Collection[Frame]) -> set[int]:
    """Seconds of one video with no more annotated frames than are extracted."""
    return {second for second, frames in _by_second(truths).items() if len(frames) <= FRAMES_PER_SECOND}


def _by_rank(maps: Collection[Frame], truths: Collection[Frame]) -> dict[Frame, Frame]:
    """The k-th extracted frame of each annotated one that is the k-th of its second."""
    extracted, annotated = _by_second(maps), _by_second(truths)
    return {
        truth: frame
        for second in sparse_seconds(truths) & extracted.keys()
        for truth, frame in zip(annotated[second], extracted[second], strict=False)
    }


def _by_second(frames: Collection[Frame]) -> dict[int, list[Frame]]:
    grouped: dict[int, list[Frame]] = defaultdict(list)
    for frame in sorted(frames):
        grouped[frame.second].append(frame)
    return grouped


def _by_video(frames: Collection[Frame]) -> dict[str, list[Frame]]:
    grouped: dict[str, list[Frame]] = defaultdict(list)
    for frame in frames:
        grouped[frame.video].append(frame)
    return grouped
