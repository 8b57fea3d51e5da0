"""Writes the mp4 files of the demo data set: H.264 and AAC, frames and audio in step."""

from collections.abc import Iterable, Iterator
from fractions import Fraction
from pathlib import Path

import av
import numpy as np
from av.video.reformatter import ColorRange, Colorspace, VideoReformatter
from scipy.io import wavfile

from common.atomic import atomic_file, atomic_folder
from data.demo.folder import video_path
from data.demo.plan import CATEGORY_IDS, DemoSettings, VideoPlan
from data.demo.scene import HEIGHT, WIDTH, Box, build_scene, render_frame, visible_boxes
from data.demo.synthesizer import render_audio, render_stems
from data.layout import stems_dir
from data.media.container import writing_errors

# The same frames make the same file. The decisions of x264 depend on the number of threads, and without
# cpu-independent its fast paths depend on uninitialized memory.
X264_OPTIONS = {"preset": "veryfast", "crf": "20", "threads": "1", "x264-params": "cpu-independent=1"}
PIXELS = {"format": "yuv420p", "dst_colorspace": Colorspace.SMPTE170M, "dst_color_range": ColorRange.MPEG}
AAC_OPTIONS = {"aac_coder": "fast"}
AAC_BIT_RATE = 128_000
COLORS = ("colorspace", "color_primaries", "color_trc")
SMPTE170M = 6  # the usual primaries, transfer curve and matrix for frames of this size


def make_video(data_dir: Path, settings: DemoSettings, plan: VideoPlan) -> list[list[Box]]:
    """Write a video and its stems, unless it exists; return for each frame the boxes of its instruments."""
    scene, path = build_scene(settings, plan), video_path(data_dir, plan.name)
    if path.exists():
        return [visible_boxes(scene, index) for index in range(plan.frames)]
    boxes = []

    def frames() -> Iterator[np.ndarray]:
        for index in range(plan.frames):
            frame, frame_boxes = render_frame(scene, index)
            boxes.append(frame_boxes)
            yield frame

    if settings.stems:  # before the video: a video that exists is not made again
        write_stems(stems_dir(data_dir) / plan.name, plan, render_stems(settings, plan))
    write_video(path, frames(), plan.frame_rate, render_audio(settings, plan), plan.sample_rate)
    return boxes


def write_stems(folder: Path, plan: VideoPlan, stems: list[np.ndarray]) -> None:
    """Write the audio of each instrument, float32 [channels, samples], as WAV of 16 bits named by its category."""
    with atomic_folder(folder) as partial:
        for name, stem in zip(plan.instruments, stems, strict=True):
            samples = (stem.T * 32767).round().clip(-32768, 32767).astype(np.int16)
            wavfile.write(partial / f"{CATEGORY_IDS[name]}.wav", plan.sample_rate, samples)


def write_video(path: Path, frames: Iterable[np.ndarray], rate: Fraction, audio: np.ndarray, sample_rate: int) -> None:
    """Write an mp4 file, whole or not at all.

    The frames are RGB, uint8 [HEIGHT, WIDTH, 3]. The audio is float32 [channels, samples], mono or stereo, within -1
    and 1.
    """
    # A Python file, because FFmpeg takes the start of some paths for a protocol.
    with (
        atomic_file(path) as partial,
        writing_errors(),
        partial.open("wb") as file,
        av.open(file, "w", format="mp4", options={"max_interleave_delta": "0"}) as container,  # audio waits for frames
    ):
        video_stream = container.add_stream(
            "libx264", rate=rate, options=X264_OPTIONS, width=WIDTH, height=HEIGHT, pix_fmt="yuv420p",
            time_base=1 / rate, color_range=ColorRange.MPEG, **dict.fromkeys(COLORS, SMPTE170M),
        )  # fmt: skip
        layout = "mono" if len(audio) == 1 else "stereo"
        audio_stream = container.add_stream(
            "aac", rate=sample_rate, options=AAC_OPTIONS, layout=layout, bit_rate=AAC_BIT_RATE
        )
        audio_frame = av.AudioFrame.from_ndarray(np.ascontiguousarray(audio), format="fltp", layout=layout)
        audio_frame.sample_rate, audio_frame.pts = sample_rate, 0
        container.mux([*audio_stream.encode(audio_frame), *audio_stream.encode()])
        reformatter = VideoReformatter()  # one for all frames: its setup takes longer than a frame
        for index, frame in enumerate(frames):
            video_frame = reformatter.reformat(av.VideoFrame.from_ndarray(frame, format="rgb24"), **PIXELS)
            video_frame.pts, video_frame.time_base = index, 1 / rate
            container.mux(video_stream.encode(video_frame))
        container.mux(video_stream.encode())
