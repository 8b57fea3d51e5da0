"""Finds the frame of a second by its audio, and the audio by the frame, among the seconds of all test videos.

    python3 metrics/retrieval.py runs/dmc/best.pth

One second of each video of the test list takes part, the middle one, with its first frame. The distance is that of
training: of the matched centers. Where the data set has classes, the rows "same class" count any item of the class.
"""

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path

if not __package__:  # run by path: imports start at the repository root
    sys.path[0] = str(Path(__file__).resolve().parents[1])

from common.cli import new_parser


def parse(argv: Sequence[str] | None) -> argparse.Namespace:
    """The options of this program."""
    parser = new_parser(__doc__)
    parser.add_argument("ckpt_file", type=Path, help="the trained network, also one of the published code")
    return parser.parse_args(argv)


if __name__ == "__main__":
    parse(None)  # answers --help and mistakes at once: the imports below take seconds

import numpy as np
import torch
from scipy.stats import hypergeom
from torch.utils.data import DataLoader, Subset
from tqdm import tqdm

from common.errors import UserError
from common.exit_status import exit_status
from data.dataset import SecondDataset
from data.index import SecondIndex
from data.lists import label_of, labels_of_set
from data.loaders import collate_seconds
from metrics.table import figures_table
from models.dmc import TwoStreams
from models.matching import pair_distance, squared_distances
from training.batches import adopt_spectrogram_settings, index_list
from training.checkpoints.load import TrainedNetwork, load_trained

BATCH_SIZE = 32  # seconds
RANKS = (1, 5, 10)


def middle_seconds(seconds: SecondIndex) -> list[int]:
    """The index of the middle second of each video; excerpts of one video count as one."""
    edges = np.searchsorted(seconds.origin[seconds.video], np.arange(seconds.num_origins + 1))
    return ((edges[:-1] + edges[1:]) // 2).tolist()


@torch.inference_mode()
def distances_between(network: TrainedNetwork, seconds: SecondIndex, chosen: Sequence[int]) -> np.ndarray:
    """D^2 of the audio of each chosen second to the frame of each, [audio, frames]."""
    model: TwoStreams = network.localizer.model
    dataset = Subset(SecondDataset(seconds, model.recipe.image_size, first_only=True), chosen)
    loader = DataLoader(dataset, BATCH_SIZE, collate_fn=collate_seconds)
    audio, visual = [], []
    for batch in tqdm(loader, "encoding", unit="batch", leave=False):
        audio.append(model.encode_audio(batch["spectrogram"].to(network.device)).centers)
        visual.append(model.encode_frames(batch["frames"].to(network.device)).centers)
    audio, visual = torch.cat(audio), torch.cat(visual)
    # Row by row: the differences of all pairs would take too much memory.
    rows = [pair_distance(squared_distances(one, visual), model.recipe.matching) for one in audio]
    return torch.stack(rows).cpu().numpy()


def first_ranks(distances: np.ndarray, relevant: np.ndarray) -> np.ndarray:
    """The rank of the nearest relevant item of each query; 1 is best. Items at the same distance come before it.

    Both are [queries, items]; each query has a relevant item.
    """
    nearest = np.where(relevant, distances, np.inf).min(1, keepdims=True)
    return 1 + (~relevant & (distances <= nearest)).sum(1)


def figures(ranks: np.ndarray) -> dict[str, float]:
    """Recall at 1, 5 and 10, and the median rank."""
    return {f"recall_at_{k}": float(np.mean(ranks <= k)) for k in RANKS} | {"median_rank": float(np.median(ranks))}


def chance(relevant: np.ndarray) -> dict[str, float]:
    """The same figures of items in random order: their expected recall, and the rank at which it reaches a half."""
    items = relevant.shape[1]
    k = np.arange(1, items + 1)
    found = hypergeom.sf(0, items, relevant.sum(1)[:, None], k).mean(0)  # [items]: at least one of k is relevant
    recalls = {f"recall_at_{k}": float(found[min(k, items) - 1]) for k in RANKS}
    return recalls | {"median_rank": float(k[found >= 0.5 - 1e-9][0])}


def retrieval_table(distances: np.ndarray, labels: np.ndarray) -> dict[str, dict[str, float]]:
    """The rows of the table: own second, and, among the items that have a class, same class."""
    labelled = labels != ""
    cases = {"own": (distances, np.eye(len(distances), dtype=bool))}
    if labelled.any():
        cases["same class"] = (distances[labelled][:, labelled], labels[labelled, None] == labels[None, labelled])
    table = {}
    for case, (between, relevant) in cases.items():
        table[f"audio to frame, {case}"] = figures(first_ranks(between, relevant))
        table[f"frame to audio, {case}"] = figures(first_ranks(between.T, relevant.T))
        table[f"chance, {case}"] = chance(relevant)
    return table


def retrieve(options: argparse.Namespace) -> None:
    """Print the table."""
    network = load_trained(options.ckpt_file)
    cut = {"n_fft": network.n_fft, "audio_seconds": network.audio_seconds}
    test = argparse.Namespace(data_dir=options.data_dir, data_list_dir=None, test_list="test.txt", **cut)
    adopt_spectrogram_settings(test, from_scratch=False)
    seconds = index_list(test, "test")
    chosen = middle_seconds(seconds)
    distances = distances_between(network, seconds, chosen)
    if not np.isfinite(distances).all():
        raise UserError(f"the weights of {options.ckpt_file} give no finite distances: name another checkpoint")
    known = labels_of_set(seconds.data_dir)
    labels = np.array([label_of(seconds.name(index), known) for index in chosen])
    print(f"One second of each of {len(chosen)} videos")
    print("", *figures_table(retrieval_table(distances, labels)), sep="\n")


def main(argv: Sequence[str] | None = None) -> int:
    """Run the program."""
    options = parse(argv)
    return exit_status("retrieval", lambda: retrieve(options))


if __name__ == "__main__":
    sys.exit(main())
