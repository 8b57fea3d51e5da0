"""The options of `location_dmc.py`, and where their values come from.

What an option is: given on the command line, else from the checkpoint that is loaded, else the recipe's, else the
default.
"""

import argparse
import math
from collections.abc import Sequence
from pathlib import Path
from typing import Any, NoReturn

from common.cli import DEFAULT_DATA_DIR, available_cores, positive_float, positive_int, seed_number, share, whole_number
from data.dataset import NEGATIVES
from data.layout import LIST_NAMES
from data.negative_audio import AUDIO_CHOICES
from data.sampler import batch_problem
from data.transforms import AUGMENTATIONS, SPECTROGRAM_SHAPE
from models.backbone import FEATURE_SIZES, PADDINGS, feature_size
from models.clustering import STARTS
from models.dmc import SPECTROGRAM_SCALINGS, most_clusters, smallest_view
from models.losses import LOSSES
from models.matching import MATCHINGS
from models.recipes import DEFAULT_RECIPE, RECIPES
from training.precision import PRECISIONS
from training.processes import world_size
from training.schedule import SCHEDULES

DEFAULTS: dict[str, Any] = {
    "data_dir": str(DEFAULT_DATA_DIR),
    "data_list_dir": None,
    "train_list": "train.txt",
    "val_list": "val.txt",
    "test_list": "test.txt",
    "test_frames": "all",
    "v_cluster": 2,
    "a_cluster": 1,
    "recipe": DEFAULT_RECIPE,
    **RECIPES[DEFAULT_RECIPE],
    "visual_weights": None,
    "enable_img_augmentation": 1,
    "batch_size": 32,
    "accumulate": 1,
    "seed": 10,
    "save_every": 3,
    "log": "csv",
    "out": "runs/dmc",
    "evaluate": 0,
    "audio": "own",
    "use_pretrain": 0,
    "ckpt_file": None,
    "resume": 0,
    "overwrite": 0,
    "dmc_pkl": "dmc.pkl",
    "device": "auto",
    "num_threads": min(4, available_cores()),
    "cache": 1,
    "compile": 0,
}
# Where and what this run is, whatever the checkpoint's was.
NOT_FROM_CHECKPOINT = frozenset(
    "evaluate audio use_pretrain ckpt_file visual_weights resume overwrite out dmc_pkl".split()
    + "log device num_threads cache compile".split()
)
LOGS = ("csv", "tensorboard")
SWITCH = {"type": int, "choices": (0, 1)}
LEAST_FEATURES = 2  # a side, of every view in testing: a view of one feature says nothing of where anything is
MOST_MATCHINGS = 1000  # ways to match the clusters of a sound and a picture, which training goes through
# They belong together: with another --data_dir, the checkpoint's lists are those of other videos.
DATA_OPTIONS = frozenset({"data_dir", "data_list_dir", *(f"{name}_list" for name in LIST_NAMES)})

PUBLISHED_OPTIONS = {
    "--mode": "this program trains, and with --evaluate 1 it evaluates",
    "--json_file": "the videos are those of --data_dir, listed by --train_list, --val_list and --test_list",
    "--gpu_ids": "choose the device with --device cuda, and which GPU with the environment's CUDA_VISIBLE_DEVICES",
}


class _Published(argparse.Action):
    """An option of the published code that means nothing here: says what to use instead."""

    def __call__(self, parser: argparse.ArgumentParser, *_: object, **__: object) -> NoReturn:
        name = self.option_strings[0]
        parser.error(f"{name} is an option of the published code that means nothing here: {PUBLISHED_OPTIONS[name]}")


