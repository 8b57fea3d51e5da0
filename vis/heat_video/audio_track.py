"""Copies the audio packets of a file into another one. Converts them to AAC if they cannot be copied."""

import itertools
import os
from collections.abc import Iterator
from fractions import Fraction
from pathlib import Path

import av
from av.container import OutputContainer

from data.media.audio import Audio, stream_channels
from data.media.container import audio_stream_of, is_broadcast, open_media, packets
from data.media.notes import note
from data.media.timeline import Timeline

AAC_RATES = (8000, 11025, 12000, 16000, 22050, 24000, 32000, 44100, 48000, 64000, 88200, 96000)
AAC_BIT_RATE = 192_000


class AudioTrack:
    """The audio of `source`, muxed into `target` step by step with the frames.

    Args:
        source: the file with the audio.
        target: the new file, still empty.
        kind: FFmpeg's name of its format.
        start: time stamp in the source, in seconds, that becomes 0 in the target.
    """

    def __init__(self, source: Path, target: OutputContainer, kind: str, start: Fraction) -> None:
        self._target = target
        if _can_copy(source, kind):
            self._packets = _copied(source, target, start)
        else:
            note(f"its audio cannot be copied into {kind}: converted to AAC")
            self._packets = _encoded(source, target, start)
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


def _can_copy(source: Path, kind: str) -> bool:
    """Whether a format can hold the audio packets of a file as they are, by a trial that writes nowhere."""
    try:
        with open_media(source) as container, open(os.devnull, "wb") as nowhere:
            stream = audio_stream_of(container)
            timeline = Timeline(is_broadcast(container))
            with av.open(nowhere, "w", format=kind) as trial:
                copy = trial.add_stream_from_template(stream)
                begun = False
                for packet in packets(container, stream, timeline):
                    if packet.size:
                        if packet.dts is None or (packet.is_discard and begun):  # an edit list hides it
                            return False
                        begun = begun or not packet.is_discard
                        packet.stream = copy
                        trial.mux(packet)
    except (av.FFmpegError, ValueError):  # the packets do not fit, are damaged, or their time goes back
        return False
    return not timeline.joins  # there the packets overlap, or leave a gap


def _copied(source: Path, target: OutputContainer, start: Fraction) -> Iterator[av.Packet | None]:
    """None once the target has its stream, then the packets of the source, `start` seconds earlier."""
    with open_media(source) as container:
        stream = audio_stream_of(container)
        copy = target.add_stream_from_template(stream)
        yield None
        shift = round(start / stream.time_base)
        for packet in packets(container, stream):
            if packet.size:
                packet.pts, packet.dts = (
                    None if stamp is None else stamp - shift for stamp in (packet.pts, packet.dts)
                )
                packet.stream = copy
                yield packet


def _encoded(source: Path, target: OutputContainer, start: Fraction) -> Iterator[av.Packet | None]:
    """As `_copied`, the audio as AAC: in stereo if it is, else in mono; of the same rate if AAC has it."""
    pieces = stream_channels(source, float(start))
    first = next(pieces)
    rate = first.rate if first.rate in AAC_RATES else 48_000
    layout, count = ("stereo", 2) if first.samples.shape[1] == 2 else ("mono", 1)
    encoder = target.add_stream("aac", rate=rate, layout=layout)
    encoder.codec_context.bit_rate = AAC_BIT_RATE
    yield None
    for piece in itertools.chain([first], pieces):
        yield from encoder.encode(_as_frame(piece, layout, count))
    yield from encoder.encode(None)


def _as_frame(piece: Audio, layout: str, count: int) -> av.AudioFrame:
    """A piece as a frame of `count` channels."""
    samples = piece.samples
    if samples.shape[1] != count:
        samples = samples.mean(1, keepdims=True).repeat(count, 1)
    frame = av.AudioFrame.from_ndarray(samples.reshape(1, -1), "flt", layout=layout)
    frame.sample_rate, frame.time_base = piece.rate, Fraction(1, piece.rate)
    frame.pts = round(piece.start * piece.rate)
    return frame
