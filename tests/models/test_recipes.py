"""The recipes, and the values of their fields as text."""

from dataclasses import asdict

import pytest

from models.recipes import IMPROVED, ORIGINAL, SETTINGS, Recipe, parse_setting


def test_the_original_recipe_is_the_published_method():
    assert asdict(ORIGINAL) == {
        "loss": "contrastive", "margin": 5.0, "temperature": ORIGINAL.temperature,  # of the other loss only
        "negatives": "one", "background_negatives": False, "noise_negatives": 0, "matching": "nearest",
        "beta": 30.0, "cluster_start": "strided", "normalize": False, "visual_layer": "layer4",
        "center_features": False, "padding": "zeros", "spectrogram_scaling": "none", "audio_pooling": 1,
        "image_size": 224, "augmentation": "published", "learning_rate": 1e-4, "schedule": "constant", "warmup": 0,
        "epoch": 100, "test_beta": 30.0, "test_rounds": 4, "test_joint_rounds": 0, "test_rotate_180": False,
        "test_num_scales": 1, "test_scale": 1.0,
    }  # fmt: skip


@pytest.mark.parametrize("recipe", [ORIGINAL, IMPROVED])
def test_each_value_of_a_recipe_survives_as_text(recipe):
    values = asdict(recipe)
    assert {key: parse_setting(key, str(value)) for key, value in values.items()} == values
    assert {key: type(value) for key, value in values.items()} == {key: s.type for key, s in SETTINGS.items()}


def test_test_frames_have_a_whole_number_of_pixels():
    assert Recipe(image_size=32, test_scale=1.67).test_size == 53


@pytest.mark.parametrize(
    ("key", "text", "expected"),
    [
        ("loss", "hinge", "contrastive or cross_entropy"),
        ("normalize", "yes", "0 or 1"),
        ("warmup", "-1", "a whole number, 0 or more"),
        ("audio_pooling", "0", "a whole number, 1 or more"),
        ("epoch", "1.5", "a whole number"),
        ("beta", "-1", "a number above 0"),
        ("temperature", "0", "a number above 0"),
        ("test_scale", "nan", "a number above 0"),
        ("test_scale", "inf", "a number above 0"),
        ("learning_rate", "fast", "a number above 0"),
    ],
)
def test_a_bad_value_is_a_sentence_that_says_what_is_expected(key, text, expected):
    with pytest.raises(ValueError, match=f"{key}={text} is no value of it: give {expected}"):
        parse_setting(key, text)


def test_an_unknown_key_lists_all_keys():
    with pytest.raises(ValueError, match=r"no setting hardness; the settings are loss, .*, test_scale$"):
        parse_setting("hardness", "3")
