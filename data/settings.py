"""The settings that frames or spectrograms were cut with, recorded beside them, so that two kinds never mix."""

import json
from pathlib import Path

from data.errors import UserError
from data.layout import audio_frames_dir
from data.whole_files import whole_file

SETTINGS_FILE = "settings.json"


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
    n_fft = (read_settings(audio_frames_dir(data_dir)) or {}).get("n_fft")
    return n_fft if isinstance(n_fft, int) else None


def record_settings(folder: Path, settings: dict[str, object], overwrite: bool) -> None:
    """Record `settings` in `folder`.

    Raises:
        UserError: what is in there was cut with other settings and `overwrite` is not set.
    """
    recorded = None if overwrite else read_settings(folder)
    if recorded is not None and recorded != settings:
        raise UserError(f"{folder} was cut with {_words(recorded)}, not {_words(settings)}; --overwrite 1 cuts anew")
    with whole_file(Path(folder) / SETTINGS_FILE) as path:
        path.write_text(json.dumps(settings) + "\n", encoding="utf-8")


def _words(settings: dict[str, object]) -> str:
    return " ".join(f"--{key} {value}" for key, value in settings.items())
