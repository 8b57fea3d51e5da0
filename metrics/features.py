"""Writes what a trained network gives for each second of a data set, to see what its features are worth.

    python3 metrics/features.py --ckpt_file runs/dmc/best.pth
    python3 metrics/features.py --ckpt_file runs/dmc/best.pth --data_dir ESC-50-master

The folder is a data set of ours, or one in ESC-50's layout (audio/*.wav, meta/esc50.csv). features.npz has the features
of the backbone, averaged over their positions, and the centers of the clusters; beside them those of a network with
random weights, and statistics of the input. metrics/probe.py compares them.
"""

import argparse
import shlex
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import NamedTuple

if not __package__:  # run by path: imports start at the repository root
    sys.path[0] = str(Path(__file__).resolve().parents[1])

from common.cli import new_parser


def parse(argv: Sequence[str] | None) -> argparse.Namespace:
    """The options of this program."""
    parser = new_parser(__doc__)
    parser.add_argument(
        "--ckpt_file",
        type=Path,
        default=Path("runs/dmc/best.pth"),
        help="the trained network, also one of the published code (default: %(default)s)",
    )
    parser.add_argument(
        "--what", choices=("audio", "visual"), default="audio", help="the stream of the network (default: %(default)s)"
    )
    parser.add_argument(
        "--out", type=Path, default=Path("features.npz"), help="the file to write (default: %(default)s)"
    )
    return parser.parse_args(argv)


if __name__ == "__main__":
    parse(None)  # answers --help and mistakes at once: the imports below take seconds

import numpy as np
import torch
from tqdm import tqdm

from common.atomic import require_writable
from common.errors import UserError
from common.exit_status import exit_status
from data.index import SecondIndex, index_data_dir
from data.lists import label_of, labels_of_set
from data.media.audio import audio_of_name, whole_seconds
from data.media.spectrogram import SAMPLE_RATE
from data.negative_audio import own_audio
from data.preprocess.spectrograms import spectrograms_of
from data.sets.esc50 import AudioClip, esc50_table, read_esc50
from data.transforms import load_frame, resize
from metrics.feature_file import Features, write_features
from models.dmc import TwoStreams, build_network
from training.batches import adopt_spectrogram_settings
from training.checkpoints.load import load_trained

BATCH_SIZE = 32  # seconds
SEED = 10  # of the random weights


class Clip(NamedTuple):
    """The seconds of a clip or video, as the network takes them."""

    name: str
    seconds: Sequence[int]
    label: str
    fold: int
    inputs: torch.Tensor  # spectrograms, float32 [seconds, 1, T, 64], or frames, uint8 [seconds, 3, size, size]


def clips_of_set(seconds: SecondIndex, frame_size: int | None) -> Iterator[Clip]:
    """The videos of a data set: their spectrograms, or with a `frame_size` the first frame of each second."""
    labels = labels_of_set(seconds.data_dir)
    for name, first, after in zip(seconds.names, seconds.first, seconds.first[1:], strict=False):
        if frame_size:
            paths = [seconds.frame_paths(row)[0] for row in range(first, after)]
            inputs = [resize(load_frame(path), frame_size) for path in paths]
        else:
            inputs = [own_audio(seconds, row) for row in range(first, after)]
        yield Clip(name, seconds.second[first:after], label_of(name, labels), 0, torch.stack(inputs))


def clips_of_esc50(clips: Sequence[AudioClip], n_fft: int, length: int) -> Iterator[Clip]:
    """The clips of ESC-50: a spectrogram for each whole second, of `length` seconds."""
    for path, label, fold in clips:
        _, samples = whole_seconds(audio_of_name([], path), SAMPLE_RATE)
        if len(samples) < length:
            raise UserError(f"{path} lasts less than {length} s: fetch it again")
        inputs = torch.from_numpy(np.stack([*spectrograms_of(samples, n_fft, length)])).unsqueeze(1)
        yield Clip(path.stem, range(len(samples)), label, fold, inputs)


def backbone_features(model: TwoStreams, inputs: torch.Tensor) -> torch.Tensor:
    """Features of spectrograms or frames, averaged over their positions, [B, D]."""
    is_frames = inputs.dtype == torch.uint8
    features = model.frame_features(model.normalize_frames(inputs)) if is_frames else model.audio_features(inputs)
    return features.float().mean((2, 3))


def input_statistics(inputs: torch.Tensor) -> torch.Tensor:
    """Mean and standard deviation: of spectrograms over time [B, 2 * 64], of frames over all pixels [B, 2 * 3]."""
    dims = (2, 3) if inputs.dtype == torch.uint8 else (1, 2)
    std, mean = torch.std_mean(inputs.float(), dims, correction=0)
    return torch.cat([mean, std], 1)


@torch.inference_mode()
def describe(clip: Clip, model: TwoStreams, random_model: TwoStreams, device: torch.device) -> Features:
    """All arrays of a clip."""
    columns = []
    for inputs in clip.inputs.split(BATCH_SIZE):
        inputs = inputs.to(device)
        clusters = model.encode_frames(inputs) if inputs.dtype == torch.uint8 else model.encode_audio(inputs)
        features, random = (backbone_features(one, inputs) for one in (model, random_model))
        columns.append((features, clusters.centers, random, input_statistics(inputs)))
    arrays = [torch.cat(column).float().cpu().numpy() for column in zip(*columns, strict=True)]
    names, labels, folds = (np.full(len(clip.inputs), value) for value in (clip.name, clip.label, clip.fold))
    return Features(names, np.array(clip.seconds), labels, folds, *arrays)


def run(options: argparse.Namespace) -> None:
    """Write the features of all clips."""
    require_writable(options.out)
    network = load_trained(options.ckpt_file)
    model = network.localizer.model
    torch.manual_seed(SEED)
    random_model = build_network(model.recipe, model.v_cluster, model.a_cluster, model.precision)
    random_model.to(network.device).eval()
    if esc50_table(options.data_dir).exists():
        if options.what == "visual":
            raise UserError(f"{options.data_dir} has no frames, only audio: give --what audio")
        table = read_esc50(options.data_dir)
        clips, count = clips_of_esc50(table, network.n_fft, network.audio_seconds), len(table)
    else:
        cut = {"n_fft": network.n_fft, "audio_seconds": network.audio_seconds}
        adopt_spectrogram_settings(argparse.Namespace(data_dir=options.data_dir, **cut), from_scratch=False)
        seconds = index_data_dir(options.data_dir)
        clips = clips_of_set(seconds, model.recipe.image_size if options.what == "visual" else None)
        count = len(seconds.names)
    found = [
        describe(clip, model, random_model, network.device)
        for clip in tqdm(clips, "features", count, leave=False, unit="clip")
    ]
    features = Features(*map(np.concatenate, zip(*found, strict=True)))
    if not np.isfinite(features.centers).all():
        raise UserError(f"the weights of {options.ckpt_file} give no finite numbers: name another --ckpt_file")
    write_features(options.out, features)
    print(
        f"Wrote {options.what} features of {len(features.names)} seconds of {count} clips to {options.out}. "
        f"Next: python3 metrics/probe.py {shlex.quote(str(options.out))}"
    )


def main(argv: Sequence[str] | None = None) -> int:
    """Run the program."""
    options = parse(argv)
    return exit_status("features", lambda: run(options))


if __name__ == "__main__":
    sys.exit(main())
