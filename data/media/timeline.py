"""Time stamps that go on where recordings were joined, as by ``cat a.ts b.ts``: those of each one begin anew."""

from collections.abc import Iterable, Iterator

import av

from data.media.notes import note

LARGEST_STEP_BACK = 0.5  # seconds; packets of one stream are stored in decoding order, so less is rounding or damage
LARGEST_STEP_AHEAD = 10.0  # seconds, in broadcast formats; as in ffmpeg, more is another recording, not a gap
MOST_WAITING = 500  # packets, 10 seconds of audio


class Timeline:
    """Shifts the time stamps of a file's packets so that the video of each recording goes on where the last one ends.

    All streams of a recording get the same shift.
    """

    def __init__(self, broadcast: bool) -> None:
        self._ahead = LARGEST_STEP_AHEAD if broadcast else float("inf")
        self._shifts = [0.0]  # of each recording, in seconds
        self._settled = True  # whether the shift of the last recording is that of its video
        self._has_video = False
        self._recordings: dict[int, int] = {}  # stream index -> recording
        self._last: dict[int, tuple[int, int]] = {}  # stream index -> begin and end of its last packet in ticks, stored
        self.joins: set[tuple[int, int]] = set()  # stream index and time stamp of each recording's first packet

    def shift(self, packets: Iterable[av.Packet]) -> Iterator[av.Packet]:
        """Yield all packets of a file, shifted."""
        waiting = []  # after the first packet of a recording until that of its video, and their recordings
        for packet in packets:
            before = self._recordings.get(packet.stream_index)
            recording = self._recording_of(packet)
            waiting.append((packet, recording, recording != before is not None))
            if self._settled or not packet.size or len(waiting) == MOST_WAITING:
                self._settled = True
                for one, number, joins in waiting:
                    shift = round(self._shifts[number] / float(one.time_base))
                    one.pts = None if one.pts is None else one.pts + shift
                    one.dts = None if one.dts is None else one.dts + shift
                    if joins:
                        self.joins.add((one.stream_index, one.pts))
                    yield one
                waiting.clear()

    def _recording_of(self, packet: av.Packet) -> int:
        index, stamp = packet.stream_index, packet.dts if packet.dts is not None else packet.pts
        newest = len(self._shifts) - 1
        recording = self._recordings.get(index, newest)
        # An edit list makes time stamps of packets that it hides go back.
        if not packet.size or stamp is None or packet.is_discard:
            return recording
        is_video, tick = packet.stream.type == "video", float(packet.time_base)
        self._has_video |= is_video
        begin, end = self._last.get(index, (stamp, stamp))
        if not -LARGEST_STEP_BACK < (stamp - begin) * tick < self._ahead:
            shift = self._shifts[recording] + (end - stamp) * tick
            if recording == newest:
                note("it consists of several recordings; the time stamps of each go on where the last one ends")
                self._shifts.append(shift)
                self._settled = not self._has_video
            if is_video and not self._settled:
                self._shifts[-1], self._settled = shift, True
            recording = len(self._shifts) - 1
        self._recordings[index] = recording
        self._last[index] = stamp, stamp + (packet.duration or 0)
        return recording
