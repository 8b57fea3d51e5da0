"""``--log tensorboard``: the figures and localizations of each epoch are logged once, also after a kill."""

import io
import sys
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image
from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

from data.transforms import load_frame, resize
from models.dmc import DMC
from models.recipes import ORIGINAL
from tests.fixtures import training_run
from tests.fixtures.sample_set import make_set
from tests.fixtures.training_run import log_rows, same_weights, weights_of
from training.checkpoints.run_folder import RunFolder
from training.options import EVENTS
from vis.overlay import overlay, relative
from vis.tensorboard import EXAMPLES, LONGER_SIDE, TAGS, require_packages

IMAGES = [f"localization/val{video}/frame_001/00025" for video in (0, 1)]
pytestmark = pytest.mark.usefixtures("small")


@pytest.fixture(scope="module")
def data_dir(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("set")
    make_set(folder, train=4, val=2, test=1, seconds=2, size=40)
    return folder


def run(data_dir: Path, out: Path, *options: str, log: str = "tensorboard") -> int:
    return training_run.run(data_dir, out, "--log", log, *options)


def events(out: Path) -> EventAccumulator:
    """Everything that TensorBoard's own reader finds."""
    return EventAccumulator(str(out), size_guidance={"scalars": 0, "images": 0}).Reload()


def steps(out: Path) -> dict[str, list[int]]:
    """Tag -> the steps of its points."""
    found = events(out)
    scalars = {tag: [event.step for event in found.Scalars(tag)] for tag in found.Tags()["scalars"]}
    return scalars | {tag: [event.step for event in found.Images(tag)] for tag in found.Tags()["images"]}


def all_tags(expected: list[int]) -> dict[str, list[int]]:
    return dict.fromkeys([*TAGS.values(), *IMAGES], expected)


@pytest.fixture(scope="module")
def trained(small: None, data_dir: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A finished training of two epochs; read only."""
    out = tmp_path_factory.mktemp("run") / "dmc"
    assert run(data_dir, out, "--epoch", "2") == 0
    return out


def test_each_epoch_has_the_figures_of_log_csv(trained):
    assert steps(trained) == all_tags([1, 2])
    rows, found = log_rows(trained), events(trained)
    for column, tag in TAGS.items():
        expected = [float(row[column]) for row in rows]
        assert [event.value for event in found.Scalars(tag)] == pytest.approx(expected, rel=1e-6)


def test_a_localization_is_the_matched_map_over_the_frame(trained, data_dir):
    encoded = events(trained).Images(IMAGES[1])[-1].encoded_image_string
    logged = np.asarray(Image.open(io.BytesIO(encoded)))
    # By hand, from the last checkpoint.
    model = DMC(ORIGINAL).eval()
    model.load_state_dict(weights_of(trained))
    frame = load_frame(data_dir / "video_frames/val1/frame_001/00025.jpg")
    spectrogram = np.load(data_dir / "audio_frames/val1/001.npy")
    with torch.no_grad():
        visual = model.encode_frames(resize(frame, 32)[None])
        audio = model.encode_audio(torch.tensor(spectrogram)[None, None])
        nearest = (visual.centers[0] - audio.centers[0, 0]).norm(dim=1).argmin()
    expected = overlay(frame.permute(1, 2, 0).numpy(), relative(visual.assignment[0, nearest].numpy()))
    assert logged.shape == (40, 40, 3)
    assert np.abs(logged.astype(int) - expected).max() <= 1


def test_logging_changes_no_weight_and_resuming_logs_the_figures_of_earlier_epochs(trained, data_dir, tmp_path):
    assert run(data_dir, tmp_path, "--epoch", "2", log="csv") == 0
    assert same_weights(weights_of(trained), weights_of(tmp_path))
    assert not list(tmp_path.glob(EVENTS)) and (tmp_path / "log.csv").exists() and (trained / "log.csv").exists()
    assert run(data_dir, tmp_path, "--epoch", "3", "--resume", "1") == 0
    assert steps(tmp_path) == all_tags([1, 2, 3]) | {tag: [3] for tag in IMAGES}


def test_an_epoch_that_was_logged_but_not_saved_is_logged_once_after_resuming(data_dir, tmp_path, monkeypatch):
    save_epoch = RunFolder.save_epoch

    def killed_in_the_second(folder: RunFolder, *arguments: object) -> None:
        if folder.epoch == 1:
            raise KeyboardInterrupt
        save_epoch(folder, *arguments)

    with monkeypatch.context() as patched:
        patched.setattr(RunFolder, "save_epoch", killed_in_the_second)
        assert run(data_dir, tmp_path, "--epoch", "2") == 130
    assert steps(tmp_path) == all_tags([1, 2])
    assert run(data_dir, tmp_path, "--epoch", "2", "--resume", "1") == 0
    assert steps(tmp_path) == all_tags([1, 2])
    files = sorted(tmp_path.glob(EVENTS))
    assert len(files) == 2
    speeds = [float(row["samples_per_second"]) for row in log_rows(tmp_path)]
    points = events(tmp_path).Scalars("training/samples_per_second")
    assert [point.value for point in points] == pytest.approx(speeds, rel=1e-6)  # of the saved epoch

    assert run(data_dir, tmp_path, "--epoch", "0", "--overwrite", "1") == 0
    assert steps(tmp_path) == {} and not any(file.exists() for file in files)


def test_the_maps_of_two_audio_clusters_are_side_by_side_and_large_frames_are_shrunk(tmp_path):
    make_set(tmp_path, train=2, val=8, test=1, seconds=1, size=400)
    assert run(tmp_path, tmp_path / "run", "--epoch", "1", "--v_cluster", "3", "--a_cluster", "2") == 0
    found = events(tmp_path / "run")
    tags = found.Tags()["images"]
    assert len(tags) == EXAMPLES < 8
    event = found.Images(tags[0])[0]
    assert (event.width, event.height) == (2 * LONGER_SIDE, LONGER_SIDE)


@pytest.mark.parametrize("package", ["torch.utils.tensorboard", "matplotlib"])
def test_a_missing_package_is_named_with_the_remedy_before_anything_is_overwritten(
    trained, data_dir, monkeypatch, capsys, package
):
    before = {path.name: path.stat().st_mtime_ns for path in trained.iterdir()}
    monkeypatch.setitem(sys.modules, package, None)
    require_packages("csv")
    assert run(data_dir, trained, "--epoch", "1", "--overwrite", "1") == 1
    error = capsys.readouterr().err
    assert package in error and "pip install -r requirements.txt" in error
    assert {path.name: path.stat().st_mtime_ns for path in trained.iterdir()} == before
