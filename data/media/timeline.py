"""Time stamps that go on where recordings were joined, as by ``cat a.ts b.ts``: those of each one begin anew."""

import av

from data.media.notes import note

LARGEST_STEP_BACK = 0.5  # seconds; packets of one stream are stored in decoding order, so less is rounding or damage
LARGEST_STEP_AHEAD = 10.0  # seconds, in broadcast formats; as in ffmpeg, more is another recording, not a gap


class Timeline:
    """Shifts the time stamps of a file's packets so that each recording starts where the video before it ends.

    Every stream of a recording gets the same shift. So it takes the packets of all streams, in file order.
    """

    def __init__(self, broadcast: bool) -> None:
        self._ahead = LARGEST_STEP_AHEAD if broadcast else float("inf")
        self._shifts = [0.0]  # of each recording, in seconds
        self._recordings: dict[int, int] = {}  # stream index -> recording
        self._last: dict[int, int] = {}  # stream index -> time stamp before the shift, in ticks
        self._ends: dict[str, float] = {}  # type of stream -> end of its last packet, shifted, in seconds
        self.joins: set[tuple[int, int]] = set()  # stream index and time stamp of each recording's first packet

    def shift(self, packet: av.Packet) -> None:
        """Shift the time stamps of a packet."""
        stamp = packet.dts if packet.dts is not None else packet.pts
        if stamp is None or not packet.size:
            return
        index, kind, tick = packet.stream_index, packet.stream.type, float(packet.time_base)
        recording = self._recordings.setdefault(index, len(self._shifts) - 1)
        # An edit list makes time stamps of packets that it hides go back.
        step = 0.0 if packet.is_discard else (stamp - self._last.get(index, stamp)) * tick
        joined = not -LARGEST_STEP_BACK < step < self._ahead
        if joined:
            if recording == len(self._shifts) - 1:
                end = self._ends.get("video", self._ends[kind])
                self._shifts.append(end - stamp * tick)
                note("it consists of several recordings; the time stamps of each go on where the last one ends")
            recording = self._recordings[index] = len(self._shifts) - 1
        shift = round(self._shifts[recording] / tick)
        if not packet.is_discard:
            self._last[index] = stamp
            self._ends[kind] = (stamp + shift + (packet.duration or 0)) * tick
        if shift:
            packet.pts = None if packet.pts is None else packet.pts + shift
            packet.dts = None if packet.dts is None else packet.dts + shift
        if joined:
            self.joins.add((index, packet.pts))
