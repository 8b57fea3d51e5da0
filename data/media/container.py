"""Opening a video or sound file with PyAV, and what its packets tell before anything is decoded."""

import contextlib
import os
from collections.abc import Iterator, Sequence
from pathlib import Path

import av
from av.container import InputContainer
from av.stream import Disposition, Stream

from common.errors import MediaError
from data.media.notes import note

# Formats whose header states a duration that can be relied on; elsewhere FFmpeg guesses it from the bit rate.
FORMATS_WITH_DURATION = frozenset({"mov", "mp4", "matroska", "webm", "flac"})
LONGEST_GAP_SECONDS = 600.0  # a longer leap of the time stamps is a broken file
CUT_SHORT_SECONDS = 0.5  # a shorter tail than promised is a matter of rounding, not of a broken download


@contextlib.contextmanager
def open_media(path: Path) -> Iterator[InputContainer]:
    """Open a media file for reading.

    Raises:
        MediaError: the file is absent, empty or nothing that FFmpeg reads.
    """
    path = Path(os.path.abspath(path))  # FFmpeg takes "a:b.mp4" for a protocol, but no absolute path
    if not path.is_file():
        raise MediaError("there is no such file")
    if path.stat().st_size == 0:
        raise MediaError("the file is empty (0 bytes); fetch it again")
    try:
        # Only local files: a playlist from a stranger must not make us open addresses.
        container = av.open(str(path), metadata_errors="replace", options={"protocol_whitelist": "file"})
    except (av.FFmpegError, ValueError) as error:
        raise MediaError(f"FFmpeg cannot read it ({_reason(error)}); it is damaged, incomplete or no video") from error
    with container:
        yield container


def _reason(error: Exception) -> str:
    return getattr(error, "strerror", None) or str(error)


def video_stream_of(container: InputContainer) -> Stream:
    """The video stream of a file; a cover picture of a sound file is none.

    Raises:
        MediaError: there is none.
    """
    streams = [stream for stream in container.streams.video if not stream.disposition & Disposition.attached_pic]
    return _decodable(streams, "video")


def audio_stream_of(container: InputContainer) -> Stream:
    """The first audio stream of a file.

    Raises:
        MediaError: there is none.
    """
    return _decodable(container.streams.audio, "audio")


def _decodable(streams: Sequence[Stream], kind: str) -> Stream:
    if not streams:
        raise MediaError(f"it has no {kind} stream")
    for stream in streams:
        if stream.codec_context is not None:
            return stream
    raise MediaError(f"FFmpeg does not know the codec of its {kind}; re-encode it")


def packets(container: InputContainer, *streams: Stream) -> Iterator[av.Packet]:
    """The packets of some streams, or of all if none is given, each stream's last one empty.

    Raises:
        MediaError: the file cannot be read to its end.
    """
    try:
        yield from container.demux(*streams)
    except av.EOFError:
        return
    except av.FFmpegError as error:
        raise MediaError(f"reading it stopped midway ({_reason(error)}); fetch it again") from error


def decoded_frames(container: InputContainer, stream: Stream) -> Iterator[av.VideoFrame | av.AudioFrame]:
    """The decoded frames of one stream, in order of presentation.

    A packet that does not decode is passed over, as players do, and told of by a note.

    Raises:
        MediaError: the file cannot be read to its end.
    """
    damaged = 0
    for packet in packets(container, stream):
        try:
            frames = packet.decode()
        except av.FFmpegError:
            damaged += 1
            continue
        yield from frames
    if damaged:
        note(f"{damaged} damaged packets of its {stream.type} were passed over")


def scan(path: Path) -> list[int] | None:
    """Read through a file's packets: cheap, as nothing is decoded.

    Returns:
        The presentation time stamps that its pictures promise to have, ascending, in ticks; None without pictures or
        time stamps.

    Raises:
        MediaError: the file cannot be read, or ends before the duration that it states.
    """
    pts = list(promised_stamps(path))
    if not pts or None in pts:
        return None
    return sorted(pts)


def promised_stamps(path: Path) -> Iterator[int | None]:
    """The presentation time stamp that each packet of pictures promises, in ticks, as they come: none are kept.

    Raises:
        MediaError: the file cannot be read; after the last one also if it ends before the duration that it states.
    """
    with open_media(path) as container:
        try:
            picture = video_stream_of(container)
        except MediaError:
            picture = None
        ends: dict[int, int] = {}  # stream -> tick it ends at; a fraction for each packet would take most of the time
        for packet in packets(container):
            if packet.size == 0:
                continue
            stamp = packet.pts if packet.pts is not None else packet.dts
            if stamp is not None:
                index = packet.stream_index
                ends[index] = max(ends.get(index, 0), stamp + (packet.duration or 0))
            if picture is not None and packet.stream_index == picture.index and not packet.is_discard:
                yield packet.pts
        end = max((float(tick * container.streams[index].time_base) for index, tick in ends.items()), default=0.0)
        _check_not_cut_short(container, end)


def _check_not_cut_short(container: InputContainer, end: float) -> None:
    """Raise MediaError if the packets end well before the duration that the header states."""
    if container.duration is None or not FORMATS_WITH_DURATION & set(container.format.name.split(",")):
        return
    # Matroska states when it ends, the others how long they last.
    start = 0 if "matroska" in container.format.name else container.start_time or 0
    stated_end = (start + container.duration) / av.time_base
    if stated_end - end > CUT_SHORT_SECONDS:
        raise MediaError(f"the file is cut short: it ends after {end:.1f} of {stated_end:.1f} seconds; fetch it again")
