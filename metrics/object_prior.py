"""Write the object prior of the test frames: what an ImageNet network sees in them, whatever sounds.

    python3 metrics/object_prior.py
    python3 metrics/score.py dmc.pkl                    # has the object prior among its baselines from now on

The map of a frame is the mean absolute activation of the network's last map: the object-guided localization of EZ-VSL
(Mo and Morgado, "Localizing Visual Sounds the Easy Way", ECCV 2022), without any audio. They take ResNet-18. Here it is
ResNet-18 or MobileNetV2, as the weights are of. Nothing is downloaded.
"""

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path

if not __package__:  # run by path: imports start at the repository root
    sys.path[0] = str(Path(__file__).resolve().parents[1])

from common.cli import command, new_parser

NETWORKS = ("resnet18", "mobilenet_v2")  # torchvision's names, EZ-VSL's network first


def parse(argv: Sequence[str] | None) -> argparse.Namespace:
    """The options of this program."""
    parser = new_parser(__doc__)
    parser.add_argument(
        "--weights",
        type=Path,
        metavar="FILE",
        help=f"torchvision's ImageNet weights of {' or '.join(NETWORKS)} (default: those that torchvision has "
        "downloaded before, as a training with --recipe pretrained does)",
    )
    return parser.parse_args(argv)


if __name__ == "__main__":
    parse(None)  # answers --help and mistakes at once: the imports below take seconds

import torch
from torch import nn
from torchvision.models import get_model, get_model_weights
from torchvision.transforms.functional import normalize
from tqdm import tqdm

from common.errors import UserError
from common.exit_status import exit_status
from data.dmc_pkl import write_maps
from data.layout import list_path, object_prior_file, video_frames_dir
from data.lists import read_list
from data.transforms import load_frame, resize

SIZE = 224  # pixels of a side of the frames


def downloaded_weights() -> Path:
    """The file of weights that torchvision has downloaded before."""
    folder = Path(torch.hub.get_dir()) / "checkpoints"
    urls = [get_model_weights(name).IMAGENET1K_V1.url for name in NETWORKS]
    for url in urls:
        if (path := folder / Path(url).name).exists():
            return path
    raise UserError(f"there are no ImageNet weights in {folder}: download {urls[0]} and name the file with --weights")


def read_network(path: Path) -> tuple[str, nn.Module]:
    """The network that the weights are of, and its layers up to the last map, [B, C, H / 32, W / 32]."""
    try:
        weights = torch.load(path, map_location="cpu", weights_only=True)
    except Exception as error:  # a damaged file can raise anything
        raise UserError(f"the weights {path} cannot be read ({type(error).__name__}: {error!s:.100})") from error
    for name in NETWORKS:
        network = get_model(name).eval()
        if isinstance(weights, dict) and weights.keys() == network.state_dict().keys():
            network.load_state_dict(weights)
            return name, nn.Sequential(*network.children())[:-2] if name == "resnet18" else network.features
    raise UserError(f"{path} holds no weights of torchvision's {' or '.join(NETWORKS)}")


@torch.inference_mode()
def write_prior(options: argparse.Namespace) -> None:
    """Write the object prior of the frames of the test list."""
    folder, path = video_frames_dir(options.data_dir), object_prior_file(options.data_dir)
    names = read_list(list_path(options.data_dir, "test"))
    seconds = [second for name in names for second in sorted((folder / name).glob("frame_*"))]
    if not seconds:
        raise UserError(
            f"{folder} has no frames of the test list: run {command('data/cut_video.py', options.data_dir)}"
        )
    name, layers = read_network(options.weights or downloaded_weights())
    preset = get_model_weights(name).IMAGENET1K_V1.transforms()
    maps = {}
    for second in tqdm(seconds, desc="object prior", unit="second"):
        files = sorted(second.glob("*.jpg"))
        keys = [file.relative_to(folder).with_suffix("").as_posix() for file in files]
        frames = torch.stack([resize(load_frame(file), SIZE) for file in files])
        activations = layers(normalize(frames / 255, preset.mean, preset.std))  # [B, C, H / 32, W / 32]
        maps |= zip(keys, activations.abs().mean(1, keepdim=True).numpy(), strict=True)
    write_maps(path, maps)
    score = command("metrics/score.py", options.data_dir)
    print(f"Wrote the object prior of {len(maps)} frames, by {name}, to {path}. Next: {score} dmc.pkl")


def main(argv: Sequence[str] | None = None) -> int:
    """Run the program."""
    options = parse(argv)
    return exit_status("object_prior", lambda: write_prior(options))


if __name__ == "__main__":
    sys.exit(main())
