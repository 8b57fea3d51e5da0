"""The audio of single seconds as MP3: every browser plays it, at a quarter of the size of raw samples."""

import io
import warnings
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path

import av
import numpy as np
from tqdm import tqdm

from common.errors import MediaError, MediaWarning
from data.layout import audio_by_name, audio_dir, video_dir, videos_by_name
from data.media.audio import Audio, audio_of_name, whole_seconds

RATE = 32_000  # samples a second: twice the rate of the spectrograms, so that a listener hears more than the network
BIT_RATE = 64_000  # 8 kB a second
MEDIA_TYPE = "audio/mpeg"

Second = tuple[str, int]  # NAME and second


def clips_of(seconds: Iterable[Second], data_dir: Path) -> tuple[dict[Second, bytes], dict[Second, str]]:
    """An MP3 file for each second that has audio, of its video or separate audio file. For the others the reason."""
    by_video: dict[str, list[int]] = {}
    for name, second in seconds:
        by_video.setdefault(name, []).append(second)
    videos, audio_files = videos_by_name(data_dir), audio_by_name(data_dir)
    clips: dict[Second, bytes] = {}
    missing: dict[Second, str] = {}
    for name, wanted in tqdm(by_video.items(), desc="audio", unit="video", leave=False):
        try:
            # Cut where the spectrograms are cut.
            first, pieces = whole_seconds(_audio_of(videos.get(name, []), audio_files.get(name), data_dir), RATE)
        except MediaError as error:
            missing |= {(name, second): str(error) for second in wanted}
            continue
        for second in wanted:
            if 0 <= second - first < len(pieces):
                clips[name, second] = as_mp3(pieces[second - first])
            else:
                missing[name, second] = "the audio ends earlier"
    return clips, missing


def failure_lines(missing: Mapping[Second, str]) -> list[str]:
    """A line for each video and reason, with the seconds that have no audio."""
    seconds: dict[tuple[str, str], list[str]] = {}
    for (video, second), reason in missing.items():
        seconds.setdefault((video, reason), []).append(str(second))
    return [f"{video}, audio of second {', '.join(of)}: {reason}" for (video, reason), of in seconds.items()]


def _audio_of(videos: Sequence[Path], audio_file: Path | None, data_dir: Path) -> Audio:
    """The audio of a NAME. The text of a MediaError names the file."""
    if not videos and audio_file is None:
        raise MediaError(
            f"there is no file of this name in {video_dir(data_dir)} or {audio_dir(data_dir)}: "
            "put it there, or name the data set of the maps with --data_dir"
        )
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", MediaWarning)  # cut_audio.py has reported it
        try:
            return audio_of_name(videos, audio_file)
        except MediaError as error:
            raise MediaError(str(error) if audio_file else f"{videos[0]}: {error}") from error


def as_mp3(samples: np.ndarray) -> bytes:
    """An MP3 file of float32 [n], mono, RATE samples a second, clipped to -1 ... 1."""
    file = io.BytesIO()
    with av.open(file, "w", format="mp3") as container:
        stream = container.add_stream("libmp3lame", rate=RATE, layout="mono", bit_rate=BIT_RATE)
        frame = av.AudioFrame.from_ndarray(np.clip(samples[None], -1, 1), "fltp", layout="mono")
        frame.sample_rate = RATE
        container.mux(stream.encode(frame))
        container.mux(stream.encode(None))
    return file.getvalue()