def build_parser(description: str) -> argparse.ArgumentParser:
    """Parser of all options; what is not given is not in its result."""
    parser = argparse.ArgumentParser(
        description=description,
        epilog="An option that is not given is the checkpoint's, where one is loaded, else the recipe's.",
        formatter_class=argparse.RawDescriptionHelpFormatter,
        argument_default=argparse.SUPPRESS,
        allow_abbrev=False,
    )
    for title, add_options in (
        ("what to do", _add_task_options),
        ("data", _add_data_options),
        ("recipe", _add_recipe_option),
        ("network", _add_network_options),
        ("training", _add_training_options),
        ("what training compares", _add_comparison_options),
        ("evaluation", _add_evaluation_options),
        ("results and machine", _add_output_options),
    ):
        add_options(parser.add_argument_group(title))
    for name in PUBLISHED_OPTIONS:
        parser.add_argument(name, nargs="?", action=_Published, help=argparse.SUPPRESS)
    return parser


def _add(group: argparse._ArgumentGroup, name: str, help_text: str, **kwargs: Any) -> None:  # noqa: ANN401
    default = DEFAULTS[name]
    shown = "" if default is None else f" (default: {default}{_in_other_recipes(name)})"
    group.add_argument(f"--{name}", help=help_text + shown, **kwargs)


def _in_other_recipes(name: str) -> str:
    others = {recipe: values[name] for recipe, values in RECIPES.items() if name in values}
    return "".join(f"; {recipe}: {value}" for recipe, value in others.items() if value != DEFAULTS[name])


def _add_task_options(group: argparse._ArgumentGroup) -> None:
    _add(group, "evaluate", "1 writes dmc.pkl for the test list with a trained network, without training", **SWITCH)
    _add(
        group,
        "audio",
        "with --evaluate 1, what each test frame is heard with: its own sound, or, to see whether the maps depend on "
        "it, that of a video of other content, white noise or silence; their maps go to dmc_shuffled.pkl and so on",
        choices=AUDIO_CHOICES,
    )
    _add(group, "use_pretrain", "1 starts from the weights of --ckpt_file", **SWITCH)
    _add(group, "ckpt_file", "checkpoint, ours or the published code's (default: OUT/best.pth)", type=Path)
    _add(group, "resume", "1 goes on from OUT/last.pth; starts fresh where there is none", **SWITCH)
    _add(group, "overwrite", "1 deletes the training that OUT holds and starts afresh", **SWITCH)


def _add_data_options(group: argparse._ArgumentGroup) -> None:
    _add(group, "data_dir", "the data set's folder, with video_frames/ and audio_frames/")
    _add(group, "data_list_dir", "folder of the three lists (default: DATA_DIR)")
    for name in LIST_NAMES:
        _add(group, f"{name}_list", f"list of the {name} videos, in --data_list_dir")
    _add(
        group,
        "image_size",
        "pixels of the square pictures; the maps have 1/16 of it times --test_scale",
        type=positive_int,
    )
    _add(
        group,
        "augmentation",
        "how training pictures are changed; strong has smaller crops and changes colours more",
        choices=AUGMENTATIONS,
    )
    _add(
        group,
        "spec_augment",
        "1 starts training sounds at random times and masks stretches and bands, against learning them by heart",
        **SWITCH,
    )
    _add(group, "n_fft", "window that the spectrograms must have: that of cut_audio.py --n_fft", type=positive_int)
    _add(
        group,
        "enable_img_augmentation",
        "1 crops and flips training pictures and changes their colours; 0 leaves them, which overfits sooner",
        **SWITCH,
    )


def _add_recipe_option(group: argparse._ArgumentGroup) -> None:
    _add(
        group,
        "recipe",
        "defaults of network and training: original is the published one, improved finds what sounds",
        choices=tuple(RECIPES),
    )


