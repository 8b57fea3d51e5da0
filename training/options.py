"""The options of `location_dmc.py`.

Precedence: command line, checkpoint, recipe, default.
"""

import argparse
from collections.abc import Sequence
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any, NoReturn

from common.cli import DEFAULT_DATA_DIR, available_cores, positive_float, positive_int, seed_number, whole_number
from data.dmc_pkl import AUDIO_CHOICES
from data.layout import LIST_NAMES
from data.preprocess.settings import LENGTHS, N_FFT, SHORT
from models.recipes import DEFAULT_RECIPE, RECIPES, SETTINGS, parse_setting

PRECISIONS = ("auto", "fp32", "bf16", "fp16")
# Files in --out.
LAST = "last.pth"  # everything, to resume from
BEST = "best.pth"  # the result: weights and options of the last epoch
LOG = "log.csv"
ARGS = "args.json"
EVENTS = "events.out.tfevents.*"  # what `--log tensorboard` writes

DEFAULTS: dict[str, Any] = {
    "v_cluster": 2,
    "a_cluster": 1,
    "batch_size": 32,
    "seed": 10,
    "num_threads": min(4, available_cores()),
    "enable_img_augmentation": 1,
    "use_pretrain": 0,
    "ckpt_file": None,
    "evaluate": 0,
    "data_list_dir": None,
    "train_list": "train.txt",
    "val_list": "val.txt",
    "test_list": "test.txt",
    "export_published": None,
    "data_dir": str(DEFAULT_DATA_DIR),
    "out": "runs/dmc",
    "dmc_pkl": "dmc.pkl",
    "resume": 0,
    "overwrite": 0,
    "save_every": 3,
    "log": "csv",
    "audio": "own",
    "test_frames": "all",
    "device": "auto",
    "precision": "auto",
    "accumulate": 1,
    "cache": 1,
    "compile": 0,
    # No options: how the spectrograms were cut that the network is trained on.
    "n_fft": N_FFT,
    "audio_seconds": SHORT,
}
OF_DATA_SET = ("n_fft", "audio_seconds")
# Where a recipe has another default.
DEFAULTS_OF_RECIPES: dict[str, dict[str, Any]] = {"cvpr2019": {"v_cluster": 10, "batch_size": 10}}
# About this run, whatever the run of the checkpoint was.
NOT_FROM_CHECKPOINT = frozenset(
    "evaluate export_published audio use_pretrain ckpt_file resume overwrite out dmc_pkl".split()
    + "log device num_threads cache compile".split()
)
# They belong together: with another --data_dir, the checkpoint's lists are those of other videos.
DATA_OPTIONS = frozenset({"data_dir", "data_list_dir", *(f"{name}_list" for name in LIST_NAMES)})
FLAGS_OF_SETTINGS = ("epoch", "learning_rate")  # published options, in the recipe too
VISUAL_NET_OF_LAYER = {"layer4": "resnet18", "layer3_local": "resnet18_local"}  # in older checkpoints
SWITCH = {"type": int, "choices": (0, 1)}

NO_OPTIONS = {
    "mode": "it is an option of the published code; this program trains, and with --evaluate 1 it evaluates",
    "enable_audio_augmentation": "it is an option of the published code, without any effect there",
    "json_file": "it is an option of the published code; the videos are those of --data_dir and the three lists",
    "gpu_ids": "it is an option of the published code; give --device cuda, and set CUDA_VISIBLE_DEVICES to the GPU",
    "n_fft": "the window is read from the data set; data/cut_audio.py --n_fft sets it",
    **{
        key: f"it is a setting of the recipe: give --set {key}=VALUE"
        for key in SETTINGS
        if key not in FLAGS_OF_SETTINGS
    },
}


class _Hint(argparse.Action):
    """A name that is no option: says what to use instead."""

    def __call__(self, parser: argparse.ArgumentParser, *_: object, **__: object) -> NoReturn:
        parser.error(f"there is no option {self.option_strings[0]}: {NO_OPTIONS[self.option_strings[0][2:]]}")


def setting(text: str) -> str:
    """An option's value of the form KEY=VALUE, with a key of the recipe."""
    key, equals, value = text.partition("=")
    if not equals:
        raise argparse.ArgumentTypeError(f"{text} is no KEY=VALUE")
    try:
        parse_setting(key, value)
    except ValueError as error:
        raise argparse.ArgumentTypeError(str(error)) from error
    return text


