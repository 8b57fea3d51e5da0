"""Where the value of an option comes from, and what the recipes say."""

import pytest

from models.recipes import RECIPES
from training.optim import WEIGHT_DECAY
from training.options import DEFAULTS, check_options, merge_options, parse_options, without_effect

IMPROVED, ORIGINAL = RECIPES["improved"], RECIPES["original"]
OTHER_VALUES = {  # of every option that a recipe sets, one that is neither's
    "loss": "cross_entropy", "negatives": "batch", "background_negatives": 1, "noise_negatives": 7,
    "skip_alike": 0.4,
    "temperature": 0.3, "matching": "one_to_one", "cluster_start": "farthest", "beta": 3.0, "normalize": 1,
    "padding": "replicate", "spectrogram_scaling": "second", "audio_pooling": 3, "n_fft": 512,
    "augmentation": "strong", "spec_augment": 1, "image_size": 48, "test_scale": 3.0, "learning_rate": 0.5,
    "schedule": "cosine", "warmup": 9, "epoch": 77, "precision": "bf16", "test_beta": 4.0, "test_turn": 1,
    "test_rounds": 9, "test_joint_rounds": 3, "test_sizes": 2,
    "visual_layer": "layer3", "center_features": 1,
}  # fmt: skip


def options_of(*argv: str, checkpoint: dict | None = None):
    """What a command line and a checkpoint come to."""
    return merge_options(parse_options("", argv)[1], checkpoint or {})


def test_the_original_recipe_is_the_published_one():
    # METHOD, sections 1 to 3; and nothing that the published code does not have.
    assert RECIPES["original"] == {
        "loss": "contrastive", "negatives": "one", "background_negatives": 0, "noise_negatives": 0,
        "skip_alike": 0.0,
        "temperature": ORIGINAL["temperature"],  # of the other loss only
        "matching": "nearest", "cluster_start": "strided", "beta": 30.0, "normalize": 0, "padding": "zeros",
        "spectrogram_scaling": "none", "audio_pooling": 1, "n_fft": 160, "augmentation": "published", "spec_augment": 0,
        "image_size": 224, "test_scale": 1.0, "learning_rate": 1e-4, "schedule": "constant", "warmup": 0,
        "epoch": 100, "precision": "auto", "test_beta": 30.0, "test_turn": 0, "test_rounds": 4,
        "test_joint_rounds": 0,
        "test_sizes": 1,
        "visual_layer": "layer4", "center_features": 0,
    }  # fmt: skip
    assert (DEFAULTS["batch_size"], WEIGHT_DECAY) == (32, 1e-4)


def test_recipes_say_the_same_options_and_values_of_the_same_types():
    assert IMPROVED.keys() == ORIGINAL.keys() == OTHER_VALUES.keys()
    assert {name: type(value) for name, value in IMPROVED.items()} == {
        name: type(value) for name, value in ORIGINAL.items()
    }


def test_what_nobody_says_is_the_default():
    options = options_of()
    assert options.recipe == "original" and vars(options) == DEFAULTS
    assert options_of("--recipe", "improved").batch_size == DEFAULTS["batch_size"]


def test_the_recipes_word_counts_before_the_default():
    for name, recipe in RECIPES.items():
        options = options_of("--recipe", name)
        assert {option: getattr(options, option) for option in recipe} == recipe


def test_the_checkpoints_word_counts_before_the_recipes():
    options = options_of(checkpoint={"recipe": "improved", "beta": 3.0, "epoch": 77})
    assert (options.recipe, options.beta, options.epoch) == ("improved", 3.0, 77)
    assert options.image_size == IMPROVED["image_size"]


def test_the_command_lines_word_counts_before_the_checkpoints():
    options = options_of("--beta", "4", checkpoint={"recipe": "improved", "beta": 3.0, "epoch": 77})
    assert (options.recipe, options.beta, options.epoch) == ("improved", 4.0, 77)


def test_the_command_line_counts_before_the_recipe_that_it_names():
    assert options_of("--beta", "4", "--recipe", "improved").beta == 4.0


@pytest.mark.parametrize("given", RECIPES)
def test_a_recipe_other_than_the_checkpoints_replaces_all_that_recipes_say_and_nothing_else(given):
    other = next(name for name in RECIPES if name != given)
    options = options_of("--recipe", given, checkpoint={"recipe": other, **OTHER_VALUES, "v_cluster": 5, "seed": 3})
    assert {name: getattr(options, name) for name in RECIPES[given]} == RECIPES[given]
    assert (options.recipe, options.v_cluster, options.seed) == (given, 5, 3)


def test_the_checkpoints_own_recipe_given_again_changes_nothing():
    checkpoint = {"recipe": "improved", "beta": 3.0}
    assert options_of("--recipe", "improved", checkpoint=checkpoint) == options_of(checkpoint=checkpoint)


def test_a_checkpoint_without_recipe_is_of_an_earlier_version_and_original():
    checkpoint = {"image_size": 112, "learning_rate": 3e-4, "epoch": 5, "v_cluster": 3}
    options = options_of(checkpoint=checkpoint)
    assert vars(options) == {**DEFAULTS, **ORIGINAL, "recipe": "original", **checkpoint}
    assert options_of("--recipe", "improved", checkpoint=checkpoint).image_size == IMPROVED["image_size"]


@pytest.mark.parametrize("recipe", ["of_another_version", 3, None, ["improved"]])
def test_a_recipe_that_is_not_known_here_falls_back_to_the_original(recipe):
    options = options_of(checkpoint={"recipe": recipe, "v_cluster": 3})
    assert (options.recipe, options.v_cluster) == ("original", 3)
    assert {name: getattr(options, name) for name in ORIGINAL} == ORIGINAL