def _add_network_options(group: argparse._ArgumentGroup) -> None:
    _add(group, "v_cluster", "clusters of a picture: one a thing that sounds, one for the rest", type=positive_int)
    _add(group, "a_cluster", "clusters of a sound: one a thing that sounds", type=positive_int)
    _add(group, "beta", "hardness of the clusters in training; lower lets more features into each", type=positive_float)
    _add(
        group,
        "cluster_start",
        "where clusters start: strided, at fixed positions; farthest, at features far apart, which finds small objects",
        choices=tuple(STARTS),
    )
    _add(group, "normalize", "1 gives all features length 1", **SWITCH)
    _add(
        group,
        "visual_layer",
        "whose output pictures' features are; layer3, without ResNet-18's last stage, costs half and sees more "
        "locally, layer3_local, with a pointwise last block, still more so",
        choices=tuple(FEATURE_SIZES),
    )
    _add(
        group,
        "center_features",
        "1 puts each feature of a picture into the middle of its cell of the map; else maps are half a cell off",
        **SWITCH,
    )
    _add(
        group,
        "padding",
        "of the visual convolutions; zeros show features where the edge is, and edges become clusters of their own",
        choices=PADDINGS,
    )
    _add(
        group,
        "spectrogram_scaling",
        "second gives every second mean 0 and unit size, so that loudness does not matter; none leaves decibels",
        choices=SPECTROGRAM_SCALINGS,
    )
    _add(
        group,
        "audio_pooling",
        "frames of 5 ms of a spectrogram that are averaged; the sound network costs as much less",
        type=positive_int,
    )


def _add_training_options(group: argparse._ArgumentGroup) -> None:
    _add(group, "epoch", "epochs to train, counted from the first, also when resuming", type=whole_number)
    _add(group, "batch_size", "sounds a step, of all processes together", type=positive_int)
    _add(
        group,
        "accumulate",
        "parts that each batch is cut into, one after the other, if it does not fit into memory; with --negatives "
        "batch wrong pairs are then those of a part, so that there are fewer of them",
        type=positive_int,
    )
    _add(group, "learning_rate", "of Adam; lower it if the loss becomes NaN", type=positive_float)
    _add(group, "schedule", "of the learning rate; cosine lets it fall to 0 at --epoch", choices=SCHEDULES)
    _add(group, "warmup", "steps in which the learning rate rises to its value", type=whole_number)
    _add(
        group,
        "visual_weights",
        "weights that the visual network starts from: imagenet (torchvision's, downloaded) or a file of such weights",
    )
    _add(group, "seed", "of weights, order, crops and wrong pairs", type=seed_number)
    _add(group, "save_every", "keep epoch_003.pth and so on every so many epochs; 0 never", type=whole_number)


def _add_comparison_options(group: argparse._ArgumentGroup) -> None:
    _add(
        group,
        "loss",
        "contrastive has a margin; cross_entropy tells right from wrong pairs",
        choices=LOSSES,
    )
    _add(
        group,
        "negatives",
        "wrong pairs: one picture of another video a sound, or the whole batch, which costs half and gives more",
        choices=NEGATIVES,
    )
    _add(
        group,
        "background_negatives",
        "1 pushes each sound away from the parts of its own picture that it is not matched to",
        **SWITCH,
    )
    _add(
        group,
        "noise_negatives",
        "seconds of noise a step that no picture sounds like, with one of silence; 0 has neither",
        type=whole_number,
    )
    _add(
        group,
        "skip_alike",
        "share of a batch that is no wrong pair of a sound: the sounds most like it, as they may be of the same kind",
        type=share,
    )
    _add(
        group,
        "temperature",
        "of cross_entropy; a lower one looks more at the nearest wrong pairs",
        type=positive_float,
    )
    _add(
        group,
        "matching",
        "in training, nearest lets several sounds share a visual cluster, one_to_one gives each its own",
        choices=MATCHINGS,
    )


