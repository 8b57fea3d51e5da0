"""Kinds of files that cameras, broadcasters and editors write, through cut_video, cut_audio and localize alike.

In each video a white flash and a burst of noise come at once, in the middle of every second.
"""

import re
import shutil
import struct
import subprocess
from collections.abc import Callable
from fractions import Fraction
from itertools import pairwise
from pathlib import Path

import av
import numpy as np
import pytest
from PIL import Image

from common.errors import MediaError
from data.media.audio import audio_of_video
from data.media.container import OPTIONS
from data.preprocess.frames import cut_video
from data.preprocess.spectrograms import cut_audio
from tests.fixtures.media import click, noise, write_media
from tests.fixtures.planted import plant_checkpoint
from vis import localize

RATE, SOUND_RATE = 20, 48_000
pytestmark = [
    pytest.mark.slow,
    pytest.mark.filterwarnings("ignore:Empty filters detected"),  # the published front end has them
    pytest.mark.filterwarnings("ignore::common.errors.MediaWarning"),
]


@pytest.fixture(scope="module")
def ckpt_file(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("planted") / "best.pth"
    return plant_checkpoint(path, [(220, 40, 40)], [(120, 120, 120)], image_size=32, test_sizes=1)


def in_burst(time: np.ndarray | float) -> np.ndarray | bool:
    return np.abs(time % 1 - 0.6) < 0.1 - 1e-6


def flash(index: int) -> np.ndarray:
    return np.full((48, 64, 3), 255 if in_burst(index / RATE + 0.01) else 0, np.uint8)


def bursts(seconds: float) -> np.ndarray:
    return np.where(in_burst(np.arange(round(seconds * SOUND_RATE)) / SOUND_RATE), noise(seconds, SOUND_RATE), 0)


def write(path: Path, seconds: float = 3, **options: object) -> Path:
    sound = {"sound": bursts(seconds), "sound_rate": SOUND_RATE}
    return write_media(path, frames=round(seconds * RATE), rate=RATE, **{"picture": flash, **sound, **options})


def joined(path: Path, *parts: dict) -> Path:
    """Recordings of 2 seconds, joined as by ``cat``."""
    files = [write(path.with_stem(f"part{number}"), 2, **options) for number, options in enumerate(parts)]
    header = 13 if path.suffix == ".flv" else 0  # bytes: FFmpeg ends at a second one
    path.write_bytes(files[0].read_bytes() + b"".join(file.read_bytes()[header:] for file in files[1:]))
    return path


def starting(seconds: float, **options: object) -> dict:
    return {"video_start": seconds, "sound_start": seconds, **options}


AVI = {"video_codec": "mpeg4", "audio_codec": "pcm_s16le"}
DVD = {"video_codec": "mpeg2video", "audio_codec": "mp2", "layout": "stereo"}


def many_channels(path: Path, layout: str, codec: str = "pcm_s16le", order: int | None = None) -> Path:
    """Audio of many channels; `order` is the number of an order of channels, as in Apple's ``chan`` atom."""
    write(path, layout=layout, audio_codec=codec)
    if order is not None:
        content = bytearray(path.read_bytes())
        begin = content.index(b"chan") + 8
        content[begin : begin + 4] = struct.pack(">HH", order, len(av.AudioLayout(layout).channels))
        path.write_bytes(content)
    return path


def remuxed(path: Path, *sources: Path, default: int) -> Path:
    """The streams of several files; `default` is the index of the one that is flagged."""
    with av.open(str(path), "w") as target:
        inputs = [av.open(str(source)) for source in sources]
        streams = {}
        for number, source in enumerate(inputs):
            for stream in source.streams:
                streams[number, stream.index] = copy = target.add_stream_from_template(stream)
                copy.disposition = av.stream.Disposition(copy.index == default)
        for number, source in enumerate(inputs):
            for packet in source.demux():
                if packet.size:
                    packet.stream = streams[number, packet.stream_index]
                    target.mux(packet)
            source.close()
    return path


def beside_silence(path: Path) -> Path:
    silent = write_media(path.with_stem("silent"), sound=np.zeros(3 * SOUND_RATE), sound_rate=SOUND_RATE)
    return remuxed(path, silent, write(path.with_stem("whole")), default=2)


def beside_thumbnail(path: Path, frames: int, default: int) -> Path:
    grey = {"picture": lambda _: np.full((16, 16, 3), 99, np.uint8)}
    small = write_media(path.with_stem("small"), frames=frames, rate=RATE, **grey)
    return remuxed(path, small, write(path.with_stem("whole")), default=default)


def two_programmes(path: Path) -> Path:
    """A radio programme, whose audio has more bits a second, beside that of a video."""
    radio = write_media(
        path.with_name("radio.mka"), sound=noise(3, SOUND_RATE), sound_rate=SOUND_RATE, audio_codec="flac"
    )
    streams = "-map 0:a -map 1 -c copy -c:a:0 aac -b:a:0 256k -program st=0 -program st=1:st=2".split()
    inputs = ["-i", radio, "-i", write(path.with_suffix(".mp4"))]
    subprocess.run(["ffmpeg", "-v", "error", *inputs, *streams, path], check=True)
    return path


def late_audio(path: Path) -> Path:
    """A stream of which nothing is known until more than FFmpeg's usual 5 MB are read."""
    grain = np.random.default_rng(0).integers(0, 256, (480, 640, 3), np.uint8)
    large = {"rate": 1, "picture": lambda _: grain, "video_codec": "flv", "encoder": {"gop_size": 1, "qmax": 2}}
    first = write_media(path.with_stem("first"), frames=12, **large)
    second = write_media(
        path.with_stem("second"), frames=4, **large, **starting(12), sound=click(2.25, 4, 44_100), sound_rate=44_100
    )
    assert first.stat().st_size > 5e6
    path.write_bytes(first.read_bytes() + second.read_bytes()[13:])  # after the header
    return path


def two_edits(path: Path) -> Path:
    """Trimmed without encoding: the edit list of each track shows 0 ... 1 s and 2 ... 4 s."""
    content = bytearray(write(path, 4).read_bytes())  # its atom moov is the last one, so that it may grow
    duration = content.index(b"mvhd") + 20
    content[duration : duration + 4] = struct.pack(">I", 3000)
    for found in reversed([*re.finditer(b"elst", content)]):
        at = found.start()
        size, first = struct.unpack(">I16xi", content[at - 4 : at + 20])
        scale = struct.unpack_from(">I", content, content.index(b"mdhd", at) + 16)[0]
        edits = struct.pack(">IIIiIIiI", 0, 2, 1000, first, 65536, 2000, first + 2 * scale, 65536)
        content[at + 4 : at - 4 + size] = edits
        for kind in (b"elst", b"edts", b"trak", b"moov"):  # each lies in the next one
            begin = content.rindex(kind, 0, at + 4) - 4
            struct.pack_into(">I", content, begin, struct.unpack_from(">I", content, begin)[0] + len(edits) - size + 8)
    path.write_bytes(content)
    return path


def lossy(path: Path) -> Path:
    """Some transport packets are missing, in the middle of frames of audio."""
    content = write(path, sound=bursts(3) + noise(3, SOUND_RATE, 1e-3), encoder={"gop_size": 5}).read_bytes()
    packets = [content[at : at + 188] for at in range(0, len(content), 188)]
    lost = range(len(packets) // 3, len(packets) // 3 + 30, 3)
    path.write_bytes(b"".join(packet for number, packet in enumerate(packets) if number not in lost))
    return path


def not_a_number(path: Path) -> Path:
    sound = bursts(3)
    sound[::9973] = np.nan
    return write(path, sound=sound, audio_codec="pcm_f32le")


def run(video: Path, ckpt_file: Path, out: Path) -> int:
    options = ["--device", "cpu", "--num_threads", "1", "--silence", "20", "--out", str(out)]  # without heat
    return localize.main([str(video), "--ckpt_file", str(ckpt_file), *options])


WRAP = 95_443.7  # 2^33 / 90,000 s
KINDS: dict[str, tuple[str, int, Callable[[Path], Path]]] = {  # name of the file, its seconds, how it is made
    "joined": ("a.ts", 4, lambda path: joined(path, starting(0), starting(0))),
    "joined to an earlier one": ("a.ts", 4, lambda path: joined(path, starting(5000), starting(100))),
    "joined to a later one": ("a.ts", 4, lambda path: joined(path, starting(100), starting(9000))),
    "joined DVD": ("a.vob", 6, lambda path: joined(path, *[starting(0, **DVD)] * 3)),
    "joined FLV": ("a.flv", 4, lambda path: joined(path, starting(0), starting(0))),
    "wrap of time stamps": ("a.ts", 3, lambda path: write(path, **starting(WRAP - 1.2))),
    "wrap in the first second": ("a.ts", 3, lambda path: write(path, **starting(WRAP - 0.2))),
    "joined and wrap": ("a.ts", 4, lambda path: joined(path, starting(WRAP - 1.2), starting(0))),
    "8 channels": ("a.mov", 3, lambda path: many_channels(path, "7.1")),
    "8 channels in FLAC": ("a.mkv", 3, lambda path: many_channels(path, "7.1", "flac")),
    "9 channels": ("a.mov", 3, lambda path: many_channels(path, "9 channels")),
    "16 channels": ("a.mkv", 3, lambda path: many_channels(path, "hexadecagonal", "pcm_f32le")),
    "24 channels": ("a.mov", 3, lambda path: many_channels(path, "22.2", "pcm_s24le")),
    "5.1 in another order": ("a.mov", 3, lambda path: many_channels(path, "5.1(side)", order=122)),
    "quadraphonic in another order": ("a.mov", 3, lambda path: many_channels(path, "quad", order=109)),
    "PCM in stereo": ("a.avi", 3, lambda path: write(path, layout="stereo", **AVI)),
    "PCM in surround": ("a.avi", 3, lambda path: write(path, layout="5.1", **AVI)),
    "silent commentary first": ("a.mkv", 3, beside_silence),
    "thumbnails first": ("a.mp4", 3, lambda path: beside_thumbnail(path, 60, default=1)),
    "cover as plain stream": ("a.mp4", 3, lambda path: beside_thumbnail(path, 1, default=0)),
    "cover in MKV": ("a.mkv", 3, lambda path: beside_thumbnail(path, 1, default=0)),
    "two programmes": ("a.ts", 3, two_programmes),
    "fragmented": ("a.mp4", 3, lambda path: write(path, options={"movflags": "frag_keyframe+delay_moov"})),
    "late audio": ("a.mp4", 3, lambda path: write(path, sound=bursts(3)[14_400:], sound_start=0.3)),
    "late video": ("a.mkv", 2, lambda path: write(path, 2, video_start=1, sound=bursts(3))),
    "two edits": ("a.mp4", 3, two_edits),
    "not a number": ("a.mkv", 3, not_a_number),
}  # fmt: skip


def shown_and_heard(path: Path) -> tuple[list[float], list[float]]:
    """When the flashes and the bursts of a file begin, in seconds after its first frame."""
    with av.open(str(path)) as container:
        frames = [(frame.time, frame.to_ndarray(format="gray").mean() > 128) for frame in container.decode(video=0)]
    shown = [time - frames[0][0] for (_, before), (time, bright) in pairwise(frames) if bright and not before]
    audio = audio_of_video(path)
    loud = np.flatnonzero(np.abs(audio.samples) > 0.05) / audio.rate + audio.start
    return shown, [time for time in loud[np.diff(loud, prepend=-1) > 0.5] if time > 0]


@pytest.mark.parametrize(("name", "seconds", "make"), KINDS.values(), ids=KINDS)
def test_frames_and_audio_are_in_step_in_all_programs(tmp_path, ckpt_file, name, seconds, make):
    if make is two_programmes and not shutil.which("ffmpeg"):
        pytest.skip("PyAV cannot write this")
    video = make(tmp_path / name)
    cut_video([video], tmp_path / "frames", fps=4, short_side=48, threads=1)
    frames = {
        file.parent.name[-3:] + file.stem: np.array(Image.open(file)) for file in (tmp_path / "frames").rglob("*.jpg")
    }
    bright = [frames[key].mean() > 128 for key in sorted(frames)]
    assert bright == [False, False, True, False] * seconds
    cut_audio([video], None, {}, tmp_path / "audio", 160, 1)
    for second in range(seconds - 1):  # the audio of the last one may end some milliseconds earlier
        spectrogram = np.load(tmp_path / f"audio/{second:03}.npy").mean(1)
        columns = np.flatnonzero(spectrogram > spectrogram.max() - 20)  # 5 ms each
        assert columns[0] == pytest.approx(100, abs=3) and columns[-1] == pytest.approx(140, abs=3)
    out = tmp_path / "heat.mp4"
    assert run(video, ckpt_file, out) == 0
    shown, heard = shown_and_heard(out)
    assert len(shown) == len(heard) == seconds
    assert heard == pytest.approx(shown, abs=0.01)
    assert np.diff(shown) == pytest.approx(1, abs=0.051)  # a frame


def test_packets_that_are_lost_cost_only_themselves(tmp_path, ckpt_file):
    video, out = lossy(tmp_path / "a.ts"), tmp_path / "heat.mp4"
    assert run(video, ckpt_file, out) == 0
    assert len(shown_and_heard(out)[0]) == 3
    before, after = audio_of_video(video).samples, audio_of_video(out).samples
    assert len(after) == pytest.approx(len(before), abs=2048)
    assert np.corrcoef(before[-40_000:-20_000], after[-len(before) :][-40_000:-20_000])[0, 1] > 0.5


def test_audio_of_which_nothing_is_known_at_first_is_found(tmp_path, ckpt_file):
    video, out = late_audio(tmp_path / "a.flv"), tmp_path / "heat.mp4"
    cut_video([video], tmp_path / "frames", fps=1, short_side=48, threads=1)
    assert len(list((tmp_path / "frames").rglob("*.jpg"))) == 16
    cut_audio([video], None, {}, tmp_path / "audio", 160, 1)
    assert (tmp_path / "audio/014.npy").exists()
    assert run(video, ckpt_file, out) == 0
    audio = audio_of_video(out)
    assert audio.start + np.abs(audio.samples).argmax() / audio.rate == pytest.approx(14.25, abs=0.011)


def test_a_stream_that_begins_too_late_costs_nothing_but_itself(tmp_path, monkeypatch):
    monkeypatch.setitem(OPTIONS, "probesize", "100000")
    video = late_audio(tmp_path / "a.flv")
    cut_video([video], tmp_path / "frames", fps=1, short_side=48, threads=1)
    assert len(list((tmp_path / "frames").rglob("*.jpg"))) == 16
    with pytest.raises(MediaError, match="no audio stream"):
        cut_audio([video], None, {}, tmp_path / "audio", 160, 1)


def test_pixels_that_are_not_square_are_shown_as_intended(tmp_path, ckpt_file):
    video = write(tmp_path / "a.mp4", 1, encoder={"sample_aspect_ratio": Fraction(4, 3)})
    cut_video([video], tmp_path / "frames", fps=4, short_side=48, threads=1)
    assert {Image.open(file).size for file in (tmp_path / "frames").rglob("*.jpg")} == {(85, 48)}
    assert run(video, ckpt_file, tmp_path / "heat.mp4") == 0
    with av.open(str(tmp_path / "heat.mp4")) as container:
        assert container.streams.video[0].display_aspect_ratio == Fraction(16, 9)


def test_a_ribbon_that_no_jpeg_file_holds_is_named(tmp_path):
    ribbon = {"picture": lambda _: np.zeros((2, 600, 3), np.uint8), "video_codec": "ffv1"}
    with pytest.raises(MediaError, match="76800 x 256 pixels"):
        cut_video([write(tmp_path / "a.mkv", 1, **ribbon)], tmp_path / "frames", fps=4, short_side=256, threads=1)
