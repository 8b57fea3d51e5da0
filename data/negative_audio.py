"""Audio for the test frames: each second's own, or a negative that should locate nothing.

A network that gives the same maps with negative audio does not use the audio. An audio source is a callable of a
second's index; it draws from (seed, index), so that it depends neither on the order nor on the number of workers.
"""

from collections.abc import Callable
from functools import partial
from itertools import product
from pathlib import Path

import numpy as np
import torch

from common.errors import UserError
from data.index import SecondIndex
from data.layout import labels_file, noise_file, silence_file
from data.lists import label_of, labels_of_set
from data.preprocess.settings import audio_command
from data.read import read_spectrogram, read_spectrograms

AudioSource = Callable[[int], torch.Tensor]  # index of a second -> spectrogram, float32 [1, T, 64]


def own_audio(seconds: SecondIndex, index: int) -> torch.Tensor:
    """Return a second's own spectrogram."""
    return torch.from_numpy(read_spectrogram(seconds.spectrogram_path(index))).unsqueeze(0)


class ShuffledAudio:
    """The audio of a random second of another video with other content by the labels; all are equally likely.

    A video without a label counts as different from all other videos.
    """

    def __init__(self, seconds: SecondIndex, labels: dict[str, str], seed: int) -> None:
        self.seconds = seconds
        self.contents = [frozenset(label_of(name, labels).split()) for name in seconds.names]
        self.seed = seed
        if seconds.num_origins < 2:
            raise UserError("--audio shuffled takes the audio of other videos, but the list has one usable video")
        kinds = set(self.contents)
        alone = kinds - {own for own, other in product(kinds, kinds) if own.isdisjoint(other)}
        for name, contents in zip(seconds.names, self.contents, strict=True):
            if contents in alone:
                raise UserError(
                    "--audio shuffled takes the audio of videos with other content, but by the labels all usable "
                    f"videos of the list have something in common with {name} ({' '.join(sorted(contents))})"
                )

    def __call__(self, index: int) -> torch.Tensor:
        """Return the spectrogram for second `index`."""
        return own_audio(self.seconds, self.other(index))

    def other(self, index: int) -> int:
        """Return the index of the second whose audio second `index` gets."""
        rng = np.random.default_rng((self.seed, index))
        own = self.contents[self.seconds.video[index]]
        while True:
            other = self.seconds.of_other_video(index, rng)
            if own.isdisjoint(self.contents[self.seconds.video[other]]):
                return other


def random_audio(spectrograms: torch.Tensor, seed: int, index: int) -> torch.Tensor:
    """Draw one of the spectrograms [n, 1, T, 64] for second `index`."""
    return spectrograms[np.random.default_rng((seed, index)).integers(len(spectrograms))]


def read_noise(data_dir: Path, training: bool) -> torch.Tensor:
    """Read spectrograms of white noise, float32 [32, 1, T, 64]: one half is for training, the other for tests."""
    noise = _read_spectrograms(data_dir, noise_file(data_dir))
    half = len(noise) // 2
    return noise[:half] if training else noise[half:]


def read_silence(data_dir: Path) -> torch.Tensor:
    """Read the spectrogram of silence, float32 [1, 1, T, 64]."""
    return _read_spectrograms(data_dir, silence_file(data_dir))


def _read_spectrograms(data_dir: Path, path: Path) -> torch.Tensor:
    if not path.exists():
        raise UserError(f"there is no {path}: {audio_command(data_dir)} adds it in a moment")
    return torch.from_numpy(read_spectrograms(path)).unsqueeze(1)


class NoiseNegatives:
    """Negative audio for all frames of a batch: `count` seconds of noise, drawn anew each time, and one of silence.

    A `count` of 0 leaves out silence too.
    """

    def __init__(self, data_dir: Path, count: int) -> None:
        self.count = count
        if count:
            self.noise, self.silence = read_noise(data_dir, training=True), read_silence(data_dir)

    def draw(self, spectrograms: torch.Tensor) -> torch.Tensor:
        """Draw [count + 1, 1, T, 64] for a batch's spectrograms [B, 1, T, 64], the same in all processes."""
        if not self.count:
            return spectrograms[:0]
        # Noise stays on the device and is drawn there: each copy to a GPU would have to be waited for.
        self.noise, self.silence = self.noise.to(spectrograms), self.silence.to(spectrograms)
        chosen = torch.randint(len(self.noise), (self.count,), device=spectrograms.device)
        return torch.cat([self.noise[chosen], self.silence])


def choose_audio(audio: str, seconds: SecondIndex, seed: int) -> AudioSource:
    """Make the audio source that `audio` names, ``own`` or negative; prints where labels are missing for it."""
    if audio == "shuffled":
        source = ShuffledAudio(seconds, labels_of_set(seconds.data_dir), seed)
        if unlabelled := sum(not contents for contents in source.contents):
            print(
                f"--audio shuffled: {unlabelled} of {len(source.contents)} videos have no label in "
                f"{labels_file(seconds.data_dir)}: they exchange audio with any other video, also with one of the same "
                "content"
            )
        return source
    if audio == "noise":
        return partial(random_audio, read_noise(seconds.data_dir, training=False), seed)
    if audio == "silence":
        return partial(random_audio, read_silence(seconds.data_dir), seed)
    return partial(own_audio, seconds)
