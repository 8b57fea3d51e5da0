"""Windows of streamed audio against the whole file, decoded and resampled at once."""

import tracemalloc
from collections.abc import Iterable, Iterator

import numpy as np
import pytest

from data.media.audio import Audio, decode_audio, stream_audio, whole_seconds
from data.media.audio_stream import AudioWindow
from data.media.spectrogram import SAMPLE_RATE
from tests.fixtures.media import noise, write_media


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
    first, seconds = whole_seconds(Audio(samples, rate, start), SAMPLE_RATE)
    window = AudioWindow(pieces(samples, rate, start), SAMPLE_RATE)
    assert len(seconds) >= 6
    for second, expected in enumerate(seconds, first):
        np.testing.assert_allclose(window.second(second + 0.5), expected, rtol=0, atol=1e-6)


def test_the_window_is_centered_and_stays_within_the_audio_at_both_ends():
    samples = noise(3.5)
    window = AudioWindow(pieces(samples, SAMPLE_RATE), SAMPLE_RATE)
    for time, begin in ((0, 0), (0.2, 0), (0.5, 0), (0.75, 0.25), (1.3, 0.8), (2.9, 2.4), (3.4, 2.5), (3.6, 2.5)):
        found = window.second(time)
        np.testing.assert_array_equal(found, samples[round(begin * SAMPLE_RATE) :][:SAMPLE_RATE], err_msg=str(time))


@pytest.mark.parametrize("samples", [noise(0.4), noise(0)], ids=["short", "none"])
def test_audio_shorter_than_a_second_is_completed_with_silence(samples):
    window = AudioWindow(pieces(samples, SAMPLE_RATE), SAMPLE_RATE)
    expected = np.pad(samples, (0, SAMPLE_RATE - len(samples)))
    for time in (0, 0.3, 5.0):
        np.testing.assert_array_equal(window.second(time), expected)
    assert window.level(5.0) == -120


def test_the_level_is_the_root_mean_square_in_decibels_of_full_scale():
    time = np.arange(4 * SAMPLE_RATE) / SAMPLE_RATE
    samples = (np.sin(2 * np.pi * 500 * time) * np.where(time < 2, 1, 0.01)).astype(np.float32)
    samples[3 * SAMPLE_RATE :] = 0
    window = AudioWindow(pieces(samples, SAMPLE_RATE), SAMPLE_RATE)
    levels = [window.level(at) for at in (0, 1, 2.5, 3.1, 3.14, 9)]  # at 3.1 a tenth of the time has audio
    assert levels == pytest.approx([-3.01, -3.01, -43.01, -53.01, -120, -120], abs=0.05)


def test_a_file_decoded_in_pieces_equals_the_file_decoded_whole(tmp_path):
    sound = np.stack([noise(3, 44_100, seed=1), noise(3, 44_100, seed=2)])
    path = write_media(tmp_path / "a.mp4", frames=75, sound=sound, sound_rate=44_100, layout="stereo")
    whole = decode_audio(path, 0.0)
    parts = list(stream_audio(path, 0.0))
    np.testing.assert_array_equal(np.concatenate([part.samples for part in parts]), whole.samples)
    begins = whole.start + np.cumsum([0, *(len(part.samples) for part in parts[:-1])]) / whole.rate
    np.testing.assert_allclose([part.start for part in parts], begins)


def peak_memory(seconds: int, times: Iterable[float]) -> int:
    """Peak bytes while a window goes through audio of 48 kHz."""
    chunk = noise(1, 48_000)
    window = AudioWindow((Audio(chunk, 48_000, float(second)) for second in range(seconds)), SAMPLE_RATE)
    tracemalloc.start()
    for time in times:
        window.level(time)
        window.second(time)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    return peak


def test_memory_grows_neither_with_the_length_of_the_audio_nor_with_a_leap():
    usual = peak_memory(60, range(60))
    assert peak_memory(600, range(600)) < usual + 200_000  # at 16 kHz the audio has 38 MB
    assert peak_memory(600, [0.5, 550.5]) < usual + 200_000


def test_a_leap_skips_audio():
    samples = noise(9)
    window = AudioWindow(pieces(samples, SAMPLE_RATE), SAMPLE_RATE)
    for second in (0, 7):
        np.testing.assert_array_equal(window.second(second + 0.5), samples[second * SAMPLE_RATE :][:SAMPLE_RATE])
