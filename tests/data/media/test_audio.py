"""The audio of files of many kinds is what librosa loads, aligned to the video; windows of it equal the whole."""

import tracemalloc
from collections.abc import Iterable, Iterator
from pathlib import Path

import av
import librosa
import numpy as np
import pytest

from common.errors import MediaError, MediaWarning
from data.media.audio import Audio, AudioWindow, audio_of_name, audio_of_video, stream_audio, whole_seconds
from tests.fixtures.media import click, noise, remux, write_media

RATE = 16_000
pytestmark = pytest.mark.filterwarnings("ignore::DeprecationWarning:audioread")


def loudest_time(path: Path) -> float:
    """Time of the loudest sample, in seconds of the video."""
    first_second, seconds = whole_seconds(audio_of_video(path), RATE)
    return first_second + int(np.abs(seconds).argmax()) / RATE


@pytest.mark.parametrize("rate", [8_000, 11_025, 22_050, 44_100, 48_000, 96_000])
@pytest.mark.parametrize("kind", ["flac", "wav"])
def test_an_audio_file_of_any_rate_is_what_librosa_loads(tmp_path, rate, kind):
    channels = np.stack([noise(2, rate, seed=1), 0.5 * noise(2, rate, seed=2)])
    path = tmp_path / f"a.{kind}"
    codec = "pcm_s16le" if kind == "wav" else "flac"
    write_media(path, sound=channels, sound_rate=rate, layout="stereo", audio_codec=codec)
    loaded, _ = librosa.load(path, sr=RATE, res_type="soxr_hq")
    first_second, seconds = whole_seconds(audio_of_name([], path), RATE)
    assert first_second == 0 and seconds.shape == (2, RATE)
    np.testing.assert_allclose(seconds.ravel(), loaded[: 2 * RATE], rtol=0, atol=1e-5)


def test_mono_is_the_mean_of_all_channels(tmp_path):
    channels = np.stack([noise(1, 48_000, seed=seed) for seed in range(6)])
    path = write_media(
        tmp_path / "a.mkv", frames=25, sound=channels, sound_rate=48_000, layout="5.1", audio_codec="pcm_f32le"
    )
    np.testing.assert_allclose(audio_of_video(path).samples, channels.mean(0), rtol=0, atol=1e-6)


@pytest.mark.parametrize(
    ("name", "codec", "rate", "layout"),
    [
        ("a.mp4", "aac", 96_000, "mono"),
        ("a.mp4", "aac", 48_000, "5.1"),
        ("a.mkv", "libopus", 48_000, "stereo"),
        ("a.webm", "libopus", 48_000, "mono"),
        ("a.mkv", "libmp3lame", 44_100, "stereo"),
        ("a.mov", "aac", 22_050, "mono"),
        ("a.ts", "aac", 48_000, "stereo"),
        ("a.mkv", "flac", 96_000, "stereo"),
    ],
)
def test_a_click_keeps_its_time_in_every_codec(tmp_path, name, codec, rate, layout):
    path = write_media(
        tmp_path / name,
        frames=75, video_codec="libvpx-vp9" if name.endswith("webm") else "libx264",
        sound=click(1.25, 3, rate), sound_rate=rate, layout=layout, audio_codec=codec,
    )  # fmt: skip
    assert loudest_time(path) == pytest.approx(1.25, abs=0.011)
    assert len(whole_seconds(audio_of_video(path), RATE)[1]) in (2, 3)


@pytest.mark.parametrize(
    ("video_start", "sound_start", "expected", "whole"),
    [(0, 0.5, 1.75, [0, 1, 2]), (0.4, 0, 0.85, [0, 1]), (0.4, 0.4, 1.25, [0, 1, 2]), (0, 1.5, 2.75, [1, 2, 3])],
    ids=["late audio", "late video", "both late", "audio later than a second"],
)
def test_audio_is_aligned_to_the_video_by_time_stamps(tmp_path, video_start, sound_start, expected, whole):
    path = write_media(
        tmp_path / "a.mkv",
        frames=100, video_start=video_start, sound=click(1.25, 3), sound_start=sound_start, audio_codec="flac",
    )  # fmt: skip
    assert loudest_time(path) == pytest.approx(expected, abs=0.005)
    first_second, seconds = whole_seconds(audio_of_video(path), RATE)
    assert [*range(first_second, first_second + len(seconds))] == whole


def test_a_gap_in_the_audio_becomes_silence_and_a_leap_is_an_error(tmp_path):
    whole = write_media(tmp_path / "whole.mkv", frames=100, sound=click(2.25, 4), audio_codec="pcm_s16le")

    def without_a_second(packet: av.Packet) -> bool:
        return packet.stream.type == "video" or not 0.5 <= packet.pts * packet.time_base < 1.5

    def leap(packet: av.Packet) -> bool:
        if packet.stream.type == "audio" and packet.pts * packet.time_base >= 1:
            packet.pts = packet.dts = packet.pts + 3_600_000  # ms
        return True

    remux(whole, tmp_path / "gap.mkv", without_a_second)
    with pytest.warns(MediaWarning, match="its audio has gaps"):
        assert loudest_time(tmp_path / "gap.mkv") == pytest.approx(2.25, abs=0.011)
    remux(whole, tmp_path / "leap.mkv", leap)
    with pytest.raises(MediaError, match="leap by 3600 seconds"):
        audio_of_video(tmp_path / "leap.mkv")


