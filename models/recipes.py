"""The recipes: how a network is built, trained and read out.

`ORIGINAL` is the published simplified DMC. `IMPROVED` keeps its heart, the clustering of both streams and the matching
of clusters, and changes what made it match the audio to the background. `PRETRAINED` is the same, but its visual
network starts from ImageNet weights. `CVPR2019` is the paper's own form. docs/recipes.md shows what each change brings.
"""

from dataclasses import dataclass, field, fields, replace
from typing import Any

# The names of what other modules of this folder build. Here, so that options can be read without PyTorch.
VISUAL_NETS = ("resnet18", "resnet18_local", "mobilenet_v2", "vgg16")
CLUSTERINGS = ("kmeans", "capsules")
CENTER_INITS = ("strided", "farthest")
NEAREST, ONE_TO_ONE, SAME_NUMBER = MATCHINGS = ("nearest", "one_to_one", "same_number")  # see models/matching.py
LOSSES = ("contrastive", "cross_entropy", "max_margin")
SPECTROGRAM_SCALINGS = ("none", "second")
SCHEDULES = ("constant", "cosine")
READOUTS = ("clusters", "audio_guided")
NO_WEIGHTS, IMAGENET = "none", "imagenet"
LARGER_IN_TESTING = 1.5  # audio_guided: finer maps


def _setting(default: Any, help_text: str, choices: tuple[str, ...] = (), least: int = 1) -> Any:  # noqa: ANN401
    return field(default=default, metadata={"help": help_text, "choices": choices, "least": least})


@dataclass(frozen=True)
class Recipe:
    """Settings of a network and its training. ``--set KEY=VALUE`` changes one for a run.

    The defaults are those of the published simplified code.
    """

    # --- the loss, and the pairs that it compares
    loss: str = _setting(
        "contrastive",
        "contrastive: against a frame of another video; cross_entropy: against the batch and the unmatched clusters of "
        "the own frame; max_margin: against audio of another video",
        LOSSES,
    )
    margin: float = _setting(
        5.0, "contrastive: the distance, max_margin: the similarity, beyond which a negative has no loss"
    )
    noise_negatives: int = _setting(
        0, "cross_entropy: seconds of noise in each step, and one of silence; 0 leaves out both", least=0
    )
    mixup: bool = _setting(False, "cross_entropy: trains on mixtures of two frames, which belong to the audio of both")

    # --- the network
    visual_net: str = _setting(
        "resnet18", "visual backbone; resnet18_local is more local; vgg16 has VGGish beside it for audio", VISUAL_NETS
    )
    visual_weights: str = _setting(NO_WEIGHTS, "its start: none, imagenet (torchvision's, downloaded), or a file")
    width: float = _setting(1.0, "vgg16: factor of the channels of both networks, for example 0.25 for CPUs")
    clustering: str = _setting("kmeans", "capsules: the CVPR paper's, with a projection for each cluster", CLUSTERINGS)
    beta: float = _setting(30.0, "hardness of the clusters in training; a lower one makes them softer")
    cluster_start: str = _setting("strided", "first centers: fixed positions, or features far apart", CENTER_INITS)
    normalize: bool = _setting(False, "features have length 1, so that only their direction counts")
    spectrogram_scaling: str = _setting("none", "second: each second has mean 0 and unit size", SPECTROGRAM_SCALINGS)
    audio_pooling: int = _setting(
        1, "spectrogram columns (5 ms, or 10 of five seconds) averaged before the audio backbone"
    )

    # --- training
    image_size: int = _setting(224, "pixels of a side of training frames")
    learning_rate: float = _setting(1e-4, "of Adam")
    schedule: str = _setting("constant", "of the learning rate; cosine rises, then falls to 0", SCHEDULES)
    epoch: int = _setting(100, "epochs to train", least=0)

    # --- the maps, see models/localization.py
    readout: str = _setting("clusters", "clusters: those of training; audio_guided: drawn to the audio", READOUTS)

    @property
    def in_batch(self) -> bool:
        """Whether the frames of the batch are the negatives; else each second gets one of its own."""
        return self.loss == "cross_entropy"

    @property
    def matching(self) -> str:
        """How training matches audio and visual clusters, one of `MATCHINGS`."""
        if self.clustering == "capsules":
            return SAME_NUMBER
        return ONE_TO_ONE if self.in_batch else NEAREST

    @property
    def test_size(self) -> int:
        """Pixels of a side of test frames."""
        return self.image_size if self.readout == "clusters" else round(LARGER_IN_TESTING * self.image_size)


ORIGINAL = Recipe()
IMPROVED = replace(
    ORIGINAL,
    loss="cross_entropy",
    noise_negatives=2,
    mixup=True,
    visual_net="resnet18_local",
    beta=15.0,
    cluster_start="farthest",
    normalize=True,
    spectrogram_scaling="second",
    audio_pooling=4,
    image_size=96,
    learning_rate=5e-4,
    schedule="cosine",
    epoch=24,
    readout="audio_guided",
)
PRETRAINED = replace(IMPROVED, visual_net="mobilenet_v2", visual_weights=IMAGENET, image_size=128, epoch=8)
CVPR2019 = replace(
    ORIGINAL,
    loss="max_margin",
    margin=10.0,
    visual_net="vgg16",
    clustering="capsules",
    image_size=256,
)
RECIPES = {"original": ORIGINAL, "improved": IMPROVED, "pretrained": PRETRAINED, "cvpr2019": CVPR2019}
DEFAULT_RECIPE = "original"
SETTINGS = {setting.name: setting for setting in fields(Recipe)}


def parse_setting(key: str, text: str) -> Any:  # noqa: ANN401 - the type of the field
    """The value of a field of `Recipe` from its text.

    Raises:
        ValueError: there is no such field, or it cannot have this value; the text says what it can have.
    """
    if key not in SETTINGS:
        raise ValueError(f"there is no setting {key}; the settings are {', '.join(SETTINGS)}")
    kind, known = SETTINGS[key].type, SETTINGS[key].metadata
    if known["choices"]:
        expected = " or ".join(known["choices"])
        value = text if text in known["choices"] else None
    elif kind is str:
        expected = "none, imagenet, or a file"
        value = text or None
    elif kind is bool:
        expected = "0 or 1"
        value = {"0": False, "1": True, "False": False, "True": True}.get(text)
    elif kind is int:
        expected = f"a whole number, {known['least']} or more"
        value = int(text) if text.isascii() and text.isdigit() and int(text) >= known["least"] else None
    else:
        expected = "a number above 0"
        value = _positive(text)
    if value is None:
        raise ValueError(f"{key}={text} is no value of it: give {expected}")
    return value


def _positive(text: str) -> float | None:
    try:
        value = float(text)
    except ValueError:
        return None
    return value if 0 < value < float("inf") else None
