"""metrics/features.py: features of a miniature in ESC-50's layout and of a data set of ours, against a plain loop."""

import json
from dataclasses import replace
from pathlib import Path

import librosa
import numpy as np
import pytest
import torch
from scipy.io import wavfile

from data.transforms import load_frame, resize
from metrics import features
from metrics.feature_file import Features, read_features
from models.dmc import DMC
from models.recipes import IMPROVED, ORIGINAL
from tests.fixtures.sample_set import add_labels, add_video
from training.checkpoints.checkpoint import save_checkpoint

pytestmark = pytest.mark.usefixtures("small")
RATE = 44_100
PITCHES = {"dog": 300, "siren": 900}  # Hz


@pytest.fixture(scope="module")
def esc50(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """One clip of each class in each of 2 folds, 44.1 kHz, 5 s; read only."""
    folder = tmp_path_factory.mktemp("esc50")
    (folder / "audio").mkdir()
    (folder / "meta").mkdir()
    rng = np.random.default_rng(0)
    rows = ["filename,fold,target,category,esc10,src_file,take"]
    for fold in (1, 2):
        for target, (label, pitch) in enumerate(PITCHES.items()):
            name = f"{fold}-{target}00-A-{target}.wav"
            rows.append(f"{name},{fold},{target},{label},True,{fold}{target},A")
            tone = np.sin(2 * np.pi * pitch * np.arange(5 * RATE) / RATE) * rng.uniform(0.1, 0.6)
            samples = (tone + rng.normal(0, 0.02, len(tone))) * 2**15
            wavfile.write(folder / "audio" / name, RATE, samples.astype(np.int16))
    (folder / "meta/esc50.csv").write_text("\n".join(rows))
    return folder


def save_network(path: Path, recipe: str = "original", seed: int = 1, **options: object) -> tuple[Path, DMC]:
    """A checkpoint of a network that was not trained."""
    torch.manual_seed(seed)
    settings = replace({"original": ORIGINAL, "improved": IMPROVED}[recipe], image_size=32)
    model = DMC(settings, 2, 1).eval()
    args = {"recipe": recipe, "v_cluster": 2, "a_cluster": 1, "image_size": 32, "precision": "fp32", **options}
    save_checkpoint(path, {"model": model.state_dict(), "args": args})
    return path, model


def run(out: Path, ckpt_file: Path, data_dir: Path, *options: str) -> int:
    return features.main(["--out", str(out), "--ckpt_file", str(ckpt_file), "--data_dir", str(data_dir), *options])


def written(out: Path, ckpt_file: Path, data_dir: Path, *options: str) -> Features:
    assert run(out, ckpt_file, data_dir, *options) == 0
    return read_features(out)


def librosa_log_mel(second: np.ndarray) -> np.ndarray:
    magnitude = np.abs(librosa.stft(second, n_fft=160, hop_length=80))
    return librosa.power_to_db(librosa.filters.mel(sr=16_000, n_fft=160, n_mels=64) @ magnitude).T  # [201, 64]


@pytest.mark.filterwarnings("ignore:Empty filters")
def test_a_row_for_each_second_of_esc50_has_what_a_plain_loop_computes(esc50, tmp_path):
    path, model = save_network(tmp_path / "net.pth")
    found = written(tmp_path / "new/features.npz", path, esc50)
    assert len(found.names) == 20
    assert found.names[:6].tolist() == ["1-000-A-0"] * 5 + ["1-100-A-1"]
    assert found.seconds[:6].tolist() == [0, 1, 2, 3, 4, 0]
    assert found.labels[::5].tolist() == [*PITCHES] * 2 and found.folds[::10].tolist() == [1, 2]
    assert {one.dtype for one in found[4:]} == {np.dtype(np.float32)}
    _, samples = wavfile.read(esc50 / "audio/1-100-A-1.wav")
    samples = librosa.resample(samples / np.float32(2**15), orig_sr=RATE, target_sr=16_000, res_type="soxr_hq")
    for second in range(5):
        spectrogram = librosa_log_mel(samples[second * 16_000 :][:16_000])
        with torch.no_grad():
            maps = model.audio_features(torch.from_numpy(spectrogram)[None, None])[0].numpy()  # [512, 13, 4]
            projected = model.audio_projection(torch.from_numpy(maps.mean((1, 2)))).numpy()
        row = 5 + second
        np.testing.assert_allclose(found.features[row], maps.mean((1, 2)), rtol=1e-3, atol=1e-4)
        # A single cluster has all positions, so that its center is their mean.
        np.testing.assert_allclose(found.centers[row], [projected], rtol=1e-3, atol=1e-3)
        expected = [*spectrogram.mean(0), *spectrogram.std(0)]
        np.testing.assert_allclose(found.statistics[row], expected, rtol=1e-3, atol=1e-3)


@pytest.fixture
def own_set(tmp_path: Path) -> Path:
    """Two videos with a class and one without, of different lengths."""
    for number, name in enumerate(("-b", "a_0_1000", "c")):
        add_video(tmp_path / "set", name, seconds=1 + number, kind=number, size=40)
    add_labels(tmp_path / "set", {"flute": ["-b"], "violin": ["a_0_1000"]})
    return tmp_path / "set"


def test_audio_of_a_data_set_is_that_of_its_spectrograms(tmp_path, own_set):
    path, model = save_network(tmp_path / "net.pth", "improved")
    found = written(tmp_path / "features.npz", path, own_set)
    assert found.names.tolist() == ["-b", "a_0_1000", "a_0_1000", "c", "c", "c"]
    assert found.seconds.tolist() == [0, 0, 1, 0, 1, 2]
    assert found.labels.tolist() == ["flute", "violin", "violin", "", "", ""]
    assert not found.folds.any() and found.centers.shape == (6, 1, 512)
    spectrogram = torch.from_numpy(np.load(own_set / "audio_frames/c/001.npy"))[None]
    with torch.no_grad():
        expected = model.audio_features(spectrogram[None])[0].mean((1, 2))
    np.testing.assert_allclose(found.features[4], expected, rtol=1e-4, atol=1e-5)


def test_visual_features_are_those_of_the_first_frame_of_each_second(tmp_path, own_set):
    path, model = save_network(tmp_path / "net.pth", "improved")
    found = written(tmp_path / "features.npz", path, own_set, "--what", "visual")
    frame = resize(load_frame(own_set / "video_frames/c/frame_001/00025.jpg"), 32)
    with torch.no_grad():
        expected = model.frame_features(model.normalize_frames(frame[None]))[0].mean((1, 2))
        centers = model.encode_frames(frame[None]).centers[0]
    np.testing.assert_allclose(found.features[4], expected, rtol=1e-4, atol=1e-5)
    np.testing.assert_allclose(found.centers[4], centers, rtol=1e-4, atol=1e-5)
    pixels = frame.numpy().reshape(3, -1).astype(float)
    np.testing.assert_allclose(found.statistics[4], [*pixels.mean(1), *pixels.std(1)], rtol=1e-5)


def test_random_weights_depend_on_nothing_but_the_architecture(tmp_path, own_set):
    one, other = (
        written(tmp_path / "f.npz", save_network(tmp_path / "n.pth", seed=seed)[0], own_set) for seed in (1, 2)
    )
    np.testing.assert_array_equal(one.random, other.random)
    assert not np.allclose(one.features, other.features) and not np.allclose(one.features, one.random)


def test_user_errors_name_file_and_remedy(tmp_path, esc50, own_set, capsys):
    path, _ = save_network(tmp_path / "net.pth")
    copy = tmp_path / "copy"
    (copy / "meta").mkdir(parents=True)
    table = copy / "meta/esc50.csv"

    def error(*arguments: object) -> str:
        assert run(tmp_path / "features.npz", *arguments) == 1 and not (tmp_path / "features.npz").exists()
        return capsys.readouterr().err

    assert "has no frames" in error(path, esc50, "--what", "visual")
    for content, reason in (
        ("a,b\n1,2\n", "columns filename, fold, category"),
        ("filename,fold,category\n", "no clips"),
    ):
        table.write_text(content)
        assert str(table) in (message := error(path, copy)) and reason in message
    table.write_text("filename,fold,category\nnone.wav,1,dog\n")
    assert str(copy / "audio/none.wav") in error(path, copy)
    assert "data/cut_video.py" in error(path, tmp_path / "nothing")
    (own_set / "audio_frames/settings.json").write_text(json.dumps({"n_fft": 512}))
    assert "--n_fft 160" in error(path, own_set)
    torch.save({"model": {"weight": torch.zeros(1)}}, tmp_path / "other.pth")
    assert "other.pth" in error(tmp_path / "other.pth", own_set)


def test_weights_that_are_no_numbers_are_refused(tmp_path, own_set, capsys):
    path, model = save_network(tmp_path / "net.pth")
    model.audio_projection.bias.data[0] = torch.nan
    save_checkpoint(path, {"model": model.state_dict(), "args": {}})
    assert run(tmp_path / "features.npz", path, own_set) == 1
    assert "no finite numbers" in capsys.readouterr().err and not (tmp_path / "features.npz").exists()
