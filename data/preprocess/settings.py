"""Records the settings of frames or spectrograms beside them, so that files of different settings never mix."""

import json
from pathlib import Path

from common.atomic import atomic_file
from common.cli import command
from common.errors import UserError
from data.layout import audio_frames_dir

SETTINGS_FILE = "settings.json"
N_FFT = 160  # samples of the published window of a spectrogram, 10 ms at 16 kHz
SHORT, LONG = LENGTHS = (1, 5)  # seconds of audio in a spectrogram


def read_settings(folder: Path) -> dict[str, object] | None:
    """Read the settings recorded in `folder`; None if there are none, as in a data set cut by other tools."""
    path = Path(folder) / SETTINGS_FILE
    try:
        settings = json.loads(path.read_text(encoding="utf-8"))
        if not isinstance(settings, dict):
            raise ValueError("it holds no settings")
        return settings
    except FileNotFoundError:
        return None
    except (ValueError, RecursionError) as error:
        raise UserError(f"{path} is damaged ({error!s:.200}); delete it, or cut again with --overwrite 1") from error


def n_fft_of(data_dir: Path) -> int | None:
    """Return the window of a data set's spectrograms in samples; None if it is not recorded."""
    folder = audio_frames_dir(data_dir)
    settings = read_settings(folder)
    if settings is None:
        return None
    n_fft = settings.get("n_fft")
    if type(n_fft) is not int or n_fft <= 0:
        raise UserError(f"{folder / SETTINGS_FILE} is damaged (n_fft is {n_fft!r:.40}): cut again with --overwrite 1")
    return n_fft


def seconds_of(data_dir: Path) -> int:
    """Return how many seconds of audio a spectrogram of a data set covers, one of `LENGTHS`."""
    return LONG if (read_settings(audio_frames_dir(data_dir)) or {}).get("seconds") == LONG else SHORT


def cut_option(n_fft: int, seconds: int) -> str:
    """Return the option of ``cut_audio.py`` for such spectrograms."""
    return f"--n_fft {n_fft}" if seconds == SHORT else f"--seconds {seconds}"


def audio_command(data_dir: Path) -> str:
    """Return the command that cuts the missing audio of a data set, with the window of its other spectrograms."""
    option = cut_option(n_fft_of(data_dir) or N_FFT, seconds_of(data_dir))
    return command("data/cut_audio.py", data_dir) + ("" if option == cut_option(N_FFT, SHORT) else f" {option}")


def record_settings(folder: Path, settings: dict[str, object], overwrite: bool) -> None:
    """Record `settings` in `folder`, unless its files were cut with others and `overwrite` is not set."""
    recorded = None if overwrite else read_settings(folder)
    if recorded is not None and recorded != settings:
        before, wanted = _differing(recorded, settings), _differing(settings, recorded)
        raise UserError(f"{folder} was cut with {before}, not {wanted}: give the same options, or --overwrite 1")
    with atomic_file(Path(folder) / SETTINGS_FILE) as path:
        path.write_text(json.dumps(settings) + "\n", encoding="utf-8")


def _differing(settings: dict[str, object], others: dict[str, object]) -> str:
    length = settings.get("seconds", SHORT)
    if length != others.get("seconds", SHORT):  # the length decides on all others
        return f"--seconds {length}"
    return ", ".join(f"--{name} {value}" for name, value in settings.items() if others.get(name) != value) or "others"
