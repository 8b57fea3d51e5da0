"""The paths of a data set's files; no other module spells them out. docs/formats.md says what the files contain."""

import os
from collections.abc import Collection
from pathlib import Path

from common.cli import command
from common.errors import UserError

LIST_NAMES = ("train", "val", "test")

# A folder of downloads also holds subtitles, thumbnails and incomplete files, that of a camera small copies (.LRV).
VIDEO_SUFFIXES = frozenset(
    ".mp4 .m4v .mov .qt .insv .mkv .mk3d .webm .avi .flv .f4v .wmv .asf .mpg .mpeg .mpe .m1v .m2v .m2p .mp2v .mod .tod "
    ".mts .m2ts .m2t .ts .tp .trp .vob .3gp .3gpp .3g2 .ogv .ogm .mxf .rm .rmvb .dv .divx .nut .y4m .gif".split()
)
# In order of preference if a name has several.
AUDIO_SUFFIXES = (".flac", ".wav", ".m4a", ".aac", ".opus", ".ogg", ".oga", ".mp3")


def video_dir(data_dir: Path) -> Path:
    """Return the folder of the videos, ``NAME.mp4``."""
    return Path(data_dir) / "video"


def audio_dir(data_dir: Path) -> Path:
    """Return the folder of the optional separate audio tracks, ``NAME.flac``."""
    return Path(data_dir) / "audio"


def stems_dir(data_dir: Path) -> Path:
    """Return the folder of the optional stems, ``NAME/5.wav``: each source of NAME alone, by its category_id."""
    return Path(data_dir) / "stems"


def video_frames_dir(data_dir: Path) -> Path:
    """Return the folder of the extracted frames, which has a folder for each video."""
    return Path(data_dir) / "video_frames"


def audio_frames_dir(data_dir: Path) -> Path:
    """Return the folder of the spectrograms, which has a folder for each video."""
    return Path(data_dir) / "audio_frames"


def noise_file(data_dir: Path) -> Path:
    """Return the file of the spectrograms of white noise, float32 [64, T, 64]."""
    return audio_frames_dir(data_dir) / "noise.npy"


def silence_file(data_dir: Path) -> Path:
    """Return the file of the spectrogram of silence, float32 [1, T, 64]."""
    return audio_frames_dir(data_dir) / "silence.npy"


def labels_file(data_dir: Path) -> Path:
    """Return the file of the optional classes of the videos."""
    return Path(data_dir) / "labels.json"


def boxes_file(data_dir: Path) -> Path:
    """Return the file of the optional ground truth, in the format of MUSIC; see `metrics.maps.annotations`."""
    return Path(data_dir) / "boxes.json"


def object_prior_file(data_dir: Path) -> Path:
    """Return the file of the object prior of the test frames, maps in the form of ``dmc.pkl``."""
    return Path(data_dir) / "object_prior.pkl"


def annotations_dir(data_dir: Path) -> Path:
    """Return the folder of the optional ground truth in the format of Flickr-SoundNet, ``NAME.xml``."""
    return Path(data_dir) / "annotations"


def mask_file(data_dir: Path, name: str, second: int) -> Path:
    """Return the file of the optional mask of a second."""
    return Path(data_dir) / "masks" / name / f"{second:03d}.png"


def list_path(list_dir: Path, list_name: str) -> Path:
    """Return the file of one of the lists ``train``, ``val``, ``test``."""
    return Path(list_dir) / f"{list_name}.txt"


def second_folder(second: int) -> str:
    """Return the name of a second's folder of frames: ``frame_013``."""
    return f"frame_{second:03d}"


def frame_file(second: int, index: int) -> str:
    """Return a frame's path inside its video's folder: ``frame_013/00411.jpg``."""
    return f"{second_folder(second)}/{index:05d}.jpg"


def spectrogram_file(second: int) -> str:
    """Return a spectrogram's path inside its video's folder: ``013.npy``."""
    return f"{second:03d}.npy"


def stem_spectrogram_file(second: int, stem: str) -> str:
    """Return the path of a stem's spectrogram inside its video's folder: ``013_5.npy``."""
    return f"{second:03d}_{stem}.npy"


def category_order(category: str) -> tuple[int, str]:
    """Return the sort key of categories, and so of stems: numbers in their order."""
    return len(category), category


def parse_spectrogram_file(name: str) -> int | None:
    """Return the second of a file name such as ``013.npy``; None for other names, ``13.npy`` too."""
    digits = name.removesuffix(".npy")
    return int(digits) if digits.isascii() and digits.isdigit() and spectrogram_file(int(digits)) == name else None


def files_by_name(folder: Path, suffixes: Collection[str]) -> dict[str, list[Path]]:
    """Return the media files of a folder by NAME, the file name without its suffix; several files may share a NAME.

    Hidden files are left out. A dangling link counts: whoever reads it reports it. An absent folder counts as empty.
    """
    found: dict[str, list[Path]] = {}
    for path in _visible(folder):
        if path.suffix.lower() in suffixes and not os.path.isdir(path):
            found.setdefault(path.stem, []).append(path)
    return found


def _visible(folder: Path) -> list[Path]:
    return [path for path in sorted(folder.iterdir()) if path.name[0] != "."] if folder.is_dir() else []


def left_out(data_dir: Path) -> list[str]:
    """Return a line for each folder of media that also holds folders or files of other endings: it names some."""
    lines = []
    for folder, suffixes in ((video_dir(data_dir), VIDEO_SUFFIXES), (audio_dir(data_dir), AUDIO_SUFFIXES)):
        others = [path.name for path in _visible(folder) if path.suffix.lower() not in suffixes or os.path.isdir(path)]
        shown = ", ".join(map(repr, others[:10])) + (f" and {len(others) - 10} more" if others[10:] else "")
        if others:
            lines.append(f"left out of {folder}, as their endings are not known: {shown}")
    return lines


def videos_by_name(data_dir: Path) -> dict[str, list[Path]]:
    """Return the videos of a data set by NAME; the caller reports a NAME with several files."""
    return files_by_name(video_dir(data_dir), VIDEO_SUFFIXES)


def audio_by_name(data_dir: Path) -> dict[str, Path]:
    """Return the separate audio tracks by NAME; of several files, the one of the preferred type."""
    found = files_by_name(audio_dir(data_dir), AUDIO_SUFFIXES)
    return {
        name: min(paths, key=lambda path: AUDIO_SUFFIXES.index(path.suffix.lower())) for name, paths in found.items()
    }


def stems_by_name(data_dir: Path) -> dict[str, dict[str, Path]]:
    """Return the stems of each NAME that has some: the file of each category_id."""
    return {
        folder.name: {stem: paths[0] for stem, paths in files_by_name(folder, AUDIO_SUFFIXES).items()}
        for folder in _visible(stems_dir(data_dir))
    }


def names_of_set(data_dir: Path) -> list[str]:
    """Return the NAMEs of a data set: of its videos, and of its audio tracks that have frames without a video."""
    frames = video_frames_dir(data_dir)
    return sorted({*videos_by_name(data_dir), *(name for name in audio_by_name(data_dir) if (frames / name).is_dir())})


def no_videos(data_dir: Path) -> UserError:
    """Return the error of a data set without videos."""
    demo = command("data/make_demo.py", data_dir)
    return UserError(f"no videos in {video_dir(data_dir)}: put some there, or make the demo set with {demo}")
