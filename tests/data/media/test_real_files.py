"""What held when the project was tried on hundreds of real files: codecs, frame rates, sample formats, damage."""

import shutil
import subprocess
from fractions import Fraction

import numpy as np
import pytest
from numpy.lib.stride_tricks import sliding_window_view
from PIL import Image

from data.media.audio import audio_of_video
from data.media.container import decoded_frames, open_media
from data.media.video import UPRIGHT, open_video, upright_frame
from data.preprocess.frames import cut_video
from data.preprocess.runner import run_one
from data.preprocess.spectrograms import cut_audio
from tests.fixtures.media import noise, read_code, write_media

CODECS = {
    "H.264": ("mp4", "libx264", "yuv420p"),
    "H.264 full range": ("mp4", "libx264", "yuvj420p"),
    "HEVC 10 bit": ("mp4", "libx265", "yuv420p10le"),
    "VP8": ("webm", "libvpx", "yuv420p"),
    "VP9": ("webm", "libvpx-vp9", "yuv420p"),
    "AV1": ("mkv", "libaom-av1", "yuv420p"),
    "ProRes": ("mov", "prores_ks", "yuv422p10le"),
    "MJPEG": ("avi", "mjpeg", "yuvj422p"),
    "Theora": ("ogv", "libtheora", "yuv420p"),
    "WMV": ("wmv", "wmv2", "yuv420p"),
    "DVD": ("vob", "mpeg2video", "yuv420p"),
    "GIF": ("gif", "gif", "rgb8"),
    "FFV1": ("mkv", "ffv1", "bgr0"),
}


def ffmpeg(*arguments: object) -> bytes:
    command = ["ffmpeg", "-v", "error", "-nostdin", "-y", *map(str, arguments)]
    return subprocess.run(command, check=True, capture_output=True).stdout


@pytest.mark.skipif(not shutil.which("ffmpeg"), reason="ffmpeg is the oracle")
@pytest.mark.parametrize(("kind", "codec", "pixels"), CODECS.values(), ids=CODECS)
def test_colors_are_those_of_ffmpeg(tmp_path, kind, codec, pixels):
    if f" {codec} " not in ffmpeg("-encoders").decode():
        pytest.skip(f"this ffmpeg has no {codec}")
    path = tmp_path / f"a.{kind}"
    speed = ("-cpu-used", 8) if codec == "libaom-av1" else ()
    source = ("-f", "lavfi", "-i", "smptehdbars=s=192x128:r=25:d=0.2")
    ffmpeg(*source, "-c:v", codec, *speed, "-pix_fmt", pixels, "-b:v", "1M", path)
    raw = ffmpeg("-i", path, "-frames:v", 1, "-f", "rawvideo", "-pix_fmt", "rgb24", "-")
    with open_media(path) as container:
        shown = np.array(upright_frame(next(decoded_frames(container, open_video(container, 1))), 0, UPRIGHT))
    expected = np.frombuffer(raw, np.uint8).reshape(128, 192, 3).astype(int)
    inside = (
        np.ptp(sliding_window_view(np.pad(expected, ((5, 5), (5, 5), (0, 0)), "edge"), (11, 11), (0, 1)), (3, 4)) <= 5
    )
    assert inside.mean() > 0.1  # chroma is interpolated at the edges of the bars, which depends on the version
    assert np.abs(shown - expected)[inside].max() <= 5


@pytest.mark.parametrize("rate", [1, 2, 5, 12, Fraction(24_000, 1001), 30])
@pytest.mark.parametrize("jitter", [0.0, 0.2], ids=["even", "jitter"])
def test_every_second_has_the_frames_shown_in_it(tmp_path, rate, jitter):
    count = int(4 * rate) + 1
    shaken = np.random.default_rng(0).uniform(0, jitter, count) * (np.arange(count) > 0)
    times = (np.arange(count) + shaken) / float(rate)
    path = write_media(tmp_path / "a.mp4", frames=count, rate=rate, times=times)
    cut_video([path], tmp_path / "cut", fps=4, short_side=0, threads=1)
    for second in range(3):
        files = sorted((tmp_path / f"cut/frame_{second:03}").iterdir())
        indices = [read_code(np.array(Image.open(file))) for file in files]
        assert indices == [int(file.stem) for file in files]
        assert min(4, int(rate)) <= len(indices) <= 4
        shown = [np.searchsorted(times, instant, "right") - 1 for instant in (second + 1e-4, second + 1 - 1e-4)]
        assert shown[0] <= indices[0] and indices[-1] <= shown[1]


@pytest.mark.parametrize("rate", [4_000, 11_025, 44_100, 192_000, 384_000])
@pytest.mark.parametrize(
    ("codec", "error"),
    [("u8", 2**-7), ("s16le", 2**-15), ("s24le", 2**-23), ("s32le", 2**-23), ("f32le", 0), ("f64le", 0)],
)
def test_samples_of_any_rate_and_format_are_those_that_were_written(tmp_path, rate, codec, error):
    sound = noise(0.5, rate)
    path = write_media(tmp_path / "a.wav", sound=sound, sound_rate=rate, layout="stereo", audio_codec=f"pcm_{codec}")
    audio = audio_of_video(path)
    assert audio.rate == rate
    np.testing.assert_allclose(audio.samples, sound, rtol=0, atol=error)


def damage(content: bytearray, kind: str, seed: int) -> bytes:
    rng = np.random.default_rng(seed)
    size = len(content)
    if kind == "truncated":
        return bytes(content[: rng.integers(1, size - 1000)])
    for at in rng.integers(0, size - 3000, 5 if kind == "flipped" else 1):
        content[at : at + 3000] = bytes(3000) if kind == "holed" else content[at : at + 3000]
        content[at] ^= 255
    return bytes(content)


@pytest.mark.slow
@pytest.mark.parametrize("suffix", ["mp4", "mkv", "ts", "avi", "flv"])
@pytest.mark.parametrize("kind", ["truncated", "holed", "flipped"])
def test_damage_is_a_sentence_or_costs_little(tmp_path, suffix, kind):
    sound = {"sound": noise(3, 44_100), "sound_rate": 44_100}
    whole = write_media(tmp_path / f"a.{suffix}", frames=75, encoder={"gop_size": 5}, **sound).read_bytes()
    for seed in range(4):
        path = tmp_path / f"{seed}.{suffix}"
        path.write_bytes(damage(bytearray(whole), kind, seed))
        folders = tmp_path / "frames" / str(seed), tmp_path / "audio" / str(seed)
        jobs = (cut_video, [path], folders[0], 4, 0, 1), (cut_audio, [path], None, {}, folders[1], 160, 1)
        for folder, (work, *arguments) in zip(folders, jobs, strict=True):
            failure = run_one(work, "name", *arguments).failure
            assert folder.exists() == (failure is None)
            assert failure is None or "Error: " not in failure
