"""Windows of streamed audio against the whole file, decoded and resampled at once."""

import tracemalloc
from collections.abc import Iterator

import numpy as np
import pytest

from data.media.audio import Audio, decode_audio, stream_audio, whole_seconds
from data.media.audio_stream import AudioWindow
from data.media.spectrogram import SAMPLE_RATE
from tests.fixtures.media import click, noise, write_media


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


def test_audio_shorter_than_a_second_is_completed_with_silence():
    samples = noise(0.4)
    window = AudioWindow(pieces(samples, SAMPLE_RATE), SAMPLE_RATE)
    for time in (0, 0.3, 5.0):
        second = window.second(time)
        assert second.shape == (SAMPLE_RATE,)
        np.testing.assert_array_equal(second[: len(samples)], samples)
        assert not second[len(samples) :].any()


def test_missing_audio_is_silence():
    window = AudioWindow(iter(()), SAMPLE_RATE)
    assert window.level(3.0) == -120 and not window.second(3.0).any()


def test_the_level_is_the_root_mean_square_in_decibels_of_full_scale():
    time = np.arange(4 * SAMPLE_RATE) / SAMPLE_RATE
    samples = (np.sin(2 * np.pi * 500 * time) * np.where(time < 2, 1, 0.01)).astype(np.float32)
    samples[3 * SAMPLE_RATE :] = 0
    window = AudioWindow(pieces(samples, SAMPLE_RATE), SAMPLE_RATE)
    levels = [window.level(at) for at in (0, 1, 2.5, 3.5, 9)]
    assert levels == pytest.approx([-3.01, -3.01, -43.01, -120, -120], abs=0.05)


def test_the_level_rises_where_the_audio_starts():
    window = AudioWindow(pieces(click(1.0, 3), SAMPLE_RATE), SAMPLE_RATE)
    loud = [time for time in np.arange(0, 3, 0.01) if window.level(time) > -120]
    assert loud[0] == pytest.approx(0.875, abs=0.02) and loud[-1] == pytest.approx(1.125, abs=0.02)


def test_a_file_decoded_in_pieces_equals_the_file_decoded_whole(tmp_path):
    sound = np.stack([noise(3, 44_100, seed=1), noise(3, 44_100, seed=2)])
    path = write_media(tmp_path / "a.mp4", frames=75, sound=sound, sound_rate=44_100, layout="stereo")
    whole = decode_audio(path, 0.0)
    parts = list(stream_audio(path, 0.0))
    np.testing.assert_array_equal(np.concatenate([part.samples for part in parts]), whole.samples)
    begins = whole.start + np.cumsum([0, *(len(part.samples) for part in parts[:-1])]) / whole.rate
    np.testing.assert_allclose([part.start for part in parts], begins)


def test_memory_does_not_grow_with_the_length_of_the_audio():
    chunk = noise(1, 48_000)

    def peak(seconds: int) -> int:
        window = AudioWindow((Audio(chunk, 48_000, float(second)) for second in range(seconds)), SAMPLE_RATE)
        tracemalloc.start()
        for second in range(seconds):
            window.level(second)
            window.second(second)
        peak = tracemalloc.get_traced_memory()[1]
        tracemalloc.stop()
        return peak

    assert peak(1000) < peak(60) + 200_000  # the longer one has 64 MB at 16 kHz


def test_a_leap_over_minutes_does_not_keep_the_skipped_audio_in_memory():
    whole = (Audio(noise(1, seed=second), SAMPLE_RATE, float(second)) for second in range(600))
    window = AudioWindow(whole, SAMPLE_RATE)
    window.second(0.5)
    tracemalloc.start()
    np.testing.assert_array_equal(window.second(550.5), noise(1, seed=550))
    assert tracemalloc.get_traced_memory()[1] < 3_000_000
    tracemalloc.stop()
