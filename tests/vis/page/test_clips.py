"""MP3 clips of single seconds."""

import io

import av
import numpy as np
import pytest

from vis.page.clips import BIT_RATE, RATE, as_mp3


def decoded(mp3: bytes) -> np.ndarray:
    with av.open(io.BytesIO(mp3)) as container:
        assert container.format.name == "mp3" and container.streams.audio[0].rate == RATE
        return np.concatenate([frame.to_ndarray()[0] for frame in container.decode(audio=0)])


def pitch_of(mp3: bytes) -> float:
    """The strongest frequency, in Hz."""
    audio = decoded(mp3)[RATE // 10 : RATE * 9 // 10]
    return float(np.abs(np.fft.rfft(audio * np.hanning(len(audio)))).argmax() * RATE / len(audio))


def test_a_clip_is_small_and_sounds_as_its_second():
    time = np.arange(RATE) / RATE
    clip = as_mp3(np.sin(2 * np.pi * 440 * time).astype(np.float32))
    assert len(decoded(clip)) == pytest.approx(RATE, rel=0.1) and pitch_of(clip) == pytest.approx(440, abs=3)
    assert len(clip) < 1.2 * BIT_RATE / 8
