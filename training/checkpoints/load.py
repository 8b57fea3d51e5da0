"""A trained network, ready for testing, and the weights that a training can start from."""

from dataclasses import dataclass
from pathlib import Path
from urllib.error import URLError

import torch
from torch import nn
from torchvision.models import get_model, get_model_weights

from common.errors import UserError
from models.dmc import TwoStreams, build_network
from models.localization import Localizer
from models.recipes import IMAGENET
from training.checkpoints.checkpoint import load_weights, read_checkpoint, read_weights
from training.checkpoints.reference_distances import ReferenceDistances, read_reference
from training.device import choose_device, choose_precision
from training.distributed import broadcast_from_rank0
from training.option_checks import check_options
from training.options import merge_options


@dataclass(frozen=True)
class TrainedNetwork:
    """A network from a checkpoint."""

    localizer: Localizer  # makes its maps, as its recipe says
    device: torch.device
    v_cluster: int
    a_cluster: int
    n_fft: int  # window of its spectrograms, in samples
    audio_seconds: int  # length of the audio of its spectrograms
    reference: ReferenceDistances | None  # of its validation list; None in a checkpoint of another program

    @property
    def frame_size(self) -> int:
        """Pixels of a side of test frames."""
        return self.localizer.recipe.test_size


def load_trained(ckpt_file: Path, device: str = "auto") -> TrainedNetwork:
    """Load a checkpoint, ours or the published code's, with the options that it holds.

    Prints what it ignores or misses in the checkpoint.

    Raises:
        UserError: it cannot be read or used, or this machine has no such device.
    """
    checkpoint = read_checkpoint(ckpt_file)
    options = merge_options({"evaluate": 1, "ckpt_file": str(ckpt_file)}, checkpoint.args)
    if problem := check_options(options):
        raise UserError(f"the options in {ckpt_file} do not fit together: {problem}")
    chosen = choose_device(device)
    precision = choose_precision(options.precision, chosen, options.recipe_name)
    model = build_network(options.recipe, options.v_cluster, options.a_cluster, precision).to(chosen)
    if note := load_weights(model, checkpoint):
        print(note)
    localizer = Localizer(model.eval(), options.recipe)
    reference = read_reference(checkpoint.state)
    spectrograms = options.n_fft, options.audio_seconds
    return TrainedNetwork(localizer, chosen, options.v_cluster, options.a_cluster, *spectrograms, reference)


def load_visual_weights(model: TwoStreams, source: str) -> str:
    """Start the visual backbone from weights that were trained to classify images.

    All else in the model stays as it is. `source` is ``imagenet``, torchvision's weights, which are downloaded once, or
    a file of such weights. Returns one line on what was done.

    Raises:
        UserError: the weights cannot be had, or are those of another network.
    """
    architecture = model.recipe.visual_net.removesuffix("_local")  # torchvision's name
    weights = broadcast_from_rank0(_read_or_download, source, architecture)  # only one of several processes downloads
    wanted, whole = model.visual_net.state_dict(), get_model(architecture).state_dict()
    found = {
        name: _middle(weight) if name in wanted and wanted[name].shape[2:] == (1, 1) else weight
        for name, weight in weights.items()
        if name in wanted or name not in whole
    }
    # BatchNorm's counters came with PyTorch 0.4.1: older files have none.
    missing = [name for name in wanted if name not in found and not name.endswith("num_batches_tracked")]
    wrong = missing + [name for name in found if name in wanted and found[name].shape != wanted[name].shape]
    if wrong or found.keys() - wanted.keys():
        problem = f"{wrong[0]} is missing or of another shape" if wrong else "it holds more than that"
        raise UserError(f"visual_weights={source} holds no weights of torchvision's {architecture}: {problem}")
    model.visual_net.load_state_dict(found, strict=False)
    return f"The visual network starts from the weights of {source}."


def _middle(weight: nn.Parameter) -> torch.Tensor:
    """The middle of 3 x 3 kernels, for a network with pointwise ones; other weights stay."""
    return weight[:, :, 1:2, 1:2] if weight.shape[2:] == (3, 3) else weight


def _read_or_download(source: str, architecture: str) -> dict[str, torch.Tensor]:
    if source != IMAGENET:
        return read_weights(Path(source))
    weights = get_model_weights(architecture).IMAGENET1K_V1
    try:
        return weights.get_state_dict(progress=True, check_hash=True)
    except (URLError, OSError, RuntimeError) as error:
        raise UserError(
            f"the ImageNet weights cannot be downloaded ({error}): download {weights.url} elsewhere and give the file, "
            "--set visual_weights=FILE, or train with --recipe improved, which needs none"
        ) from error
