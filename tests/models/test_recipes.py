"""The recipes, and the values of their fields as text."""

from dataclasses import asdict, replace

import pytest

from models import backbone, clustering
from models.recipes import (
    CENTER_INITS,
    IMPROVED,
    ORIGINAL,
    PRETRAINED,
    RECIPES,
    SETTINGS,
    VISUAL_NETS,
    Recipe,
    parse_setting,
)


def test_the_original_recipe_is_the_published_method():
    assert asdict(ORIGINAL) == {
        "loss": "contrastive", "margin": 5.0, "noise_negatives": 0, "mixup": False,
        "visual_net": "resnet18", "visual_weights": "none",
        "width": 1.0, "clustering": "kmeans", "beta": 30.0,
        "cluster_start": "strided", "normalize": False, "spectrogram_scaling": "none", "audio_pooling": 1,
        "image_size": 224, "learning_rate": 1e-4, "schedule": "constant", "epoch": 100,
        "readout": "clusters",
    }  # fmt: skip


@pytest.mark.parametrize("recipe", RECIPES.values())
def test_each_value_of_a_recipe_survives_as_text(recipe):
    values = asdict(recipe)
    assert {key: parse_setting(key, str(value)) for key, value in values.items()} == values
    assert {key: type(value) for key, value in values.items()} == {key: s.type for key, s in SETTINGS.items()}


def test_test_frames_are_as_in_training_or_larger():
    assert (ORIGINAL.test_size, IMPROVED.test_size, replace(IMPROVED, image_size=32).test_size) == (224, 144, 48)


def test_recipes_differ_in_few_settings():
    def differences(one: Recipe, other: Recipe) -> int:
        return sum(asdict(other)[key] != value for key, value in asdict(one).items())

    assert differences(ORIGINAL, IMPROVED) <= 14 and differences(IMPROVED, PRETRAINED) <= 4


@pytest.mark.parametrize(
    ("key", "text", "expected"),
    [
        ("loss", "hinge", "contrastive or cross_entropy or max_margin"),
        ("normalize", "yes", "0 or 1"),
        ("noise_negatives", "-1", "a whole number, 0 or more"),
        ("audio_pooling", "0", "a whole number, 1 or more"),
        ("epoch", "1.5", "a whole number"),
        ("beta", "-1", "a number above 0"),
        ("margin", "0", "a number above 0"),
        ("margin", "nan", "a number above 0"),
        ("margin", "inf", "a number above 0"),
        ("learning_rate", "fast", "a number above 0"),
        ("visual_weights", "", "none, imagenet, or a file"),
    ],
)
def test_a_bad_value_is_a_sentence_that_says_what_is_expected(key, text, expected):
    with pytest.raises(ValueError, match=f"{key}={text} is no value of it: give {expected}"):
        parse_setting(key, text)


def test_an_unknown_key_lists_all_keys():
    with pytest.raises(ValueError, match=r"no setting hardness; the settings are loss, .*, readout$"):
        parse_setting("hardness", "3")


def test_each_name_of_a_choice_is_built_by_its_module():
    assert (tuple(backbone.VISUAL_NETS), tuple(clustering.CENTER_INITS)) == (VISUAL_NETS, CENTER_INITS)
