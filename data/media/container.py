"""Opens video and audio files with PyAV and reads their packets."""

import contextlib
import itertools
import os
from collections.abc import Iterator, Sequence
from pathlib import Path

import av
from av.container import InputContainer
from av.format import Flags
from av.stream import Disposition, Stream

from common.errors import MediaError
from data.media.notes import note
from data.media.timeline import Timeline

# Formats whose header describes the whole file, with a reliable duration. Others can be joined by `cat`.
FORMATS_WITH_HEADER = frozenset({"mov", "mp4", "matroska", "webm", "flac"})
LONGEST_GAP_SECONDS = 600.0  # time stamps that leap further come from a broken file
CUT_SHORT_SECONDS = 0.5  # less may be missing at the end because of rounding
MOST_PIXELS = 2**26  # of a frame: twice as many as 8K has. A decoder reserves memory for any size that a file states
OPTIONS = {
    "max_pixels": str(MOST_PIXELS),  # of decoders that look for what the header does not say
    "protocol_whitelist": "file",  # a playlist from a stranger must not make us open addresses
    "probesize": "50000000",  # bytes, and the next are microseconds: a stream may begin late
    "analyzeduration": "60000000",
}
NO_VIDEO = Disposition.attached_pic | Disposition.still_image | Disposition.timed_thumbnails


def single_file(paths: Sequence[Path]) -> Path:
    """Return the only file of a NAME; several, such as ``a.mp4`` and ``a.webm``, are an error."""
    if len(paths) > 1:
        names = ", ".join(path.name for path in paths)
        raise MediaError(f"several videos have this name: {names}; keep one of them")
    return paths[0]


@contextlib.contextmanager
def open_media(path: Path) -> Iterator[InputContainer]:
    """Open a media file for reading; raise MediaError if that is impossible, as all functions here do."""
    path = Path(os.path.abspath(path))  # FFmpeg takes "a:b.mp4" for a protocol unless the path is absolute
    if not path.is_file():
        raise MediaError("there is no such file")
    if path.stat().st_size == 0:
        raise MediaError("the file is empty (0 bytes); fetch it again")
    try:
        container = av.open(str(path), metadata_errors="replace", options=OPTIONS)
    except (av.FFmpegError, ValueError) as error:
        reason = getattr(error, "strerror", error)
        raise MediaError(f"FFmpeg cannot read it ({reason}); it is damaged, incomplete or no video") from error
    with container:
        yield container


def video_stream_of(container: InputContainer) -> Stream:
    """Return the video stream that a player shows; the cover of an audio file does not count."""
    stream = _player_choice(container, "video")
    context = stream.codec_context
    if context.width * context.height > MOST_PIXELS:
        raise MediaError(f"its frames have {context.width} x {context.height} pixels: scale them down")
    if not context.is_open:
        context.options = {**context.options, "max_pixels": str(MOST_PIXELS)}  # a frame may be larger than stated
    return stream


def audio_stream_of(container: InputContainer) -> Stream:
    """Return the audio stream that a player plays, of the same programme as the video; set to a layout that PyAV frees.

    PyAV 17 and 18 free the list of channels of an unusual layout twice. Decoders take the layout that is set here.
    """
    video = None
    with contextlib.suppress(MediaError):
        video = video_stream_of(container)
    stream = _player_choice(container, "audio", video)
    layout = stream.codec_context.layout
    name, count = layout.name, layout.nb_channels
    del layout  # it frees the list
    if count and " " in name:  # not one of FFmpeg's named layouts
        stream.codec_context.layout = f"{count} channels"
    return stream


def _player_choice(container: InputContainer, kind: str, related: Stream | None = None) -> Stream:
    streams = [stream for stream in container.streams if stream.type == kind and not stream.disposition & NO_VIDEO]
    if not streams:
        raise MediaError(f"it has no {kind} stream")
    known = [stream for stream in streams if stream.codec_context is not None]
    if not known:
        raise MediaError(f"FFmpeg does not know the codec of its {kind}; re-encode it")
    if kind == "video" and len(known) > 1:  # a cover may be a plain stream
        known = [stream for stream in known if _has_motion(container, stream)] or known
    best = container.streams.best(kind, related)
    return best if best in known else known[0]


