"""The audio of a video in another file: the same packets, else AAC."""

from fractions import Fraction
from pathlib import Path

import av
import numpy as np
import pytest

from data.media.audio import audio_of_video
from data.media.notes import collected_notes
from tests.fixtures.heat_video import make_video
from vis.heat_video.audio_track import AudioTrack


def muxed(source: Path, kind: str = "mp4", start: float = 0) -> Path:
    """A file of the audio of the source."""
    path = source.with_name("audio")
    with av.open(str(path), "w", format=kind) as target:
        track = AudioTrack(source, target, kind, Fraction(start))
        track.mux_until()
        track.close()
    return path


def audio_packets(path: Path) -> tuple[list[float], list[bytes]]:
    """Times and contents of the audio packets of a file."""
    with av.open(str(path)) as container:
        packets = [packet for packet in container.demux(container.streams.audio[0]) if packet.size]
        return [float(packet.pts * packet.time_base) for packet in packets], [bytes(packet) for packet in packets]


@pytest.mark.parametrize(
    ("name", "options"),
    [
        ("a.mp4", {"sound_rate": 44_100, "layout": "stereo"}),
        ("a.mov", {"audio_codec": "pcm_s16le"}),
        ("a.mkv", {"audio_codec": "flac", "sound_start": 0.7}),
        ("a.webm", {"video_codec": "libvpx-vp9", "audio_codec": "libopus", "sound_rate": 48_000}),
    ],
)
def test_packets_are_copied_bit_for_bit_and_earlier_by_the_start(tmp_path, name, options):
    video = make_video(tmp_path / name, frames=30, seconds=1.5, **options)
    times, packets = audio_packets(video)
    copied_times, copied = audio_packets(muxed(video, start=0.5 if "sound_start" in options else 0))
    assert copied == packets
    np.testing.assert_allclose(copied_times, np.array(times) - 0.5 * ("sound_start" in options), atol=1e-4)


def test_audio_becomes_aac_only_if_the_format_cannot_hold_it(tmp_path):
    mulaw = {"sound_rate": 44_100, "layout": "stereo", "audio_codec": "pcm_mulaw"}
    video = make_video(tmp_path / "a.mov", frames=30, **mulaw)
    with collected_notes() as notes:
        path = muxed(video)
    assert notes == ["its audio cannot be copied into mp4: converted to AAC"]
    with av.open(str(path)) as after:
        assert after.streams.audio[0].codec_context.name == "aac" and after.streams.audio[0].channels == 2
    lengths = [len(audio_of_video(one).samples) for one in (video, path)]
    assert lengths[1] == pytest.approx(lengths[0], abs=4096)
    assert audio_packets(muxed(video, "mov"))[1] == audio_packets(video)[1]