def build_parser(description: str) -> argparse.ArgumentParser:
    """The parser. An option that is not given is not in its result."""
    parser = argparse.ArgumentParser(
        usage="python3 location_dmc.py [--v_cluster N] [--a_cluster N] [--recipe NAME] [--set KEY=VALUE ...] ...",
        description=description,
        epilog="Settings of the recipes: docs/options.md. Precedence: command line, checkpoint, recipe, default.",
        formatter_class=lambda prog: argparse.RawDescriptionHelpFormatter(prog, max_help_position=32, width=120),
        argument_default=argparse.SUPPRESS,
        allow_abbrev=False,
    )
    _add_published_options(parser.add_argument_group("options of the published program"))
    _add_file_options(parser.add_argument_group("files and runs"))
    _add_method_options(parser.add_argument_group("method and evaluation"))
    _add_machine_options(parser.add_argument_group("machine"))
    for name in NO_OPTIONS:
        parser.add_argument(f"--{name}", nargs="?", action=_Hint, help=argparse.SUPPRESS)
    return parser


def _add(group: argparse._ArgumentGroup, name: str, help_text: str, **kwargs: Any) -> None:  # noqa: ANN401
    default = DEFAULTS.get(name)
    if "choices" not in kwargs:
        kwargs.setdefault("metavar", "FILE" if kwargs.get("type") is Path else "N")
    if default is not None and "(default:" not in help_text:
        help_text += f" (default: {default})"
    group.add_argument(f"--{name}", help=help_text, **kwargs)


def _add_published_options(group: argparse._ArgumentGroup) -> None:
    text = "clusters of a frame: each sounding object, and the rest; cvpr2019 takes 10"
    _add(group, "v_cluster", text, type=positive_int)
    _add(group, "a_cluster", "clusters of the audio: one for each sounding object", type=positive_int)
    _add(group, "epoch", f"epochs in all, also when resuming (default: {_defaults('epoch')})", type=whole_number)
    _add(group, "batch_size", "samples of a step, of all processes together; 10 with cvpr2019", type=positive_int)
    rates = _defaults("learning_rate")
    _add(group, "learning_rate", f"lower it if the loss becomes NaN (default: {rates})", type=positive_float)
    _add(group, "seed", "of weights, order, crops and negative pairs", type=seed_number)
    text = "processes that load frames that are not in memory (default: as many as cores, at most 4)"
    _add(group, "num_threads", text, type=whole_number)
    _add(group, "enable_img_augmentation", "0 trains on frames that are only cropped at random", **SWITCH)
    _add(group, "use_pretrain", "1 starts from the weights of --ckpt_file", **SWITCH)
    _add(group, "ckpt_file", "a checkpoint of ours or of the published code (default: OUT/best.pth)", type=Path)
    _add(group, "evaluate", "1 writes the maps of the test list without training", **SWITCH)
    _add(group, "data_list_dir", "folder of the three lists (default: DATA_DIR)", metavar="DIR")
    for name in LIST_NAMES:
        _add(group, f"{name}_list", f"list of the {name} videos", metavar="FILE")


def _add_file_options(group: argparse._ArgumentGroup) -> None:
    _add(group, "data_dir", "the data set, with video_frames/ and audio_frames/", metavar="DIR")
    _add(group, "out", "folder of best.pth, last.pth, log.csv and args.json", type=Path, metavar="DIR")
    _add(group, "dmc_pkl", "file of the maps; the distances go to the .csv beside it", type=Path)
    _add(group, "export_published", "only write the weights of --ckpt_file for the published program", type=Path)
    _add(group, "resume", "1 resumes from OUT/last.pth; without one the training starts fresh", **SWITCH)
    _add(group, "overwrite", "1 replaces the training that OUT holds", **SWITCH)
    _add(group, "save_every", "keep epoch_003.pth and so on every N epochs; 0 keeps none", type=whole_number)
    _add(group, "log", "tensorboard adds event files with figures and maps to OUT", choices=("csv", "tensorboard"))


def _add_method_options(group: argparse._ArgumentGroup) -> None:
    text = (
        "original: as published; improved finds what sounds; pretrained: from ImageNet; cvpr2019: the paper's own form "
        f"(default: {DEFAULT_RECIPE})"
    )
    group.add_argument("--recipe", choices=tuple(RECIPES), help=text)
    text = "change a setting of the recipe, for example --set beta=10; can be repeated"
    group.add_argument("--set", type=setting, action="append", metavar="KEY=VALUE", help=text)
    text = "with --evaluate 1: the audio of the frames; others write dmc_NAME.pkl"
    _add(group, "audio", text, choices=AUDIO_CHOICES)
    _add(group, "test_frames", "frames of each second in the maps", choices=("all", "first"))


def _add_machine_options(group: argparse._ArgumentGroup) -> None:
    _add(group, "device", "auto is a GPU where there is one", choices=("auto", "cpu", "cuda", "mps"))
    text = "of the backbones; auto is fp32 for original, bf16 for others where the hardware has it"
    _add(group, "precision", text, choices=PRECISIONS)
    _add(group, "accumulate", "micro-batches of a step, where a batch does not fit into memory", type=positive_int)
    _add(group, "cache", "1 decodes all frames once, and keeps them in memory if they fit", **SWITCH)
    _add(group, "compile", "1 compiles the backbones for training on a CUDA GPU", **SWITCH)