def _add_evaluation_options(group: argparse._ArgumentGroup) -> None:
    _add(group, "test_frames", "frames of each second in dmc.pkl", choices=("all", "first"))
    _add(
        group,
        "test_scale",
        "pictures to evaluate have this times as many pixels a side: maps are finer, objects as large as in crops",
        type=positive_float,
    )
    _add(
        group,
        "test_sizes",
        "at how many sizes to look at each test picture, each 32 pixels smaller; twice the time for 3 of 176 pixels",
        type=positive_int,
    )
    _add(
        group,
        "test_turn",
        "1 looks at each test picture turned by 180 degrees too, so that maps do not lean to one side; twice the time",
        **SWITCH,
    )
    _add(
        group,
        "test_beta",
        "hardness of the clusters in evaluation; lower makes softer, larger maps",
        type=positive_float,
    )
    _add(
        group,
        "test_rounds",
        "rounds of clustering in evaluation; training has 4. More let clusters settle, and maps grow",
        type=positive_int,
    )
    _add(
        group,
        "test_joint_rounds",
        "more rounds in evaluation, in which matched clusters are drawn towards their sounds: what shares a cluster "
        "with the sounding thing, as there are more things than clusters, leaves it",
        type=whole_number,
    )


def _add_output_options(group: argparse._ArgumentGroup) -> None:
    _add(group, "out", "folder of last.pth, best.pth, args.json, log.csv", type=Path)
    _add(
        group,
        "log",
        "tensorboard adds its event files to OUT, with the figures of log.csv and a few localizations of each epoch",
        choices=LOGS,
    )
    _add(group, "dmc_pkl", "file of the test list's maps; the .csv beside it has the distances", type=Path)
    _add(group, "device", "where to compute; auto is a GPU where there is one", choices=("auto", "cpu", "cuda", "mps"))
    _add(
        group,
        "precision",
        "of the networks' convolutions; auto is bf16 where the hardware has it, which is twice as fast or more, else "
        "fp32; fp16 is for GPUs without bf16, on a CPU it trains hundreds of times slower",
        choices=PRECISIONS,
    )
    _add(group, "num_threads", "processes that load data for each one that computes; 0 loads in it", type=whole_number)
    _add(group, "cache", "1 keeps decoded frames in memory for the next epochs, if there is enough of it", **SWITCH)
    _add(
        group,
        "compile",
        "1 compiles the networks for training, which takes a minute at its start and a C++ compiler; worth it where a "
        "training takes much longer",
        **SWITCH,
    )


def parse_options(description: str, argv: Sequence[str] | None) -> tuple[argparse.ArgumentParser, dict[str, Any]]:
    """The parser, and the options that were given on the command line."""
    parser = build_parser(description)
    return parser, vars(parser.parse_args(argv))


def merge_options(given: dict[str, Any], from_checkpoint: dict[str, Any]) -> argparse.Namespace:
    """The value of every option: given, else the checkpoint's, else the recipe's, else the default.

    The checkpoint's data set counts only if it is there on this machine, and its lists only for that data set. If
    another recipe than the checkpoint's is given, all that recipes say is the given one's.
    """
    inherited = {
        name: value
        for name, value in from_checkpoint.items()
        if name in DEFAULTS and name not in NOT_FROM_CHECKPOINT and _is_usable(name, value)
    }
    recipe = given.get("recipe", inherited.get("recipe", DEFAULT_RECIPE))
    if recipe not in RECIPES:
        recipe = inherited["recipe"] = DEFAULT_RECIPE
    if recipe != inherited.get("recipe", DEFAULT_RECIPE):
        inherited = {name: value for name, value in inherited.items() if name not in RECIPES[recipe]}
    of_checkpoint = Path(inherited.get("data_dir", ""))
    if not of_checkpoint.is_dir() or Path(given.get("data_dir", of_checkpoint)).resolve() != of_checkpoint.resolve():
        inherited = {name: value for name, value in inherited.items() if name not in DATA_OPTIONS}
    return argparse.Namespace(**{**DEFAULTS, **RECIPES[recipe], **inherited, **given})


def _is_usable(name: str, value: object) -> bool:
    """Whether a checkpoint's value can be that option's: a stranger's file may hold anything."""
    default = DEFAULTS[name]
    if not (isinstance(value, str | None) if default is None else type(value) is type(default)):
        return False
    parser = build_parser("")
    parser.exit_on_error = False
    try:
        return value is None or bool(parser.parse_args([f"--{name}={value}"]))
    except argparse.ArgumentError:
        return False


