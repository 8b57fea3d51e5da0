"""Where each file of a data set lies: the one place that knows the paths.

A data set is one folder, ``--data_dir``::

    video/NAME.mp4                         the videos
    audio/NAME.flac                        optional separate sound tracks
    video_frames/NAME/frame_013/00411.jpg  frame 411 of the video, in second 13
    audio_frames/NAME/013.npy              log-mel spectrogram of second 13
    audio_frames/noise.npy, silence.npy    spectrograms of seconds in which nothing sounds
    train.txt, val.txt, test.txt           one NAME a line
    boxes.json, labels.json                optional ground truth and classes
"""

from collections.abc import Callable, Iterable
from pathlib import Path

LIST_NAMES = ("train", "val", "test")

# By their ending, as a folder of downloads also holds subtitles, thumbnails and half-loaded files.
VIDEO_SUFFIXES = frozenset(
    ".mp4 .m4v .mov .mkv .webm .avi .flv .f4v .wmv .asf .mpg .mpeg .mpe .m1v .m2v .mp2v .mts .m2ts .ts .vob "
    ".3gp .3g2 .ogv .ogm .mxf .rm .rmvb .dv .divx .nut .y4m .gif".split()
)
# In order of preference where a name has several.
AUDIO_SUFFIXES = (".flac", ".wav", ".m4a", ".aac", ".opus", ".ogg", ".oga", ".mp3")


def video_dir(data_dir: Path) -> Path:
    """Folder of the videos, ``NAME.mp4``."""
    return Path(data_dir) / "video"


def audio_dir(data_dir: Path) -> Path:
    """Folder of the optional separate sound tracks, ``NAME.flac``."""
    return Path(data_dir) / "audio"


def video_frames_dir(data_dir: Path) -> Path:
    """Folder of the extracted frames, one folder a video."""
    return Path(data_dir) / "video_frames"


def audio_frames_dir(data_dir: Path) -> Path:
    """Folder of the spectrograms, one folder a video."""
    return Path(data_dir) / "audio_frames"


def noise_file(data_dir: Path) -> Path:
    """Spectrograms of white noise, float32 (64, 201, 64)."""
    return audio_frames_dir(data_dir) / "noise.npy"


def silence_file(data_dir: Path) -> Path:
    """The spectrogram of silence, float32 (1, 201, 64)."""
    return audio_frames_dir(data_dir) / "silence.npy"


def labels_file(data_dir: Path) -> Path:
    """The optional classes of the videos."""
    return Path(data_dir) / "labels.json"


def boxes_file(data_dir: Path) -> Path:
    """The optional ground truth, in the form of MUSIC's; see `metrics.annotations`."""
    return Path(data_dir) / "boxes.json"


def list_path(list_dir: Path, list_name: str) -> Path:
    """Path of one of the lists ``train``, ``val``, ``test``."""
    return Path(list_dir) / f"{list_name}.txt"


def second_folder(second: int) -> str:
    """Name of the folder that holds one second's frames: ``frame_013``."""
    return f"frame_{second:03d}"


def frame_file(second: int, index: int) -> str:
    """A frame's path inside its video's folder: ``frame_013/00411.jpg``."""
    return f"{second_folder(second)}/{index:05d}.jpg"


def spectrogram_file(second: int) -> str:
    """A spectrogram's path inside its video's folder: ``013.npy``."""
    return f"{second:03d}.npy"


def parse_second_folder(name: str) -> int | None:
    """Second of a folder name such as ``frame_013``; None for other names."""
    return _second_of(name.removeprefix("frame_"), name, second_folder)


def parse_spectrogram_file(name: str) -> int | None:
    """Second of a file name such as ``013.npy``; None for other names."""
    return _second_of(name.removesuffix(".npy"), name, spectrogram_file)


def _second_of(digits: str, name: str, name_of: Callable[[int], str]) -> int | None:
    """The second whose name is `name`, and not, as ``frame_13``, some other way to write it."""
    return int(digits) if digits.isascii() and digits.isdigit() and name_of(int(digits)) == name else None


def files_by_name(folder: Path, suffixes: Iterable[str]) -> dict[str, list[Path]]:
    """Media files of a folder by NAME (their file name without its ending), sorted; several files may share one.

    Hidden files, folders and other endings are left out. An absent folder counts as empty.
    """
    found: dict[str, list[Path]] = {}
    if not folder.is_dir():
        return found
    wanted = frozenset(suffixes)
    for path in sorted(folder.iterdir()):
        if path.suffix.lower() in wanted and not path.name.startswith(".") and path.is_file():
            found.setdefault(path.stem, []).append(path)
    return found


def videos_by_name(data_dir: Path) -> dict[str, list[Path]]:
    """Videos of a data set by NAME; more than one file for a NAME is the caller's to report."""
    return files_by_name(video_dir(data_dir), VIDEO_SUFFIXES)


def audio_by_name(data_dir: Path) -> dict[str, Path]:
    """Separate sound tracks by NAME, the preferred file type where a NAME has several."""
    found = files_by_name(audio_dir(data_dir), AUDIO_SUFFIXES)
    return {
        name: min(paths, key=lambda path: AUDIO_SUFFIXES.index(path.suffix.lower())) for name, paths in found.items()
    }
