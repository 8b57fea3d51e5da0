"""Decoded frames become upright RGB images of the wanted size, with the values of FFmpeg."""

import struct
from fractions import Fraction

import av
import numpy as np
import pytest
from av.video.reformatter import VideoReformatter

import data.media.container
from common.errors import MediaError
from data.media.container import open_media
from data.media.video import UPRIGHT, decoded_pts, open_video, orientation, upright_frame
from tests.fixtures.media import ORIENTATIONS, set_display_matrix, write_media

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
        image = np.array(upright_frame(frame, short_side, UPRIGHT, reformatter=VideoReformatter()))
        size = {"width": image.shape[1], "height": image.shape[0]}
        assert min(size.values()) == (short_side or min(width, height))
        packed = VideoReformatter().reformat(frame, format="rgb24", interpolation="BICUBIC", **size)
        assert np.array_equal(image, packed.to_ndarray())


@pytest.mark.parametrize("matrix", ORIENTATIONS)
def test_all_eight_orientations_become_upright(tmp_path, matrix):
    """Oracle: pixel (x, y) is shown at (a x + c y, b x + d y), counted from the other side where that is negative."""
    stored = np.zeros((48, 64, 3), np.uint8)
    stored[8:24, 8:24, 0] = 255  # left, top
    stored[8:24, 40:56, 1] = 255  # right, top
    a, b, c, d = matrix
    path = write_media(tmp_path / "a.mp4", frames=1, picture=lambda _: stored)
    set_display_matrix(path, matrix)
    with open_media(path) as container:
        frame = next(container.decode(open_video(container, 1)))
        shown = np.array(upright_frame(frame, 0, orientation(frame)))
    height, width = (48, 64) if a else (64, 48)
    assert shown.shape == (height, width, 3)
    for (x, y), channel in (((16, 16), 0), ((48, 16), 1)):
        assert shown[(b * x + d * y) % height, (a * x + c * y) % width, channel] > 200


def test_frames_that_take_much_memory_are_refused_by_their_stated_size_and_by_their_own(tmp_path, monkeypatch):
    path = write_media(tmp_path / "a.avi", frames=3, video_codec="png", encoder={"pix_fmt": "gray"})
    monkeypatch.setattr(data.media.container, "MOST_PIXELS", 1000)
    with open_media(path) as container, pytest.raises(MediaError, match=r"its frames have 256 x 64 pixels: scale them"):
        open_video(container, 1)
    monkeypatch.setitem(data.media.container.OPTIONS, "max_pixels", "1000")
    size = struct.pack("<2i", 256, 64)
    path.write_bytes(path.read_bytes().replace(size, struct.pack("<2i", 8, 6)))  # both headers, not the frames
    with pytest.raises(MediaError, match="none of its frames can be decoded"), pytest.warns(match="damaged packets"):
        decoded_pts(path)


@pytest.mark.parametrize(
    ("pixel_shape", "short_side", "size"),
    [((4, 3), 90, (160, 90)), ((1, 2), 90, (90, 135)), ((4, 3), 0, (107, 60)), ((1, 1), 0, (80, 60))],
)
def test_pixels_become_square(pixel_shape, short_side, size):
    frame = av.VideoFrame.from_ndarray(np.zeros((60, 80, 3), np.uint8), "rgb24")
    assert upright_frame(frame, short_side, UPRIGHT, Fraction(*pixel_shape)).size == size
