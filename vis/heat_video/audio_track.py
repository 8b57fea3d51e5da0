"""Copies the audio packets of a file into another one. Converts them to AAC if the format cannot hold them."""

import io
import itertools
import math
from collections.abc import Iterator
from fractions import Fraction
from pathlib import Path

import av
from av.audio.stream import AudioStream
from av.container import InputContainer, OutputContainer

from data.media.audio import GAP_SECONDS
from data.media.container import audio_stream_of, decoded_frames, open_media, packets
from data.media.notes import note

AAC_RATES = (8000, 11025, 12000, 16000, 22050, 24000, 32000, 44100, 48000, 64000, 88200, 96000)
AAC_BIT_RATE = 192_000
AAC_FRAME = 1024  # samples
SHORTEST = Fraction(1, 2000)  # seconds between packets: formats refuse equal time stamps, in ticks of any size


class AudioTrack:
    """The first audio stream of `source`, muxed into `target` step by step with the frames.

    Args:
        source: the file with the audio.
        target: the new file, still empty.
        kind: FFmpeg's name of its format.
        start: time stamp in the source, in seconds, that becomes 0 in the target.
    """

    def __init__(self, source: Path, target: OutputContainer, kind: str, start: Fraction) -> None:
        self._target = target
        self._packets = _packets(source, target, kind, start)
        next(self._packets)  # adds the stream, which must exist before the first packet is written
        self._waiting: av.Packet | None = None

    def mux_until(self, time: Fraction | None = None) -> None:
        """Mux the packets up to `time`, in seconds of the target; None means all."""
        while (packet := self._waiting or next(self._packets, None)) is not None:
            self._waiting = packet
            if time is not None and packet.dts * packet.time_base > time:
                return
            self._waiting = None
            self._target.mux(packet)

    def close(self) -> None:
        """Close the source."""
        self._packets.close()


def _packets(source: Path, target: OutputContainer, kind: str, start: Fraction) -> Iterator[av.Packet | None]:
    """None once the target has its stream, then its packets, starting at 0."""
    with open_media(source) as container:
        stream = audio_stream_of(container)
        if _can_hold(kind, stream):
            copy = target.add_stream_from_template(stream)
            yield None
            for packet in _copied(container, stream, round(start / stream.time_base)):
                packet.stream = copy
                yield packet
        else:
            name = stream.codec_context.name
            note(f"its audio is {name}, which {kind} cannot hold: converted to AAC")
            yield from _encoded(container, stream, target, start)


def _can_hold(kind: str, stream: AudioStream) -> bool:
    """Whether a format can hold a stream, by a trial in memory."""
    try:
        with av.open(io.BytesIO(), "w", format=kind) as trial:
            trial.add_stream_from_template(stream)
            trial.start_encoding()
    except (av.FFmpegError, ValueError):
        return False
    return True


def _copied(container: InputContainer, stream: AudioStream, start: int) -> Iterator[av.Packet]:
    """The packets of a stream, `start` ticks earlier, without those whose time goes back by more than rounding."""
    last, left_out = None, 0
    step = math.ceil(SHORTEST / stream.time_base)
    for packet in packets(container, stream):
        if packet.size == 0:
            continue
        stamp = packet.dts if packet.dts is not None else packet.pts
        if stamp is None or (last is not None and (last - stamp) * stream.time_base > GAP_SECONDS):
            left_out += 1
            continue
        last = stamp if last is None else max(stamp, last + step)
        packet.pts = last - start + (0 if packet.pts is None else packet.pts - stamp)
        packet.dts = last - start
        yield packet
    if left_out:
        note(f"{left_out} audio packets have time stamps before those of their predecessors, and were left out")


def _encoded(
    container: InputContainer, stream: AudioStream, target: OutputContainer, start: Fraction
) -> Iterator[av.Packet | None]:
    """The audio as AAC, mono or stereo, of the same rate if AAC has it. First yields None, as `_packets`."""
    rate = stream.rate if stream.rate in AAC_RATES else 48_000
    layout = "mono" if stream.channels == 1 else "stereo"
    encoder = target.add_stream("aac", rate=rate, layout=layout)
    encoder.codec_context.bit_rate = AAC_BIT_RATE
    yield None
    resampler = av.AudioResampler(format="fltp", layout=layout, rate=rate, frame_size=AAC_FRAME)
    for frame in itertools.chain(decoded_frames(container, stream), [None]):  # None flushes
        for converted in resampler.resample(frame):
            converted.pts -= round(start / converted.time_base)
            yield from encoder.encode(converted)
    yield from encoder.encode(None)
