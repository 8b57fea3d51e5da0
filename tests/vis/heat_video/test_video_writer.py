"""Frames in another file: their size, their colors and the shape of their pixels."""

from fractions import Fraction
from pathlib import Path

import av
import pytest

from tests.fixtures.heat_video import difference, make_video, read_frames, red_square
from vis.heat_video.painter import HeatPainter, Style
from vis.heat_video.video_writer import VideoWriter


def written(source: Path) -> Path:
    """The frames of the source, painted without heat."""
    path = source.with_name("written.mp4")
    with av.open(str(source)) as container, av.open(str(path), "w") as target:
        frames = list(container.decode(video=0))
        painter = HeatPainter(frames[0], Style([0]))
        writer = VideoWriter(target, container.streams.video[0], frames[0], painter.size, Fraction(0), 1)
        for frame in frames:
            writer.add(painter.paint(frame, {}, [], ""), frame.pts, frame.duration)
        writer.finish()
    return path


def test_odd_sizes_get_one_more_row_and_column(tmp_path):
    video = make_video(tmp_path / "a.mkv", picture=lambda index: red_square(index, 161, 97), video_codec="ffv1")
    before, after = read_frames(video)[1][5], read_frames(written(video))[1][5]
    assert after.shape == (98, 162, 3) and difference(before, after[:97, :161]) < 3
    assert difference(after[-2, :], after[-1, :]) < 6 and difference(after[:, -2], after[:, -1]) < 6


@pytest.mark.parametrize("kind", [(1, 1), (1, 2), (6, 1), (9, 1)], ids=["709", "709 full", "601", "2020"])
def test_colors_and_pixel_shape_are_kept(tmp_path, kind):
    """The file states the meaning of its color values. The values have to fit it."""
    properties = {"colorspace": kind[0], "color_range": kind[1], "sample_aspect_ratio": Fraction(32, 27)}
    video = make_video(tmp_path / "a.mkv", encoder=properties)
    path = written(video)
    with av.open(str(path)) as after:
        context = after.streams.video[0].codec_context
        assert (context.colorspace, context.color_range) == kind
        assert context.sample_aspect_ratio == Fraction(32, 27)
    assert difference(read_frames(video)[1][5], read_frames(path)[1][5]) < 3
