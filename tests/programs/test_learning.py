"""Real trainings with the recipes: they learn what they are for."""

import pytest

from metrics.maps.annotations import read_annotations
from metrics.maps.evaluate import score_baselines, score_run
from metrics.maps.figures import summary
from metrics.maps.runs import read_run
from tests.fixtures.sample_set import make_located_set, make_set
from tests.fixtures.training_run import log_rows, run, settings

pytestmark = pytest.mark.slow


def test_matching_accuracy_on_new_videos_rises_clearly_above_chance(tmp_path):
    make_set(tmp_path, train=8, val=2, test=1, seconds=4, kinds=2)
    assert run(tmp_path, tmp_path / "run", "--epoch", "10", "--learning_rate", "3e-4", "--batch_size", "8") == 0
    rows = log_rows(tmp_path / "run")
    accuracy = [float(row["val_accuracy"]) for row in rows]
    assert max(accuracy) >= 0.9  # 0.5 is chance
    assert sum(accuracy[-3:]) / 3 >= 0.75
    # In training 3 of 7 negatives show the same kind of object: 11 / 14 is the highest possible accuracy.
    assert sum(float(row["train_accuracy"]) for row in rows[-3:]) / 3 > 0.6


def test_the_papers_form_tells_the_audio_of_new_videos_from_wrong_audio(tmp_path):
    make_set(tmp_path, train=8, val=2, test=1, seconds=4, kinds=2, size=64)
    small = "image_size=64 width=0.125 audio_pooling=4 spectrogram_scaling=second schedule=cosine".split()
    options = [*settings(*small), *"--recipe cvpr2019 --batch_size 8 --epoch 16 --learning_rate 1e-3".split()]
    assert run(tmp_path, tmp_path / "run", *options) == 0
    assert float(log_rows(tmp_path / "run")[-1]["val_accuracy"]) >= 0.8  # 0.5 is chance
    maps = read_run(tmp_path / "run/dmc.pkl").maps.values()
    assert {value.shape for value in maps} == {(10, 4, 4)}


def test_the_improved_recipe_points_at_the_sounding_object_far_more_often_than_the_centred_disc(tmp_path):
    # Bright squares of four kinds anywhere on dark noise; the mel bands of the audio tell the kind.
    make_located_set(tmp_path, train=16, val=4, test=8, kinds=4, seconds=4, size=64)
    out = tmp_path / "run"
    options = "--recipe improved --set image_size=64 --batch_size 16 --epoch 20 --v_cluster 3".split()
    assert run(tmp_path, out, *options) == 0
    found, boxes = read_run(out / "dmc.pkl"), read_annotations(tmp_path / "boxes.json")
    scores = summary(score_run(found.maps, 1, boxes))
    disc = summary(score_baselines(found.maps, boxes)["centred disc"])
    assert scores["frames"] == 8 * 4 * 4
    assert scores["pointing"] > 0.7 > 0.45 > disc["pointing"]
    assert scores["iou_at_0.3"] > 0.7 > 0.5 > disc["iou_at_0.3"]
    assert scores["mean_iou"] > disc["mean_iou"]
