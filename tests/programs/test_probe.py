"""metrics/probe.py: folds without leaks, accuracies against a plain nested loop, the table and the picture."""

from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from sklearn.svm import LinearSVC

from metrics import probe
from metrics.feature_file import Features, write_features


def features_of(names: list[str], labels: list[str], values: np.ndarray, folds: list[int] | None = None) -> Features:
    """A file's content with `values` as features and noise as those of random weights."""
    count, values = len(names), np.asarray(values, np.float32)
    noise = np.random.default_rng(0).normal(size=(count, 3)).astype(np.float32)
    columns = map(np.array, (names, range(count), labels, folds or [0] * count))
    return Features(*columns, values, values[:, None], noise, noise)


def best_c(values: np.ndarray, labels: np.ndarray, folds: np.ndarray) -> float:
    """The first C with the highest mean accuracy over the folds, each of which is left out once."""

    def accuracy(c: float, fold: int) -> float:
        out = folds == fold
        return np.mean(fit_predict(values[~out], labels[~out], values[out], c) == labels[out])

    return max(probe.C_VALUES, key=lambda c: np.mean([accuracy(c, fold) for fold in sorted(set(folds))]))


def fit_predict(values: np.ndarray, labels: np.ndarray, others: np.ndarray, c: float) -> np.ndarray:
    """Standardize by the training samples only, train, predict."""
    mean, std = values.mean(0), values.std(0)
    return LinearSVC(C=c, dual=False).fit((values - mean) / std, labels).predict((others - mean) / std)


def test_each_fold_is_predicted_from_the_others_only():
    classes = np.arange(60) % 3  # they overlap, in dimensions of different size
    values = (np.random.default_rng(0).normal(size=(60, 4)) + 1.2 * np.eye(4)[classes]) * [1, 100, 0.01, 5]
    labels = np.array(["a", "b", "c"])[classes]
    folds = 1 + np.arange(60) // 3 % 5
    predicted = probe.predict(values, labels, folds)
    for fold in range(1, 6):
        train = folds != fold
        c = best_c(values[train], labels[train], folds[train])
        assert predicted[~train].tolist() == fit_predict(values[train], labels[train], values[~train], c).tolist()
    assert 0.5 < np.mean(predicted == labels) < 1  # else any C would do


def test_folds_have_the_classes_in_proportion_and_excerpts_of_a_video_together():
    names = [f"{video:011d}_{start}_{start + 1}" for video in range(20) for start in range(3)]
    labels = np.repeat(["x", "y"], 30)
    folds = probe.assign_folds(names, labels)
    assert [[np.sum(folds[labels == label] == fold) for fold in range(1, 6)] for label in "xy"] == [[6] * 5] * 2
    assert (folds.reshape(20, 3) == folds.reshape(20, 3)[:, :1]).all()


def test_classes_with_fewer_videos_than_folds_are_left_out_and_named(capsys):
    names = [f"v{number}" for number in range(14)]
    labels = np.array(["x"] * 5 + ["few"] * 4 + ["y"] * 5)
    folds = probe.assign_folds(names, labels)
    assert all(sorted(folds[labels == label]) == [1, 2, 3, 4, 5] for label in ("x", "y"))
    assert not folds[labels == "few"].any()
    assert capsys.readouterr().out == "Left out, as they have fewer than 5 videos: few\n"


def test_a_sample_is_the_mean_of_the_seconds_of_a_clip_with_a_class():
    features = features_of(["b", "a", "b", "c"], ["y", "x", "y", ""], [[1], [5], [3], [9]], [2, 1, 2, 0])
    clips = probe.mean_of_clips(features)
    assert (clips.names.tolist(), clips.labels.tolist(), clips.folds.tolist()) == (["a", "b"], ["x", "y"], [1, 2])
    assert clips.features.tolist() == [[5], [2]]


def test_accuracy_is_the_mean_over_the_folds():
    labels, predicted = np.array(list("aabbbb")), np.array(list("abbbbb"))
    figures = probe.accuracies(predicted, labels, np.array([1, 1, 2, 2, 2, 2]))
    assert figures == {"accuracy": 0.75, "accuracy_std": 0.25}


def run(path: Path, *options: object) -> int:
    return probe.main([str(path), *map(str, options)])


@pytest.mark.parametrize("published", [True, False])
def test_the_table_has_the_baselines_and_the_picture_is_written(tmp_path, capsys, published):
    labels = ["flute"] * 10 + ["violin"] * 20
    names = [f"v{number}" for number in range(30)]
    folds = [1 + number % 4 for number in range(30)] if published else None
    write_features(tmp_path / "f.npz", features_of(names, labels, np.repeat([[0.0], [1.0]], [10, 20], axis=0), folds))
    assert run(tmp_path / "f.npz", *(["--out", tmp_path / "new/matrix.png"] if published else [])) == 0
    picture = tmp_path / ("new/matrix.png" if published else "f.png")
    lines = capsys.readouterr().out.splitlines()
    assert lines[0] == f"30 clips, 2 classes, {4 if published else 5} folds"
    table = {line[:25].strip(): line[25:].split() for line in lines[3:7]}
    assert table.pop("trained network") == ["1.000", "0.000"]
    assert table.pop("chance: the largest class") == ["0.667", "-"]
    assert [*table] == ["random weights", "mean and std of the input"]
    assert all(float(accuracy) < 0.9 for accuracy, _ in table.values())  # of noise
    with Image.open(picture) as image:
        assert image.format == "PNG" and image.width > 200
    assert str(picture) in lines[-1]


def test_user_errors_name_file_and_remedy(tmp_path, capsys):
    def error(content: Features | bytes | None) -> str:
        path = tmp_path / "f.npz"
        if isinstance(content, bytes):
            path.write_bytes(content)
        elif content:
            write_features(path, content)
        assert run(path) == 1 and not (tmp_path / "f.png").exists()
        message = capsys.readouterr().err
        assert str(path) in message
        return message

    assert "metrics/features.py" in error(None)
    assert "metrics/features.py" in error(b"PK\x03\x04 no file")
    ten = [f"v{number}" for number in range(10)]
    for labels in ([""] * 10, ["x"] * 10, ["x"] * 6 + ["y"] * 4):
        assert "labels.json" in error(features_of(ten, labels, np.zeros((10, 1))))
    np.savez(tmp_path / "f.npz", names=np.array(["a"]))
    assert "metrics/features.py" in error(None)
