"""The recipes: how a network is built, trained and read out.

`ORIGINAL` is the published simplified DMC. `IMPROVED` keeps its heart, the clustering of both streams and the matching
of clusters, and changes what made it match the audio to the background. docs/recipes.md shows what each change brings.
"""

from dataclasses import dataclass, field, fields, replace
from typing import Any

from models.backbone import LAYERS, PADDINGS
from models.clustering import INITS
from models.matching import MATCHINGS

LOSSES = ("contrastive", "cross_entropy")
NEGATIVES = ("one", "batch")
AUGMENTATIONS = ("published", "strong")
SPECTROGRAM_SCALINGS = ("none", "second")
SCHEDULES = ("constant", "cosine")


def _setting(default: Any, help_text: str, choices: tuple[str, ...] = (), least: int = 1) -> Any:  # noqa: ANN401
    return field(default=default, metadata={"help": help_text, "choices": choices, "least": least})


@dataclass(frozen=True)
class Recipe:
    """Settings of a network and its training. ``--set KEY=VALUE`` changes one for a run.

    The defaults are those of the published simplified code.
    """

    # --- the loss, and the pairs that it compares
    loss: str = _setting("contrastive", "contrastive has a margin; cross_entropy is InfoNCE", LOSSES)
    margin: float = _setting(5.0, "contrastive: the distance beyond which a negative pair has no loss")
    temperature: float = _setting(0.1, "cross_entropy: a lower one looks more at the nearest negative pairs")
    negatives: str = _setting("one", "one frame of another video, or all other frames of the batch", NEGATIVES)
    background_negatives: bool = _setting(False, "the unmatched clusters of the own frame are negatives too")
    noise_negatives: int = _setting(0, "seconds of noise in each step, and one of silence; 0 leaves out both", least=0)
    matching: str = _setting("nearest", "one_to_one gives each audio cluster a visual cluster of its own", MATCHINGS)

    # --- the network
    beta: float = _setting(30.0, "hardness of the clusters in training; a lower one makes them softer")
    cluster_start: str = _setting("strided", "first centers: fixed positions, or features far apart", INITS)
    normalize: bool = _setting(False, "features have length 1, so that only their direction counts")
    visual_layer: str = _setting("layer4", "last layer of the visual backbone; an earlier one is more local", LAYERS)
    center_features: bool = _setting(False, "features of frames lie in the middle of their cell of the map")
    padding: str = _setting("zeros", "of the visual convolutions; zeros show the network where the edge is", PADDINGS)
    spectrogram_scaling: str = _setting("none", "second: each second has mean 0 and unit size", SPECTROGRAM_SCALINGS)
    audio_pooling: int = _setting(1, "spectrogram columns of 5 ms that are averaged before the audio backbone")

    # --- training
    image_size: int = _setting(224, "pixels of a side of training frames")
    augmentation: str = _setting("published", "strong has smaller crops and more color jitter", AUGMENTATIONS)
    learning_rate: float = _setting(1e-4, "of Adam")
    schedule: str = _setting("constant", "of the learning rate; cosine falls to 0 at the last epoch", SCHEDULES)
    warmup: int = _setting(0, "steps in which the learning rate rises to its value", least=0)
    epoch: int = _setting(100, "epochs to train", least=0)

    # --- the maps, see models/localization.py
    test_beta: float = _setting(30.0, "hardness of the clusters in testing; a lower one makes softer and larger maps")
    test_rounds: int = _setting(4, "rounds of clustering in testing; training has 4")
    test_joint_rounds: int = _setting(0, "further rounds in which matched clusters move towards the audio", least=0)
    test_rotate_180: bool = _setting(False, "average the features of each frame with those of the frame rotated")
    test_num_scales: int = _setting(1, "sizes at which each frame is encoded, each 32 pixels smaller")
    test_scale: float = _setting(1.0, "test frames have this times image_size pixels a side")

    @property
    def test_size(self) -> int:
        """Pixels of a side of test frames."""
        return round(self.image_size * self.test_scale)


ORIGINAL = Recipe()
IMPROVED = replace(
    ORIGINAL,
    loss="cross_entropy",
    negatives="batch",
    background_negatives=True,
    noise_negatives=2,
    matching="one_to_one",
    beta=15.0,
    cluster_start="farthest",
    normalize=True,
    visual_layer="layer3_local",
    center_features=True,
    padding="replicate",
    spectrogram_scaling="second",
    audio_pooling=4,
    image_size=96,
    augmentation="strong",
    learning_rate=5e-4,
    schedule="cosine",
    warmup=30,
    epoch=24,
    test_beta=7.5,
    test_rounds=6,
    test_joint_rounds=4,
    test_rotate_180=True,
    test_num_scales=3,
    test_scale=1.83,
)
RECIPES = {"original": ORIGINAL, "improved": IMPROVED}
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