def inherited_words(options: argparse.Namespace, given: dict[str, Any]) -> str:
    """The options that are neither given nor the recipe's, in words; empty if there are none."""
    defaults = {**DEFAULTS, **RECIPES[options.recipe]}
    return " ".join(
        f"--{name} {value}" for name, value in vars(options).items() if name not in given and value != defaults[name]
    )


def picture_size(options: argparse.Namespace) -> int:
    """Pixels of a side of the square pictures that a network is tested with."""
    return round(options.image_size * options.test_scale)


def check_options(options: argparse.Namespace) -> str | None:
    """What is wrong with the options together; None if nothing is."""
    if options.ckpt_file and not (options.evaluate or options.use_pretrain or options.resume):
        return "--ckpt_file goes with --use_pretrain 1 (train on from it) or --evaluate 1 (evaluate it)"
    if options.audio != "own" and not options.evaluate:
        return f"--audio {options.audio} goes with --evaluate 1: training hears each frame's own sound"
    if options.log != "csv" and options.evaluate:
        return f"--log {options.log} is of a training, and --evaluate 1 does not train"
    if Path(options.dmc_pkl).suffix == ".csv":
        return "--dmc_pkl cannot end with .csv, as the distances go to the file of that name"
    if options.a_cluster > options.v_cluster:
        return "--a_cluster is larger than --v_cluster: each sound needs a part of the picture"
    tested = picture_size(options)
    for size, named in (
        (options.image_size, f"--image_size {options.image_size}"),
        (tested, f"--test_scale {options.test_scale}"),
    ):
        if options.v_cluster > most_clusters(size, size):
            return f"{named} gives too few features for --v_cluster {options.v_cluster}"
    smallest = smallest_view(tested, options.test_sizes)
    if options.test_sizes > 1 and min(feature_size(smallest, smallest)) < LEAST_FEATURES:
        return (
            f"--test_sizes {options.test_sizes} is too many for test pictures of {tested} pixels, each size 32 "
            "smaller: lower it, or raise --image_size or --test_scale"
        )
    frames, bands = SPECTROGRAM_SHAPE
    if options.a_cluster > most_clusters(frames // options.audio_pooling, bands):
        return f"--audio_pooling {options.audio_pooling} gives too few features for --a_cluster {options.a_cluster}"
    if options.evaluate:
        return None
    if options.matching == "one_to_one" and math.perm(options.v_cluster, options.a_cluster) > MOST_MATCHINGS:
        return "--matching one_to_one is too slow for so many clusters: lower --v_cluster or --a_cluster"
    if problem := batch_problem(options.batch_size, options.accumulate, world_size()):
        return problem
    if options.negatives == "batch" and options.batch_size == options.accumulate:
        return f"--batch_size {options.batch_size} has no wrong pairs with --negatives batch" + (
            f" and --accumulate {options.accumulate}" if options.accumulate > 1 else ""
        )
    return None


def without_effect(options: argparse.Namespace, given: dict[str, Any]) -> list[str]:
    """A sentence on each option that was given for a training and, beside the others, changes nothing."""
    if options.evaluate:
        return []
    compared = options.batch_size // options.accumulate
    reasons = {
        "skip_alike": "it goes with --negatives batch"
        if options.negatives != "batch"
        else f"it is less than one of the {compared} sounds that are compared"
        if round(options.skip_alike * compared) == 0
        else None,
        "temperature": "it goes with --loss cross_entropy" if options.loss != "cross_entropy" else None,
        "augmentation": None
        if options.enable_img_augmentation
        else "--enable_img_augmentation 0 leaves the pictures as they are",
    }
    return [
        f"--{name} {given[name]} has no effect: {reason}"
        for name, reason in reasons.items()
        if reason and given.get(name)  # a share of 0 is meant to have none
    ]


def checkpoint_args(options: argparse.Namespace) -> dict[str, Any]:
    """The options as plain values, for a checkpoint and ``args.json``."""
    return {name: str(value) if isinstance(value, Path) else value for name, value in vars(options).items()}
