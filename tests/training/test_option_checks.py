"""Options that do not fit together, and options without effect."""

import pytest

from models.recipes import RECIPES
from tests.fixtures.training_run import settings
from training.option_checks import check_options, without_effect
from training.options import merge_options, parse_options


def problem_of(*argv: str) -> str | None:
    return check_options(merge_options(parse_options("", argv)[1], {}))


@pytest.mark.parametrize(
    ("argv", "words"),
    [
        (["--v_cluster", "1", "--a_cluster", "2", *settings("loss=cross_entropy")], "larger than --v_cluster"),
        (["--v_cluster", "9", *settings("image_size=32")], "--set image_size=32"),
        (["--a_cluster", "20", "--v_cluster", "20", *settings("audio_pooling=4")], "--set audio_pooling"),
        (settings("audio_pooling=202"), "--set audio_pooling"),
        (["--batch_size", "1", *settings("loss=cross_entropy")], "--batch_size 1"),
        (["--batch_size", "5", "--accumulate", "2"], "give 4 or 6"),
        (["--ckpt_file", "x.pth"], "--use_pretrain 1"),
        (["--dmc_pkl", "maps.csv"], "cannot end with .csv"),
        (["--audio", "noise"], "--evaluate 1"),
        (["--export_published", "x.pth", "--recipe", "improved"], "has no visual_net=resnet18_local"),
        (["--evaluate", "1", "--log", "tensorboard"], "does not train"),
        (settings("clustering=capsules"), "goes with visual_net=vgg16"),
        (["--recipe", "cvpr2019", "--a_cluster", "11"], "larger than --v_cluster"),
    ],
)
def test_options_that_do_not_fit_together_are_refused_before_training(argv, words):
    assert words in problem_of(*argv)


@pytest.mark.parametrize(
    "argv",
    [
        *[["--recipe", name] for name in RECIPES],
        ["--v_cluster", "1", *settings("image_size=16")],  # one feature
        ["--v_cluster", "1", "--a_cluster", "2"],  # both are nearest to it
    ],
)
def test_options_that_fit_are_accepted(argv):
    assert problem_of(*argv) is None


def test_one_to_one_matching_is_slow_in_training_only():
    argv = ["--v_cluster", "7", "--a_cluster", "5", *settings("loss=cross_entropy")]  # 2520 ways to match
    assert "loss=cross_entropy is too slow" in problem_of(*argv)
    assert problem_of(*argv, "--evaluate", "1") is None


@pytest.mark.parametrize(
    ("argv", "sentence"),
    [
        ([*settings("margin=2"), "--recipe", "improved"], "--set margin=2.0 has no effect: it goes with loss=contra"),
        (settings("schedule=cosine"), None),
        (settings("noise_negatives=2"), "--set noise_negatives=2 has no effect: it goes with loss=cross_entropy"),
        (settings("noise_negatives=2", "loss=cross_entropy"), None),
        (settings("width=0.5"), "--set width=0.5 has no effect: it goes with visual_net=vgg16"),
        ([*settings("width=0.5"), "--recipe", "cvpr2019"], None),
        ([*settings("margin=2"), "--recipe", "improved", "--evaluate", "1"], None),  # no setting of training has
    ],
)
def test_a_given_setting_without_effect_is_told(argv, sentence):
    given = parse_options("", argv)[1]
    found = without_effect(merge_options(given, {}), given)
    assert len(found) == (sentence is not None) and all(line.startswith(sentence) for line in found)