def _has_motion(container: InputContainer, stream: Stream) -> bool:
    """Whether a stream has more than one packet; leaves the container where it is."""
    with open_media(Path(container.name)) as again:
        filled = (packet for packet in packets(again, again.streams[stream.index]) if packet.size)
        return len(list(itertools.islice(filled, 2))) == 2


def packets(
    container: InputContainer, stream: Stream | None = None, timeline: Timeline | None = None
) -> Iterator[av.Packet]:
    """Yield the packets of a stream, by default of all, in time of a Timeline; the last of each stream is empty."""
    try:
        if _has_header(container):  # a search for joins would take a sixth of the time to cut a video
            yield from container.demux(*([stream] if stream else []))
            return
        timeline = timeline or Timeline(is_broadcast(container))
        for packet in timeline.shift(container.demux()):
            if stream is None or packet.stream is stream:  # the index of the last, empty ones is 0
                yield packet
    except (av.EOFError, IndexError):  # IndexError: a stream began later than any that PyAV knows
        return
    except av.FFmpegError as error:
        raise MediaError(f"reading it stopped midway ({error.strerror}); fetch it again") from error


def _has_header(container: InputContainer) -> bool:
    return not FORMATS_WITH_HEADER.isdisjoint(container.format.name.split(","))


def is_broadcast(container: InputContainer) -> bool:
    """Whether time stamps of its format may leap and wrap, as those of MPEG-TS."""
    return bool(container.format.flags & Flags.ts_discont.value)


def decoded_frames(
    container: InputContainer, stream: Stream, timeline: Timeline | None = None
) -> Iterator[av.VideoFrame | av.AudioFrame]:
    """Yield the decoded frames of one stream in presentation order.

    Packets that cannot be decoded are skipped, as players do, and counted in a note.
    """
    damaged = 0
    for packet in packets(container, stream, timeline):
        try:
            frames = packet.decode()
        except av.FFmpegError:
            damaged += 1
            continue
        yield from frames
    if damaged:
        note(f"{damaged} damaged packets of its {stream.type} were skipped")


def packet_timestamps(path: Path) -> list[int | None]:
    """Return the time stamp of each video packet in ticks, in file order; raise MediaError if the file is cut short."""
    with open_media(path) as container:
        video, found = None, []
        with contextlib.suppress(MediaError):
            video = video_stream_of(container).index
        ends: dict[int, int] = {}  # stream index -> end in ticks; one fraction a packet would take most of the time
        for packet in packets(container):
            if packet.size == 0:
                continue
            timestamp, index = packet.pts if packet.pts is not None else packet.dts, packet.stream_index
            if timestamp is not None:
                ends[index] = max(ends.get(index, 0), timestamp + (packet.duration or 0))
            if index == video and not packet.is_discard:
                found.append(packet.pts)
        end = max((float(tick * container.streams[index].time_base) for index, tick in ends.items()), default=0.0)
        _check_not_cut_short(container, end)
    return found


def packet_pts(path: Path) -> list[int] | None:
    """Return the time stamps of `packet_timestamps`, ascending; None if there are none or one is missing."""
    pts = packet_timestamps(path)
    return None if not pts or None in pts else sorted(pts)


def _check_not_cut_short(container: InputContainer, end: float) -> None:
    if container.duration is None or not _has_header(container):
        return
    # Matroska states the end time, the others state the duration.
    start = 0 if "matroska" in container.format.name else container.start_time or 0
    stated_end = (start + container.duration) / av.time_base
    if stated_end - end > CUT_SHORT_SECONDS:
        raise MediaError(f"the file is cut short: it ends after {end:.1f} of {stated_end:.1f} seconds; fetch it again")


def stated_seconds(path: Path) -> float:
    """Return the length that a file states, or that FFmpeg guesses from its bit rate."""
    with open_media(path) as container:
        if not container.duration:
            raise MediaError("it does not state its length; re-encode it")
        return container.duration / av.time_base


@contextlib.contextmanager
def writing_errors() -> Iterator[None]:
    """Turn PyAV's errors into those of the file that it writes, which they may hide."""
    try:
        yield
    except av.FFmpegError as error:
        cause: BaseException | None = error
        while isinstance(cause, av.FFmpegError):
            cause = cause.__context__
        if isinstance(cause, OSError):
            raise OSError(cause.errno, cause.strerror) from error
        raise OSError(error.errno, error.strerror) from error
