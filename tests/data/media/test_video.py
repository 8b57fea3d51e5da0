"""Decoded frames become upright RGB images of the wanted size, with the values of FFmpeg."""

import av
import numpy as np
import pytest
from av.video.reformatter import VideoReformatter

from data.media.container import open_media
from data.media.video import open_video, upright_frame
from tests.fixtures.media import set_rotation, write_media

PIXEL_FORMATS = (
    "yuv420p yuvj420p yuv422p yuv444p nv12 yuv420p10le yuv422p10le yuv444p12le p010le yuv411p yuv410p yuv440p yuyv422 "
    "yuva420p gbrp bgr24 rgba bgra gray gray16le ya8 monob rgb565le bgr8 rgb48le".split()
)

# Width, height, short side: to an odd width, to an even one, and unchanged.
SIZES = [(80, 60, 43), (45, 90, 31), (46, 60, 45), (61, 45, 50), (90, 160, 64), (91, 50, 35), (45, 64, 0), (45, 64, 45)]


@pytest.mark.parametrize("pixel_format", PIXEL_FORMATS)
def test_frames_equal_packed_rgb_of_ffmpeg_in_every_pixel_format_and_size(pixel_format):
    rng = np.random.default_rng(0)
    for width, height, short_side in SIZES:
        noise_frame = av.VideoFrame.from_ndarray(rng.integers(0, 256, (height, width, 3), np.uint8), "rgb24")
        frame = noise_frame.reformat(format=pixel_format)
        image = np.array(upright_frame(frame, short_side, VideoReformatter()))
        size = {"width": image.shape[1], "height": image.shape[0]}
        assert min(size.values()) == (short_side or min(width, height))
        packed = VideoReformatter().reformat(frame, format="rgb24", interpolation="BICUBIC", **size)
        assert np.array_equal(image, packed.to_ndarray())


@pytest.mark.parametrize("quarter_turns", [1, 2, -1])
def test_display_rotation_is_applied(tmp_path, quarter_turns):
    def red_corner(_: int) -> np.ndarray:
        image = np.zeros((64, 96, 3), np.uint8)
        image[:32, :48, 0] = 255  # top left
        return image

    path = write_media(tmp_path / "a.mp4", frames=1, picture=red_corner)
    set_rotation(path, quarter_turns)
    with open_media(path) as container:
        image = np.array(upright_frame(next(container.decode(open_video(container, 1))), 64))
    assert image.shape == ((96, 64, 3) if quarter_turns % 2 else (64, 96, 3))
    corners = {1: (-8, 8), 2: (-8, -8), -1: (8, -8)}  # the red corner after a counter-clockwise rotation
    for row, column in corners.values():
        assert (image[row, column, 0] > 200) == ((row, column) == corners[quarter_turns])