@pytest.mark.parametrize("bad", [np.nan, np.inf, -np.inf, 1e38])
def test_samples_that_are_no_numbers_are_silence(tmp_path, bad):
    sound = noise(2)
    sound[5000:5010] = bad
    path = write_media(tmp_path / "a.mkv", sound=sound, audio_codec="pcm_f32le")
    with pytest.warns(MediaWarning, match="no numbers"):
        samples = audio_of_video(path).samples
    np.testing.assert_array_equal(samples, np.where(np.abs(sound) < 10, sound, 0))


@pytest.mark.parametrize(("kind", "codec"), [("flac", "flac"), ("m4a", "aac")])
def test_an_audio_file_that_is_cut_short_is_named(tmp_path, kind, codec):
    options = {"movflags": "faststart"} if kind == "m4a" else {}
    path = write_media(tmp_path / f"a.{kind}", sound=noise(6), audio_codec=codec, options=options)
    path.write_bytes(path.read_bytes()[: path.stat().st_size // 2])
    with pytest.raises(MediaError, match=f"a.{kind}: the file is cut short"):
        audio_of_name([], path)


def pieces(samples: np.ndarray, rate: int, start: float = 0.0) -> Iterator[Audio]:
    """Audio in pieces of awkward sizes, one empty and one longer than a second."""
    begin, sizes = 0, (1024, 1, 0, 333, rate + rate // 3)
    while begin < len(samples):
        for size in sizes:
            yield Audio(samples[begin : begin + size], rate, start + begin / rate)
            begin += size


@pytest.mark.parametrize("rate", [8_000, 11_025, 16_000, 22_050, 44_100, 48_000, 96_000])
@pytest.mark.parametrize("start", [-0.3, 0.0, 0.7, 2.4])
def test_whole_seconds_equal_those_of_the_whole_audio_resampled_at_once(rate, start):
    samples = noise(6.4, rate, seed=rate)
    first, seconds = whole_seconds(Audio(samples, rate, start), RATE)
    window = AudioWindow(pieces(samples, rate, start), RATE)
    assert len(seconds) >= 6
    for second, expected in enumerate(seconds, first):
        np.testing.assert_allclose(window.around(second + 0.5), expected, rtol=0, atol=1e-6)


@pytest.mark.parametrize(
    ("seconds", "begins"),
    [
        (1, {0: 0, 0.2: 0, 0.5: 0, 0.75: 0.25, 1.3: 0.8, 8.9: 8.4, 9.4: 8.5, 9.6: 8.5}),
        (1, {0.75: 0.25, 10.6: 8.5}),
        (1, {0.75: 0.25, 12: 8.5}),
        (5, {0: 0, 2.5: 0, 2.75: 0.25, 6.9: 4.4, 7.2: 4.5, 9.4: 4.5}),
    ],
)
def test_the_window_is_centered_also_after_a_leap_and_stays_within_the_audio_at_both_ends(seconds, begins):
    samples = noise(9.5)
    window = AudioWindow(pieces(samples, RATE), RATE, seconds)
    for time, begin in begins.items():
        window.level(time)  # reads on, and drops what is not needed any more
        expected = samples[round(begin * RATE) :][: seconds * RATE]
        np.testing.assert_array_equal(window.around(time), expected, err_msg=str(time))


@pytest.mark.parametrize("samples", [noise(0.4), noise(0)], ids=["short", "none"])
def test_audio_shorter_than_a_second_is_completed_with_silence(samples):
    window = AudioWindow(pieces(samples, RATE), RATE)
    expected = np.pad(samples, (0, RATE - len(samples)))
    for time in (0, 0.3, 5.0):
        np.testing.assert_array_equal(window.around(time), expected)
    assert window.level(5.0) == -120


def test_the_level_is_the_root_mean_square_in_decibels_of_full_scale():
    time = np.arange(4 * RATE) / RATE
    samples = (np.sin(2 * np.pi * 500 * time) * np.where(time < 2, 1, 0.01)).astype(np.float32)
    samples[3 * RATE :] = 0
    window = AudioWindow(pieces(samples, RATE), RATE)
    levels = [window.level(at) for at in (0, 1, 2.5, 3.1, 3.14, 9)]  # at 3.1 a tenth of the time has audio
    assert levels == pytest.approx([-3.01, -3.01, -43.01, -53.01, -120, -120], abs=0.05)


def test_each_piece_of_a_file_starts_where_the_one_before_ends(tmp_path):
    path = write_media(tmp_path / "a.mp4", frames=75, sound=noise(3, 44_100), sound_rate=44_100)
    parts = list(stream_audio(path, 0.0))
    ends = [piece.start + len(piece.samples) / piece.rate for piece in parts]
    assert len(parts) > 10 and [piece.start for piece in parts[1:]] == pytest.approx(ends[:-1])


def peak_memory(seconds: int, times: Iterable[float], start: float = 0.0) -> int:
    """Peak bytes while a window goes through audio of 48 kHz."""
    chunk = noise(1, 48_000)
    window = AudioWindow((Audio(chunk, 48_000, start + second) for second in range(seconds)), RATE)
    tracemalloc.start()
    for time in times:
        window.level(time)
        window.around(time)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    return peak


def test_memory_grows_neither_with_the_length_of_the_audio_nor_with_a_leap_nor_with_silence_before_it():
    usual = peak_memory(60, range(60))
    assert peak_memory(600, range(600)) < usual + 200_000  # at 16 kHz the audio has 38 MB
    assert peak_memory(600, [0.5, 550.5]) < usual + 200_000
    assert peak_memory(60, range(6000, 6060), start=6000.0) < usual + 200_000
