"""Shows what the features of a network are worth: how well a linear classifier tells classes apart by them.

    python3 metrics/probe.py features.npz

A sample is a clip, with the mean of its seconds. The classifier is a linear SVM on standardized features. Each fold is
predicted from the others, with the C that is best when each of those is left out in turn. The folds are the published
ones of ESC-50. In a data set of ours, they have the classes in proportion, and excerpts of a video are in one fold.
"""

import argparse
import sys
from collections import Counter
from collections.abc import Sequence
from pathlib import Path

if not __package__:  # run by path: imports start at the repository root
    sys.path[0] = str(Path(__file__).resolve().parents[1])

from common.cli import plain_parser


def parse(argv: Sequence[str] | None) -> argparse.Namespace:
    """The options of this program."""
    parser = plain_parser(__doc__)
    parser.add_argument("features", type=Path, help="file of metrics/features.py")
    parser.add_argument("--out", type=Path, help="the confusion matrix (default: features.png for features.npz)")
    return parser.parse_args(argv)


if __name__ == "__main__":
    parse(None)  # answers --help and mistakes at once: the imports below take seconds

import numpy as np
from matplotlib.figure import Figure
from sklearn.metrics import ConfusionMatrixDisplay
from sklearn.model_selection import GridSearchCV, LeaveOneGroupOut, StratifiedGroupKFold, cross_val_predict
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from sklearn.svm import LinearSVC
from tqdm import tqdm

from common.atomic import atomic_file, require_writable
from common.errors import UserError
from common.exit_status import exit_status
from data.lists import identity_of
from metrics.feature_file import Features, read_features
from metrics.table import figures_table

NUM_FOLDS = 5
C_VALUES = 10.0 ** np.arange(-5, 0)
SEED = 10  # of the folds
MOST_NUMBERED_CLASSES = 20  # in a larger confusion matrix the numbers would not fit
INPUTS = {  # row of the table -> field of Features
    "trained network": "features",
    "random weights": "random",
    "mean and std of the input": "statistics",
}


def mean_of_clips(features: Features) -> Features:
    """A row for each clip with a class: the means of its seconds."""
    labelled = Features(*(values[features.labels != ""] for values in features))
    _, first, clip = np.unique(labelled.names, return_index=True, return_inverse=True)

    def mean(values: np.ndarray) -> np.ndarray:
        return np.array([values[clip == number].mean(0) for number in range(len(first))])

    means = {field: mean(getattr(labelled, field)) for field in INPUTS.values()}
    return Features(*(values[first] for values in labelled))._replace(**means)


def assign_folds(names: Sequence[str], labels: np.ndarray) -> np.ndarray:
    """A fold from 1 to 5 for each clip; 0 for those of a class with fewer videos than folds, which it prints."""
    videos = np.array([identity_of(name) for name in names])
    counts = Counter(label for label, _ in {*zip(labels.tolist(), videos.tolist(), strict=True)})
    rare = sorted(label for label, count in counts.items() if count < NUM_FOLDS)
    if rare:
        print(f"Left out, as they have fewer than {NUM_FOLDS} videos: {', '.join(rare)}")
    (used,) = np.nonzero(~np.isin(labels, rare))
    folds = np.zeros(len(labels), int)
    if len(used):
        splitter = StratifiedGroupKFold(NUM_FOLDS, shuffle=True, random_state=SEED)
        for fold, (_, rows) in enumerate(splitter.split(used, labels[used], videos[used]), 1):
            folds[used[rows]] = fold
    return folds


def predict(inputs: np.ndarray, labels: np.ndarray, folds: np.ndarray) -> np.ndarray:
    """The class of each sample by a linear SVM that is trained on the other folds; C is chosen within those."""
    svm = make_pipeline(StandardScaler(), LinearSVC(dual=False))
    search = GridSearchCV(svm, {"linearsvc__C": C_VALUES}, cv=LeaveOneGroupOut())
    split = {"groups": folds, "cv": LeaveOneGroupOut(), "params": {"groups": folds}}  # for both loops
    return cross_val_predict(search, inputs, labels, **split)


def accuracies(predicted: np.ndarray, labels: np.ndarray, folds: np.ndarray) -> dict[str, float]:
    """Mean and standard deviation of the accuracy over the folds."""
    by_fold = [np.mean((predicted == labels)[folds == fold]) for fold in np.unique(folds)]
    return {"accuracy": float(np.mean(by_fold)), "accuracy_std": float(np.std(by_fold))}


def draw_confusion(labels: np.ndarray, predicted: np.ndarray, path: Path) -> None:
    """Draw the confusion matrix as PNG: a row for each class, a column for each predicted class."""
    num_classes = len(np.unique(labels))
    side = 3 + 0.25 * num_classes  # inches
    figure = Figure((side, side), layout="constrained")
    ConfusionMatrixDisplay.from_predictions(
        labels,
        predicted,
        include_values=num_classes <= MOST_NUMBERED_CLASSES,
        xticks_rotation="vertical",
        ax=figure.subplots(),
        colorbar=False,
    )
    require_writable(path)
    with atomic_file(path) as partial:
        figure.savefig(partial, format="png")


def probe(path: Path, out: Path) -> None:
    """Print the table and draw the confusion matrix of the trained network."""
    clips = mean_of_clips(read_features(path))
    folds = clips.folds if clips.folds.any() else assign_folds(clips.names, clips.labels)
    used = folds > 0
    labels, folds = clips.labels[used], folds[used]
    classes, counts = np.unique(labels, return_counts=True)
    if len(classes) < 2 or len(np.unique(folds)) < 3:
        raise UserError(
            f"{path}: a probe needs at least two classes, with {NUM_FOLDS} videos each. The classes of a data set are "
            "in its labels.json"
        )
    rows = tqdm(INPUTS.items(), "probe", leave=False)
    predicted = {row: predict(getattr(clips, field)[used], labels, folds) for row, field in rows}
    table = {row: accuracies(one, labels, folds) for row, one in predicted.items()}
    table["chance: the largest class"] = {"accuracy": float(counts.max() / len(labels))}
    print(f"{len(labels)} clips, {len(classes)} classes, {len(np.unique(folds))} folds")
    print("", *figures_table(table), "", sep="\n")
    draw_confusion(labels, predicted["trained network"], out)
    print(f"Wrote {out}: the classes that the trained network takes for one another.")


def main(argv: Sequence[str] | None = None) -> int:
    """Run the program."""
    options = parse(argv)
    out = options.out or options.features.with_suffix(".png")
    return exit_status("probe", lambda: probe(options.features, out))


if __name__ == "__main__":
    sys.exit(main())
