"""The settings that frames or spectrograms were cut with, recorded beside them, so that two kinds never mix."""

import json
from pathlib import Path

from common.atomic import atomic_file
from common.cli import command
from common.errors import UserError
from data.layout import audio_frames_dir

SETTINGS_FILE = "settings.json"
N_FFT = 160  # samples of the window of a spectrogram, 10 ms at 16 kHz, as published
OPTIONS = ("fps", "short_side", "n_fft")  # settings that can be given to the programs; the others are constants


def read_settings(folder: Path) -> dict[str, object] | None:
    """Settings recorded in `folder`; None if none are, as where others cut the files.

    Raises:
        UserError: the record cannot be read.
    """
    path = Path(folder) / SETTINGS_FILE
    try:
        settings = json.loads(path.read_text(encoding="utf-8"))
        if not isinstance(settings, dict):
            raise ValueError("it holds no settings")
        return settings
    except FileNotFoundError:
        return None
    except ValueError as error:
        raise UserError(f"{path} is damaged ({error}); delete it, or cut again with --overwrite 1") from error


def n_fft_of(data_dir: Path) -> int | None:
    """Samples of the window that a data set's spectrograms were cut with; None if that is not recorded.

    Raises:
        UserError: the record cannot be read.
    """
    return _n_fft_in(audio_frames_dir(data_dir))


def _n_fft_in(folder: Path) -> int | None:
    n_fft = (read_settings(folder) or {}).get("n_fft")
    return n_fft if isinstance(n_fft, int) else None


def window_option(folder: Path) -> str:
    """The option that `cut_audio.py` takes to go on in a folder of spectrograms: `` --n_fft 512``; empty by default.

    Raises:
        UserError: the record cannot be read.
    """
    n_fft = _n_fft_in(folder)
    return "" if n_fft in (None, N_FFT) else f" --n_fft {n_fft}"


def audio_command(data_dir: Path) -> str:
    """The command line that cuts what is missing of a data set's sound, with the window that the rest was cut with.

    Raises:
        UserError: the record of the window cannot be read.
    """
    return command("data/cut_audio.py", data_dir) + window_option(audio_frames_dir(data_dir))


def record_settings(folder: Path, settings: dict[str, object], overwrite: bool) -> None:
    """Record `settings` in `folder`.

    Raises:
        UserError: what is in there was cut with other settings and `overwrite` is not set.
    """
    recorded = None if overwrite else read_settings(folder)
    if recorded is not None and recorded != settings:
        raise UserError(f"{folder} {_difference(recorded, settings)}")
    with atomic_file(Path(folder) / SETTINGS_FILE) as path:
        path.write_text(json.dumps(settings) + "\n", encoding="utf-8")


def _difference(recorded: dict[str, object], settings: dict[str, object]) -> str:
    """What was cut differently, and what to do."""
    names = [name for name in {**recorded, **settings} if recorded.get(name) != settings.get(name)]
    there, wanted = (
        " ".join(f"--{name} {values.get(name)}" if name in OPTIONS else f"{name} {values.get(name)}" for name in names)
        for values in (recorded, settings)
    )
    go_on = f"{there} goes on with it, " if all(name in OPTIONS and name in recorded for name in names) else ""
    return f"was cut with {there}, not {wanted}: {go_on}--overwrite 1 cuts anew"
