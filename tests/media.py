"""Makes small video and sound files for the tests, with PyAV."""

import struct
from collections.abc import Callable, Sequence
from fractions import Fraction
from pathlib import Path

import av
import numpy as np

CODE_BITS = 12
CODE_CELL = 16  # pixels: large enough to survive lossy compression


def coded_picture(index: int, width: int = 256, height: int = 64) -> np.ndarray:
    """A picture that carries a frame's index: a bar code of its bits in the top row, uint8 [height, width, 3]."""
    picture = np.full((height, width, 3), 128, np.uint8)
    for bit in range(CODE_BITS):
        value = 235 if index >> bit & 1 else 20
        picture[:CODE_CELL, bit * CODE_CELL : (bit + 1) * CODE_CELL] = value
    return picture


def read_code(picture: np.ndarray) -> int:
    """The index that a picture of `coded_picture` carries."""
    cells = [picture[4:12, bit * CODE_CELL + 4 : bit * CODE_CELL + 12].mean() for bit in range(CODE_BITS)]
    return sum(1 << bit for bit, cell in enumerate(cells) if cell > 128)


def write_media(
    path: Path,
    *,
    frames: int = 0,
    rate: Fraction | int = 25,
    times: Sequence[float] | None = None,
    picture: Callable[[int], np.ndarray] = coded_picture,
    video_codec: str = "libx264",
    sound: np.ndarray | None = None,
    sound_rate: int = 16_000,
    layout: str = "mono",
    audio_codec: str = "aac",
    video_start: float = 0.0,
    sound_start: float = 0.0,
    gop: int = 0,
    options: dict[str, str] | None = None,
) -> Path:
    """Write `frames` pictures at `rate` (or at `times`, seconds) and `sound`, float32 [channels, n] or [n]."""
    path.parent.mkdir(parents=True, exist_ok=True)
    with av.open(str(path), "w", options=options or {}) as container:
        video = audio = None
        if frames:
            video = container.add_stream(video_codec, rate=Fraction(rate))
            video.height, video.width = picture(0).shape[:2]
            video.pix_fmt = "yuv420p"
            video.options = {"preset": "ultrafast"} if video_codec == "libx264" else {}
            if gop:
                video.codec_context.gop_size = gop
            if times is not None:
                video.codec_context.time_base = Fraction(1, 90_000)
        if sound is not None:
            audio = container.add_stream(audio_codec, rate=sound_rate, layout=layout)
        if video is not None:
            _write_frames(container, video, frames, Fraction(rate), times, picture, video_start)
        if audio is not None:
            _write_sound(container, audio, np.atleast_2d(sound).astype(np.float32), sound_rate, layout, sound_start)
    return path


def set_rotation(path: Path, quarter_turns: int) -> None:
    """Have an mp4 file of one track shown turned counter-clockwise, by the matrix in its track header, as phones do."""
    content = bytearray(path.read_bytes())
    cosine, sine = ((1, 0), (0, 1), (-1, 0), (0, -1))[quarter_turns % 4]
    fixed = [cosine << 16, -sine << 16, 0, sine << 16, cosine << 16, 0, 0, 0, 1 << 30]
    begin = content.index(b"tkhd") + 4 + 40
    content[begin : begin + 36] = struct.pack(">9i", *fixed)
    path.write_bytes(content)


def remux(source: Path, target: Path, keep: Callable[[av.Packet], bool]) -> None:
    """Copy the packets of a file for which `keep` is true, which may alter them, as a cut without encoding does."""
    target.parent.mkdir(parents=True, exist_ok=True)
    with av.open(str(source)) as reader, av.open(str(target), "w") as writer:
        streams = {stream.index: writer.add_stream_from_template(stream) for stream in reader.streams}
        for packet in reader.demux():
            if packet.dts is not None and keep(packet):
                packet.stream = streams[packet.stream_index]
                writer.mux(packet)


def _write_frames(container, stream, count, rate, times, picture, start):
    for index in range(count):
        frame = av.VideoFrame.from_ndarray(picture(index), "rgb24")
        if times is None:
            frame.pts, frame.time_base = index + round(start * rate), 1 / rate
        else:
            frame.pts, frame.time_base = round((times[index] + start) * 90_000), Fraction(1, 90_000)
        container.mux(stream.encode(frame))
    container.mux(stream.encode(None))


def _write_sound(container, stream, sound, rate, layout, start):
    channels = len(av.AudioLayout(layout).channels)
    sound = np.broadcast_to(sound, (channels, sound.shape[1]))
    resampler = av.AudioResampler(format=stream.codec_context.format.name, layout=layout, rate=rate)
    size = stream.codec_context.frame_size or 1024
    for begin in range(0, sound.shape[1], size):
        frame = av.AudioFrame.from_ndarray(np.ascontiguousarray(sound[:, begin : begin + size]), "fltp", layout=layout)
        frame.sample_rate, frame.time_base = rate, Fraction(1, rate)
        frame.pts = begin + round(start * rate)
        for converted in resampler.resample(frame):
            container.mux(stream.encode(converted))
    container.mux(stream.encode(None))


def noise(seconds: float, rate: int = 16_000, level: float = 0.1, seed: int = 0) -> np.ndarray:
    """White noise, float32."""
    return np.random.default_rng(seed).normal(0, level, round(seconds * rate)).astype(np.float32)


def click(at: float, seconds: float, rate: int = 16_000) -> np.ndarray:
    """Silence with a click of 2 ms, float32."""
    sound = np.zeros(round(seconds * rate), np.float32)
    sound[round(at * rate) : round((at + 0.002) * rate)] = 0.9
    return sound
