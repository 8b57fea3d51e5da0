"""The sounds that test frames can be heard with: their own one, or one that should locate nothing in them.

A network whose maps stay the same with another sound has not listened. Each sound here is a callable of a second's
index; what it draws comes from (seed, index), so that it depends neither on the order nor on the number of workers.
"""

from collections.abc import Callable
from itertools import product
from pathlib import Path

import numpy as np
import torch

from common.errors import UserError
from data.index import SecondIndex
from data.layout import labels_file, noise_file, silence_file
from data.lists import contents_of, labels_of_set
from data.preprocess.settings import audio_command
from data.transforms import load_spectrogram, load_spectrograms

AUDIO_CHOICES = ("own", "shuffled", "noise", "silence")

Audio = Callable[[int], torch.Tensor]  # index of a second -> float32 [1, 201, 64]


class OwnAudio:
    """Each second's own sound."""

    def __init__(self, seconds: SecondIndex) -> None:
        self.seconds = seconds

    def __call__(self, index: int) -> torch.Tensor:
        """The spectrogram of second `index`."""
        return load_spectrogram(self.seconds.spectrogram_path(index))


class ShuffledAudio:
    """A random second of another video that shows other things, by the data set's labels; each of them as likely.

    A video without a label, or a data set without labels, counts as other than all others.

    Args:
        seconds: the seconds to hear, and to draw from.
        labels: class by name or ID, of `data.lists.read_labels`.
        seed: of the draw.

    Raises:
        UserError: a video has no other one to take a sound from.
    """

    def __init__(self, seconds: SecondIndex, labels: dict[str, str], seed: int) -> None:
        self.seconds = seconds
        self.contents = [contents_of(name, labels) for name in seconds.names]
        self.seed = seed
        self._require_others()

    def _require_others(self) -> None:
        if len(self.contents) < 2:
            raise UserError("--audio shuffled takes the sounds of other videos, but the list has one usable video")
        kinds = set(self.contents)
        lonely = kinds - {own for own, other in product(kinds, kinds) if own.isdisjoint(other)}
        for name, contents in zip(self.seconds.names, self.contents, strict=True):
            if contents in lonely:
                raise UserError(
                    "--audio shuffled takes the sounds of videos of other content, but by the labels all usable videos "
                    f"of the list have something in common with {name} ({' '.join(sorted(contents))})"
                )

    def __call__(self, index: int) -> torch.Tensor:
        """The spectrogram that second `index` is heard with."""
        return load_spectrogram(self.seconds.spectrogram_path(self.other(index)))

    def other(self, index: int) -> int:
        """Index of the second whose sound second `index` is heard with."""
        rng = np.random.default_rng((self.seed, index))
        own = self.contents[self.seconds.video[index]]
        while True:
            other = self.seconds.of_other_video(index, rng)
            if own.isdisjoint(self.contents[self.seconds.video[other]]):
                return other


class OneOf:
    """A random one of some spectrograms for each second.

    Args:
        spectrograms: float32 [n, 1, 201, 64].
        seed: of the draw.
    """

    def __init__(self, spectrograms: torch.Tensor, seed: int) -> None:
        self.spectrograms = spectrograms
        self.seed = seed

    def __call__(self, index: int) -> torch.Tensor:
        """The spectrogram that second `index` is heard with."""
        return self.spectrograms[np.random.default_rng((self.seed, index)).integers(len(self.spectrograms))]


def read_noise(data_dir: Path, training: bool) -> torch.Tensor:
    """Spectrograms of white noise, float32 [32, 1, 201, 64]: training hears the first half, tests the second.

    Raises:
        UserError: ``noise.npy`` is missing or damaged.
    """
    noise = _read_negatives(data_dir, noise_file(data_dir))
    half = len(noise) // 2
    return noise[:half] if training else noise[half:]


def read_silence(data_dir: Path) -> torch.Tensor:
    """The spectrogram of silence, float32 [1, 1, 201, 64].

    Raises:
        UserError: ``silence.npy`` is missing or damaged.
    """
    return _read_negatives(data_dir, silence_file(data_dir))


def _read_negatives(data_dir: Path, path: Path) -> torch.Tensor:
    if not path.exists():
        raise UserError(f"there is no {path}: {audio_command(data_dir)} adds it in a moment")
    return load_spectrograms(path)


class NoiseNegatives:
    """Seconds that sound like no picture: some of noise, another choice in each batch, and one of silence.

    Args:
        data_dir: the data set's folder.
        count: seconds of noise; 0 leaves out silence too.

    Raises:
        UserError: ``noise.npy`` or ``silence.npy`` is missing or damaged.
    """

    def __init__(self, data_dir: Path, count: int) -> None:
        self.count = count
        if count:
            self.noise, self.silence = read_noise(data_dir, training=True), read_silence(data_dir)

    def draw(self, spectrograms: torch.Tensor) -> torch.Tensor:
        """The sounds of nothing for a batch's sounds, [B, 1, 201, 64]: [count + 1, 1, 201, 64], or none of them.

        Several processes draw the same.
        """
        if not self.count:
            return spectrograms[:0]
        # They stay on the device, and what is drawn is drawn there: whatever is copied to a GPU is waited for.
        self.noise, self.silence = self.noise.to(spectrograms), self.silence.to(spectrograms)
        chosen = torch.randint(len(self.noise), (self.count,), device=spectrograms.device)
        return torch.cat([self.noise[chosen], self.silence])


def choose_audio(audio: str, seconds: SecondIndex, seed: int) -> Audio:
    """The sound that each test second is heard with; says where labels are missing for it.

    Args:
        audio: one of `AUDIO_CHOICES`.
        seconds: the seconds to test on.
        seed: of what is drawn.

    Raises:
        UserError: there is no such sound in this data set, see the classes.
    """
    if audio == "shuffled":
        sound = ShuffledAudio(seconds, labels_of_set(seconds.data_dir), seed)
        if unlabelled := sum(not contents for contents in sound.contents):
            print(
                f"--audio shuffled: {unlabelled} of {len(sound.contents)} videos have no label in "
                f"{labels_file(seconds.data_dir)}: they hear and are heard with any others, which may show the same"
            )
        return sound
    if audio == "noise":
        return OneOf(read_noise(seconds.data_dir, training=False), seed)
    if audio == "silence":
        return OneOf(read_silence(seconds.data_dir), seed)
    return OwnAudio(seconds)
