"""The annotation of each map."""

import math
from pathlib import Path

import numpy as np
import pytest

from common.errors import UserError
from metrics.maps.annotations import Annotations, Boxes, Frame, parse_frame
from metrics.maps.matching import Counts, match_frames, match_video

SOME = Boxes(np.array([[0.0, 0, 1, 1]]), ("1",))
EMPTY = Boxes(np.empty((0, 4)), ())


def music(keys: list[str], empty: tuple[str, ...] = ()) -> Annotations:
    frames = {parse_frame(key): EMPTY if key in empty else SOME for key in keys}
    return Annotations("music", Path("boxes.json"), frames=frames)


def clips(names: dict[str, Boxes]) -> Annotations:
    return Annotations("vggss", Path("vggss.json"), clips=names)


def second(number: int, indices: list[int], name: str = "-a.b") -> list[str]:
    return [f"{name}/frame_{number:03d}/{index:05d}" for index in indices]


def sampled(rate: int, seconds: range, offsets: list[int]) -> list[Frame]:
    return [Frame("v", s, s * rate + offset) for s in seconds for offset in offsets]


AT_30 = [0, 7, 14, 21]


def test_the_same_index_is_matched_also_from_a_neighboring_second():
    keys = [*second(12, [389]), *second(13, [390, 397])]
    found, counts = match_frames(keys, music(second(13, [389, 390, 397])))
    assert list(found) == keys and counts == Counts(frames_scored=3)


@pytest.mark.parametrize("rate", [12, 15, 20, 24, 25, 29.97, 30, 48, 50, 59.94, 60])
def test_each_annotation_meets_the_frame_of_its_rank_in_a_copy_of_any_frame_rate(rate):
    maps = [Frame("v", s, math.ceil(s * rate) + rank * int(rate / 4)) for s in range(200) for rank in range(4)]
    truths = sampled(30, range(200), AT_30)
    matched, by_rank, _ = match_video(maps, truths)
    assert matched == dict(zip(truths, maps, strict=True))
    # Some indices exist in both by coincidence, such as 150: second 5 at a rate of 30, and second 6 at 25.
    assert by_rank == {truth for truth, frame in matched.items() if truth != frame}


@pytest.mark.parametrize(
    ("extracted", "annotated"),
    [
        ([0, 14, 21], AT_30),  # the second annotated frame is not the second extracted one, which is already matched
        ([0], AT_30),
        (AT_30, [14]),
    ],
)
def test_the_same_frame_rate_is_matched_by_index_even_if_frames_are_missing(extracted, annotated):
    maps, truths = sampled(30, range(10), extracted), sampled(30, range(10), annotated)
    matched, by_rank, _ = match_video(maps, truths)
    assert matched == {frame: frame for frame in set(maps) & set(truths)} and not by_rank


ID = "-_-TDDxoaAc"


@pytest.mark.parametrize(
    ("mapped", "annotated", "matches"),
    [
        ([ID], [f"{ID}_0_1000"], {ID: f"{ID}_0_1000"}),
        ([f"{ID}_0_1000"], [ID], {f"{ID}_0_1000": ID}),
        ([f"{ID}_0_10"], [f"{ID}_0_1000"], {f"{ID}_0_10": f"{ID}_0_1000"}),
        ([ID, f"{ID}_0_1000"], [f"{ID}_0_1000", ID], {f"{ID}_0_1000": f"{ID}_0_1000", ID: ID}),
        ([ID, f"{ID}_0_10"], [f"{ID}_0_10", f"{ID}_0_1000"], {f"{ID}_0_10": f"{ID}_0_10"}),
        ([ID], [f"{ID}_0_10", f"{ID}_0_1000"], {}),  # which one?
        ([ID], [f"{ID}_10_1000"], {}),  # its frames are counted from another moment
        ([ID], [f"x{ID}_0_1000"], {}),
        (["short"], ["short_0_1000"], {}),
    ],
)
def test_a_whole_video_has_the_annotations_of_its_excerpt_from_the_start(mapped, annotated, matches):
    frames = {Frame(name, 1, 37): Boxes(SOME.corners, (name,)) for name in [*annotated, "other"]}
    keys = [f"{name}/frame_001/00037" for name in [*mapped, "other"]]
    found, counts = match_frames(keys, Annotations("music", Path("boxes.json"), frames=frames))
    assert {key.split("/")[0]: boxes.classes[0] for key, boxes in found.items()} == matches | {"other": "other"}
    assert counts.maps_without_annotation == len(mapped) - len(matches)
    assert counts.videos_without_map == len(annotated) - len(matches)


def test_a_rank_that_only_one_side_has_is_not_matched():
    maps = second(2, [50, 56])
    found, counts = match_frames(maps, music(second(2, [60, 67, 74])))
    assert list(found) == maps and counts == Counts(2, matched_by_rank=2, annotations_without_map=1)


def test_a_second_with_more_annotated_than_extracted_frames_is_matched_by_index_only():
    maps = [*second(0, [0, 7, 14, 21]), *second(1, [33])]
    annotated = [*second(0, list(range(30))), *second(1, [30, 31, 32, 34, 35]), *second(0, list(range(30)), "other")]
    found, counts = match_frames(maps, music(annotated))
    assert list(found) == maps[:4]
    assert counts == Counts(
        frames_scored=4, maps_without_annotation=1, annotations_between_frames=26 + 5, videos_without_map=1
    )


def test_a_frame_without_a_box_uses_up_its_map_but_is_not_scored():
    keys = second(13, [390, 397, 404, 411])
    found, counts = match_frames(keys, music(keys, empty=(keys[1],)))
    assert list(found) == [keys[0], keys[2], keys[3]] and counts == Counts(frames_scored=3, annotated_without_box=1)
    shifted = second(13, [325, 331, 337, 343])
    found, counts = match_frames(shifted, music(keys, empty=(keys[1],)))
    assert list(found) == [shifted[0], shifted[2], shifted[3]] and counts.matched_by_rank == 3
    _, counts = match_frames(keys[:1], music(keys[:2], empty=(keys[1],)))
    assert counts == Counts(frames_scored=1)


def test_a_clip_is_scored_on_its_middle_frame():
    maps = [key for s in (1, 0, 2) for key in second(s, [s * 30, s * 30 + 7, s * 30 + 14, s * 30 + 21])]
    maps += second(0, [0, 7], "other") + second(0, [0], "empty")
    found, counts = match_frames(maps, clips({"-a.b": SOME, "gone": SOME, "empty": EMPTY}))
    assert list(found) == second(1, [44])  # the seventh of twelve
    assert counts == Counts(frames_scored=1, annotated_without_box=1, maps_without_annotation=2, videos_without_map=1)


KEY = "a/frame_000/00000"


@pytest.mark.parametrize(
    ("keys", "annotations", "message"),
    [
        (["a/00000"], music([KEY]), "'a/00000' of a map"),
        ([KEY], music([KEY], empty=(KEY,)), "annotates all 1 frames with a map as empty"),
        # An example of each side is shown.
        ([KEY], music(second(0, [0], "b")), f"maps of '{KEY}', and annotations of 'b/frame_000/00000.jpg'"),
        ([KEY], clips({"b": SOME}), f"maps of '{KEY}', and annotations of 'b'"),
    ],
)
def test_unusable_keys_and_runs_without_any_match_are_reported(keys, annotations, message):
    with pytest.raises(UserError, match=message):
        match_frames(keys, annotations)
