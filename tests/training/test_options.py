"""The value of every option: command line, checkpoint, recipe, default."""

from argparse import Namespace
from dataclasses import asdict

import pytest

import location_dmc
from models.recipes import IMPROVED, ORIGINAL, RECIPES
from training.options import DEFAULTS, checkpoint_args, inherited_words, merge_options, parse_options

IMPROVED_CHECKPOINT = {"recipe": "improved", **asdict(IMPROVED), "beta": 3.0, "epoch": 77}


def options_of(*argv: str, checkpoint: dict | None = None) -> Namespace:
    return merge_options(parse_options("", argv)[1], checkpoint or {})


@pytest.mark.parametrize(
    ("argv", "checkpoint", "beta"),
    [
        ((), {}, ORIGINAL.beta),
        (("--recipe", "improved"), {}, IMPROVED.beta),
        ((), IMPROVED_CHECKPOINT, 3.0),
        (("--recipe", "improved"), IMPROVED_CHECKPOINT, 3.0),  # its own recipe, given again
        (("--recipe", "original"), IMPROVED_CHECKPOINT, ORIGINAL.beta),  # another recipe: its settings do not count
        (("--set", "beta=4"), IMPROVED_CHECKPOINT, 4.0),
        (("--set", "beta=4", "--recipe", "improved"), {}, 4.0),
        (("--set", "beta=4", "--set", "beta=5"), {}, 5.0),  # the last one counts
    ],
)
def test_precedence_is_command_line_checkpoint_recipe_default(argv, checkpoint, beta):
    assert options_of(*argv, checkpoint=checkpoint).recipe.beta == beta


def test_a_recipe_can_have_its_own_defaults_of_options():
    options = options_of("--recipe", "cvpr2019", "--batch_size", "4")
    assert (options.v_cluster, options.a_cluster, options.batch_size) == (10, 1, 4)
    options = options_of(checkpoint=checkpoint_args(options))
    assert (options.v_cluster, options.batch_size) == (10, 4)
    assert inherited_words(options, {}) == "--batch_size 4"


def test_options_outside_the_recipe_follow_the_same_order():
    assert options_of("--recipe", "improved").batch_size == DEFAULTS["batch_size"]
    options = options_of("--recipe", "original", checkpoint={**IMPROVED_CHECKPOINT, "v_cluster": 5, "seed": 3})
    assert (options.recipe_name, options.recipe, options.v_cluster, options.seed) == ("original", ORIGINAL, 5, 3)
    assert options_of("--v_cluster", "4", checkpoint={"v_cluster": 5}).v_cluster == 4


def test_published_options_of_the_recipe_are_options_and_settings():
    by_option = options_of("--epoch", "7", "--learning_rate", "0.5").recipe
    assert by_option == options_of("--set", "epoch=7", "--set", "learning_rate=0.5").recipe
    assert (by_option.epoch, by_option.learning_rate) == (7, 0.5)


@pytest.mark.parametrize("name", [None, "of_another_version", 3, ["improved"]])
def test_a_checkpoint_without_a_known_recipe_has_the_original_one(name):
    checkpoint = {"v_cluster": 3} | ({} if name is None else {"recipe": name})
    options = options_of(checkpoint=checkpoint)
    assert (options.recipe_name, options.recipe, options.v_cluster) == ("original", ORIGINAL, 3)


def test_a_checkpoint_of_an_early_version_has_its_settings_without_a_recipe():
    checkpoint = {"image_size": 112, "learning_rate": 3e-4}
    recipe = options_of(checkpoint=checkpoint).recipe
    assert (recipe.image_size, recipe.learning_rate, recipe.beta) == (112, 3e-4, 30.0)
    assert options_of("--recipe", "improved", checkpoint=checkpoint).recipe == IMPROVED


ENDLESS: list = []  # its text has 2^60 brackets
for _ in range(60):
    ENDLESS = [ENDLESS, ENDLESS]