def _defaults(key: str) -> str:
    return ", ".join(f"{name} {getattr(recipe, key)}" for name, recipe in RECIPES.items())


def given_settings(given: dict[str, Any]) -> dict[str, Any]:
    """The settings of the recipe on the command line."""
    pairs = (text.split("=", 1) for text in given.get("set", ()))
    flags = {key: given[key] for key in FLAGS_OF_SETTINGS if key in given}
    return {key: parse_setting(key, value) for key, value in pairs} | flags


def merge_options(given: dict[str, Any], from_checkpoint: dict[str, Any]) -> argparse.Namespace:
    """The value of every option: from the command line, else the checkpoint, else the recipe, else the default.

    The checkpoint's data set counts only if it is on this machine, and its lists only for that data set. If another
    recipe than the checkpoint's is given, the checkpoint's settings do not count.

    Returns:
        All options of `DEFAULTS`, ``recipe_name``, and ``recipe``, a `models.recipes.Recipe`.
    """
    inherited = {
        name: value
        for name, value in from_checkpoint.items()
        if name in DEFAULTS and name not in NOT_FROM_CHECKPOINT and _is_usable(name, value)
    }
    inherited_name = from_checkpoint.get("recipe")
    name = given.get("recipe", inherited_name if inherited_name in [*RECIPES] else DEFAULT_RECIPE)
    settings = inherited_settings(from_checkpoint) if name == (inherited_name or DEFAULT_RECIPE) else {}
    recipe = replace(RECIPES[name], **{**settings, **given_settings(given)})
    of_checkpoint = Path(inherited.get("data_dir", ""))
    if not of_checkpoint.is_dir() or Path(given.get("data_dir", of_checkpoint)).resolve() != of_checkpoint.resolve():
        inherited = {option: value for option, value in inherited.items() if option not in DATA_OPTIONS}
    plain = {option: value for option, value in given.items() if option in DEFAULTS}
    defaults = defaults_of(name)
    return argparse.Namespace(**{**defaults, **inherited, **plain}, recipe_name=name, recipe=recipe)


def defaults_of(recipe_name: str) -> dict[str, Any]:
    """The default of every option with a recipe."""
    return DEFAULTS | DEFAULTS_OF_RECIPES.get(recipe_name, {})


def inherited_settings(from_checkpoint: dict[str, Any]) -> dict[str, Any]:
    """The settings that a checkpoint has and that can be used: a stranger's file may hold anything, of any length."""
    settings = {}
    plain = {name: value for name, value in from_checkpoint.items() if isinstance(value, str | int | float)}
    old = {"visual_net": VISUAL_NET_OF_LAYER.get(plain.get("visual_layer"))}
    for name, value in (old | plain).items():
        try:
            settings[name] = parse_setting(name, str(value))
        except ValueError:
            continue
    return settings


def _is_usable(name: str, value: object) -> bool:
    """Whether a checkpoint's value can be that of an option."""
    default = DEFAULTS[name]
    if not (isinstance(value, str | None) if default is None else type(value) is type(default)):
        return False
    if name in OF_DATA_SET:
        return value in LENGTHS if name == "audio_seconds" else value > 0
    parser = build_parser("")
    parser.exit_on_error = False
    try:
        return value is None or bool(parser.parse_args([f"--{name}={value}"]))
    except argparse.ArgumentError:
        return False


def inherited_words(options: argparse.Namespace, given: dict[str, Any]) -> str:
    """The options that are neither given nor the default nor the recipe's, in words."""
    settings, of_recipe = given_settings(given), asdict(RECIPES[options.recipe_name])
    usual = defaults_of(options.recipe_name) | of_recipe
    words = [
        f"--{name} {value}" for name, value in vars(options).items()
        if name in DEFAULTS and name not in given and value != usual[name] and name not in OF_DATA_SET
    ]  # fmt: skip
    words += [
        f"--set {key}={value}" for key, value in asdict(options.recipe).items()
        if key not in settings and value != usual[key]
    ]  # fmt: skip
    return " ".join(words)


def checkpoint_args(options: argparse.Namespace) -> dict[str, Any]:
    """All options as plain values, for a checkpoint and ``args.json``."""
    plain = {name: getattr(options, name) for name in DEFAULTS}
    args = {"recipe": options.recipe_name, **plain, **asdict(options.recipe)}
    return {name: str(value) if isinstance(value, Path) else value for name, value in args.items()}


def parse_options(description: str, argv: Sequence[str] | None) -> tuple[argparse.ArgumentParser, dict[str, Any]]:
    """The parser, and the options that were given on the command line."""
    parser = build_parser(description)
    return parser, vars(parser.parse_args(argv))