@pytest.mark.parametrize(("name", "value"), [("loss", "hinge"), ("normalize", 2), ("beta", -1.0), ("v_cluster", 0)])
def test_a_checkpoints_value_that_the_command_line_would_refuse_does_not_count(name, value):
    options = options_of(checkpoint={"recipe": "improved", name: value, "warmup": 5})
    assert getattr(options, name) == {**DEFAULTS, **IMPROVED}[name] and options.warmup == 5


def test_a_checkpoints_precision_counts_so_that_resuming_changes_nothing_but_where_it_started_does_not():
    options = options_of(checkpoint={"precision": "bf16", "visual_weights": "imagenet"})
    assert (options.precision, options.visual_weights) == ("bf16", None)


@pytest.mark.parametrize("name", OTHER_VALUES)
def test_each_thing_that_a_recipe_says_can_be_said_on_the_command_line(name):
    options = options_of(f"--{name}", str(OTHER_VALUES[name]), "--recipe", "improved")
    assert getattr(options, name) == OTHER_VALUES[name] and type(getattr(options, name)) is type(ORIGINAL[name])


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("recipe", "published"),
        ("loss", "hinge"),
        ("negatives", "two"),
        ("background_negatives", "2"),
        ("noise_negatives", "-1"),
        ("skip_alike", "1"),
        ("temperature", "0"),
        ("matching", "all"),
        ("cluster_start", "random"),
        ("beta", "-1"),
        ("normalize", "yes"),
        ("padding", "reflect"),
        ("spectrogram_scaling", "batch"),
        ("audio_pooling", "0"),
        ("augmentation", "none"),
        ("test_scale", "0"),
        ("schedule", "linear"),
        ("warmup", "-1"),
        ("precision", "fp8"),
    ],
)
def test_a_value_that_means_nothing_is_refused(name, value, capsys):
    with pytest.raises(SystemExit):
        parse_options("", [f"--{name}", value])
    assert f"--{name}" in capsys.readouterr().err.splitlines()[-1]


def test_the_help_tells_each_recipes_value_where_they_differ(capsys):
    with pytest.raises(SystemExit):
        parse_options("", ["--help"])
    text = " ".join(capsys.readouterr().out.split())
    for name, value in IMPROVED.items():
        assert f"(default: {ORIGINAL[name]}" + (f"; improved: {value})" if value != ORIGINAL[name] else ")") in text


@pytest.mark.parametrize(
    ("given", "word"),
    [
        (("--a_cluster", "20", "--v_cluster", "20", "--audio_pooling", "4"), "--audio_pooling"),
        (("--audio_pooling", "202"), "--audio_pooling"),
        (("--image_size", "32", "--v_cluster", "4", "--test_scale", "0.5"), "--test_scale"),
        (("--image_size", "32", "--test_scale", "0.01"), "--test_scale"),
        (("--image_size", "80", "--test_sizes", "3"), "--test_sizes 3 is too many for test pictures of 80 pixels"),
        (("--image_size", "32", "--recipe", "improved"), "--test_sizes 3 is too many for test pictures of 59 pixels"),
        (("--test_sizes", "7", "--evaluate", "1", "--image_size", "200"), "--test_sizes 7"),
        (("--batch_size", "1", "--negatives", "batch"), "--batch_size"),
    ],
)
def test_sizes_that_leave_too_few_features_or_pairs_are_told_before_training(given, word):
    problem = check_options(options_of(*given))
    assert problem is not None and word in problem


@pytest.mark.parametrize(
    "given",
    [
        *((("--recipe", recipe)) for recipe in RECIPES),
        ("--recipe", "improved", "--image_size", "48"),  # 88, 56 and 24 pixels
        ("--image_size", "81", "--test_sizes", "3"),  # 17 pixels have two features a side
        ("--image_size", "16", "--v_cluster", "1"),  # a single view may have one
    ],
)
def test_sizes_that_leave_every_view_some_features_are_admitted(given):
    assert check_options(options_of(*given)) is None


def test_the_cost_of_one_to_one_is_that_of_training_alone():
    given = ("--matching", "one_to_one", "--v_cluster", "7", "--a_cluster", "5")  # 2520 ways to match
    assert "--matching one_to_one is too slow" in check_options(options_of(*given))
    assert check_options(options_of(*given, "--evaluate", "1")) is None


@pytest.mark.parametrize(
    ("given", "sentence"),
    [
        (("--skip_alike", "0.25"), "--skip_alike 0.25 has no effect: it goes with --negatives batch"),
        (("--skip_alike", "0.25", "--negatives", "batch"), None),
        (("--skip_alike", "0.01", "--negatives", "batch"), "--skip_alike 0.01 has no effect: it is less than one of"),
        (
            ("--skip_alike", "0.1", "--negatives", "batch", "--accumulate", "8"),
            "--skip_alike 0.1 has no effect: it is less than one of the 4 sounds",
        ),
        (("--skip_alike", "0"), None),
        (("--temperature", "0.3"), "--temperature 0.3 has no effect: it goes with --loss cross_entropy"),
        (("--temperature", "0.3", "--recipe", "improved"), None),
        (("--augmentation", "strong"), None),
        (("--augmentation", "strong", "--enable_img_augmentation", "0"), "--augmentation strong has no effect: "),
        (("--recipe", "improved", "--enable_img_augmentation", "0"), None),  # the recipe's, not given
        (("--recipe", "improved", "--loss", "contrastive"), None),
        (("--temperature", "0.3", "--evaluate", "1"), None),  # nothing of training has one there
    ],
)
def test_what_is_given_and_changes_nothing_is_told(given, sentence):
    values = parse_options("", given)[1]
    found = without_effect(merge_options(values, {}), values)
    assert len(found) == (sentence is not None) and all(one.startswith(sentence) for one in found)