@pytest.mark.parametrize(
    "unusable",
    [
        {"loss": "hinge"},
        {"normalize": 2},
        {"beta": -1.0},
        {"v_cluster": 0},
        {"n_fft": -5},
        {"visual_layer": []},
        {"unknown": 1},
        dict.fromkeys(["unknown", "beta", "visual_net", "visual_layer", "v_cluster"], ENDLESS),
        {"batch_size": 10**20, "v_cluster": 10**20},
    ],
)
def test_unusable_values_of_a_checkpoint_do_not_count(unusable):
    options = options_of(checkpoint={"recipe": "improved", "noise_negatives": 5, **unusable})
    assert vars(options) == vars(options_of(checkpoint={"recipe": "improved", "noise_negatives": 5}))
    assert options.recipe.noise_negatives == 5


def test_a_checkpoint_says_nothing_about_this_run():
    stored = {"audio": "noise", "log": "tensorboard", "out": "/stored", "evaluate": 1}
    options = options_of(checkpoint={**stored, "precision": "bf16"})
    assert options.precision == "bf16"  # resuming changes nothing
    assert all(getattr(options, name) == DEFAULTS[name] for name in stored)


def test_the_lists_of_a_checkpoint_count_for_its_data_set_only():
    stored = {"data_dir": ".", "train_list": "mine.txt", "v_cluster": 5}
    options = merge_options({"data_dir": "/elsewhere"}, stored)
    assert (options.data_dir, options.train_list, options.v_cluster) == ("/elsewhere", "train.txt", 5)
    options = merge_options({"v_cluster": 4}, stored)
    assert (options.data_dir, options.train_list, options.v_cluster) == (".", "mine.txt", 4)
    options = merge_options({}, stored | {"data_dir": "/gone"})
    assert (options.data_dir, options.train_list) == (DEFAULTS["data_dir"], "train.txt")


@pytest.mark.parametrize("recipe", RECIPES)
def test_the_options_in_a_checkpoint_give_the_same_options_again(recipe):
    options = options_of("--recipe", recipe, "--set", "beta=4", "--v_cluster", "3")
    args = checkpoint_args(options)
    assert vars(options_of(checkpoint=args)) == vars(options)
    assert inherited_words(options_of(checkpoint=args), {}) == "--v_cluster 3 --set beta=4.0"
    given = {"v_cluster": 3, "set": ["beta=4"]}
    assert inherited_words(merge_options(given, args), given) == ""


@pytest.mark.parametrize(
    ("argv", "words"),
    [
        (("--set", "beta"), "beta is no KEY=VALUE"),
        (("--set", "beta=-1"), "beta=-1 is no value of it: give a number above 0"),
        (("--beta", "10"), "there is no option --beta: it is a setting of the recipe: give --set beta=VALUE"),
        (("--visual_weights", "x.pth"), "give --set visual_weights=VALUE"),
        (("--n_fft", "512"), "the window is read from the data set"),
        (("--mode", "train"), "--evaluate 1"),
        (("--json_file", "x.json"), "--data_dir"),
        (("--gpu_ids=0,1",), "CUDA_VISIBLE_DEVICES"),
        (("--seed", "9" * 20), "is not from 0 to 2^63 - 1"),
        (("--v_clus", "3"), "unrecognized"),  # no abbreviations
    ],
)
def test_a_wrong_option_is_a_sentence_with_the_remedy(argv, words, capsys):
    with pytest.raises(SystemExit) as stopped:
        parse_options("", argv)
    assert stopped.value.code == 2
    assert words in capsys.readouterr().err.splitlines()[-1]


def test_the_help_fits_on_a_screen(capsys):
    with pytest.raises(SystemExit):
        parse_options(location_dmc.__doc__, ["--help"])
    text = capsys.readouterr().out
    assert len(text.splitlines()) <= 60 and "--set KEY=VALUE" in text and "--beta" not in text
