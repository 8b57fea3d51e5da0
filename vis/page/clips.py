"""The sound of single seconds as MP3, which every browser plays and which is a quarter of the size of plain samples."""

import io
from collections.abc import Iterable

import av
import numpy as np

from data.media.audio import Audio, whole_seconds

RATE = 32_000  # samples a second: twice that of the spectrograms, so that one hears more than the network
BIT_RATE = 64_000  # 8 kB a second
MEDIA_TYPE = "audio/mpeg"


def clips_of_seconds(sound: Audio, seconds: Iterable[int]) -> dict[int, bytes]:
    """The seconds of a sound as MP3, cut where the spectrograms are.

    Args:
        sound: aligned to the picture.
        seconds: whole seconds of the picture.

    Returns:
        second -> MP3 file; without those that the sound does not have, or not to their end.
    """
    first, pieces = whole_seconds(sound, RATE)
    return {second: as_mp3(pieces[second - first]) for second in seconds if 0 <= second - first < len(pieces)}


def as_mp3(samples: np.ndarray) -> bytes:
    """An MP3 file.

    Args:
        samples: float32 [n], mono, RATE a second, full scale is 1; what is louder is cut off.
    """
    file = io.BytesIO()
    with av.open(file, "w", format="mp3") as container:
        stream = container.add_stream("libmp3lame", rate=RATE, layout="mono", bit_rate=BIT_RATE)
        size = stream.codec_context.frame_size or 1152
        for start in range(0, len(samples), size):
            piece = np.clip(samples[None, start : start + size], -1, 1).astype(np.float32)
            frame = av.AudioFrame.from_ndarray(np.ascontiguousarray(piece), "fltp", layout="mono")
            frame.sample_rate, frame.pts = RATE, start
            container.mux(stream.encode(frame))
        container.mux(stream.encode(None))
    return file.getvalue()
