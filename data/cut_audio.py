"""Cuts sound into 1-second log-mel spectrograms, aligned to the picture.

Reads the sound of ``DATA_DIR/video/NAME.mp4``, or ``DATA_DIR/audio/NAME.flac`` (or .wav, ...) where there is one, and
writes ``DATA_DIR/audio_frames/NAME/013.npy``: float32 (201, 64), time and mel band, of second 13. A finished video is
skipped on the next run.
"""

import sys
from argparse import Namespace
from collections.abc import Sequence
from pathlib import Path

if not __package__:  # run by path: imports start at the repository root
    sys.path[0] = str(Path(__file__).resolve().parents[1])

import numpy as np

from data.cut import cut_parser, cut_videos, single_video
from data.decode_audio import Sound, separate_sound, sound_of_video, whole_seconds
from data.errors import MediaError
from data.layout import audio_frames_dir, sounds_by_name, spectrogram_file, videos_by_name
from data.spectrogram import SAMPLE_RATE, SETTINGS, log_mel
from data.whole_files import whole_folder


def cut_audio(sound: Sound, folder: Path) -> None:
    """Write the spectrogram of each whole second of a sound, all or none.

    Args:
        sound: the sound, aligned to the picture.
        folder: where ``013.npy`` go; replaced if it exists.

    Raises:
        MediaError: the sound is shorter than a second.
        OSError: the spectrograms cannot be written.
    """
    first_second, seconds = whole_seconds(sound, SAMPLE_RATE)
    if not len(seconds):
        end = sound.start + len(sound.samples) / sound.rate
        raise MediaError(
            f"its sound has no whole second: it lasts from {sound.start:.2f} to {end:.2f} s of the picture"
        )
    with whole_folder(folder) as partial:
        for second, spectrogram in enumerate(log_mel(seconds), first_second):
            np.save(partial / spectrogram_file(second), spectrogram)


def cut_one(videos: list[Path], sound_file: Path | None, folder: Path) -> None:
    """`cut_audio` for one NAME: of its separate sound file if it has one, else of its video."""
    if sound_file is not None:
        try:
            sound = separate_sound(sound_file)
        except MediaError as error:
            raise MediaError(f"{sound_file}: {error}") from error
    else:
        sound = sound_of_video(single_video(videos))
    cut_audio(sound, folder)


def parse(argv: Sequence[str] | None) -> Namespace:
    """Options of this program."""
    return cut_parser(__doc__).parse_args(argv)


def main(argv: Sequence[str] | None = None) -> int:
    """Run the program; returns its exit status."""
    options = parse(argv)
    out = audio_frames_dir(options.data_dir)
    videos, sounds = videos_by_name(options.data_dir), sounds_by_name(options.data_dir)
    names = sorted(videos.keys() | sounds.keys())
    jobs = {name: (videos.get(name, []), sounds.get(name), out / name) for name in names}
    return cut_videos("cut_audio", cut_one, jobs, out, SETTINGS, "location_dmc.py", options)


if __name__ == "__main__":
    sys.exit(main())
