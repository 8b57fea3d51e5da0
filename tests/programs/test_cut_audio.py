"""`data/cut_audio.py`: spectrograms of every video, noise and silence, and one window in each data set."""

import json
from pathlib import Path

import numpy as np
import pytest

from data import cut_audio
from data.preprocess import spectrograms
from data.preprocess.settings import n_fft_of
from tests.fixtures.media import librosa_log_mel, noise, write_media

pytestmark = pytest.mark.filterwarnings("ignore:Empty filters detected")  # the published front end has them

BESIDE = ["noise.npy", "settings.json", "silence.npy"]  # beside the videos' folders


def run(data_dir: Path, *options: str) -> int:
    return cut_audio.main(["--data_dir", str(data_dir), "--num_threads", "1", *options])


def contents(data_dir: Path) -> dict[str, bytes]:
    folder = data_dir / "audio_frames"
    return {str(path.relative_to(folder)): path.read_bytes() for path in folder.rglob("*.*")}


@pytest.fixture
def data_dir(tmp_path) -> Path:
    """A data set of one lossless video of 2 seconds."""
    write_media(tmp_path / "video/a.mkv", frames=50, sound=noise(2), audio_codec="pcm_f32le")
    return tmp_path


@pytest.mark.parametrize("n_fft", [160, 512])
def test_each_second_of_a_lossless_file_equals_librosa_and_the_window_is_recorded(data_dir, n_fft):
    assert n_fft_of(data_dir) is None
    assert run(data_dir, "--n_fft", str(n_fft)) == 0
    paths = sorted((data_dir / "audio_frames/a").iterdir())
    assert [path.name for path in paths] == ["000.npy", "001.npy"]
    for path, second in zip(paths, noise(2).reshape(2, 16_000), strict=True):
        np.testing.assert_allclose(np.load(path), librosa_log_mel(second, n_fft), rtol=0, atol=1e-4)
    assert json.loads((data_dir / "audio_frames/settings.json").read_text())["n_fft"] == n_fft_of(data_dir) == n_fft


def test_each_bad_file_is_named_with_its_reason_and_the_good_one_is_cut(tmp_path, capsys):
    video = tmp_path / "video"
    write_media(video / "good.mp4", frames=50, sound=noise(2))
    write_media(video / "mute.mp4", frames=50)
    write_media(video / "short.mp4", frames=25, sound=noise(0.4))
    (video / "empty.mp4").touch()
    (video / "text.mp4").write_text("no video, but a text\n" * 100)
    long = write_media(tmp_path / "long.mp4", frames=100, sound=noise(4), options={"movflags": "faststart"})
    (video / "half.mp4").write_bytes(long.read_bytes()[: long.stat().st_size // 2])
    write_media(video / "other.mp4", frames=50, sound=noise(2))
    (tmp_path / "audio").mkdir()
    (tmp_path / "audio/other.wav").write_text("no audio")
    assert run(tmp_path) == 1
    lines = capsys.readouterr().err.splitlines()
    reasons = {
        "mute": "no audio stream",
        "short": "no whole second",
        "empty": "0 bytes",
        "text": "FFmpeg cannot read it",
        "half": "cut short",
        "other": "other.wav: FFmpeg cannot read it",
    }
    for name, reason in reasons.items():
        assert any(line.strip().startswith(f"{name}: ") and reason in line for line in lines), (name, lines)
    assert sorted(path.name for path in (tmp_path / "audio_frames").iterdir()) == ["good", *BESIDE]


def test_two_windows_never_mix_in_one_set(data_dir, capsys):
    assert run(data_dir) == 0
    before = contents(data_dir)
    assert run(data_dir, "--n_fft", "512") == 1
    assert capsys.readouterr().err.endswith(
        f"cut_audio: {data_dir / 'audio_frames'} was cut with --n_fft 160, not --n_fft 512: "
        "--n_fft 160 goes on with it, --overwrite 1 cuts anew\n"
    )
    assert contents(data_dir) == before
    assert run(data_dir, "--n_fft", "512", "--overwrite", "1") == 0
    changed = {name for name, content in contents(data_dir).items() if content != before[name]}
    assert changed == {"a/000.npy", "a/001.npy", "noise.npy", "settings.json"}  # silence is the same with any window


def test_a_setting_without_an_option_is_not_offered_as_one(data_dir, capsys):
    assert run(data_dir) == 0
    path = data_dir / "audio_frames/settings.json"
    path.write_text(json.dumps({**json.loads(path.read_text()), "hop_length": 160}))
    capsys.readouterr()
    assert run(data_dir) == 1
    assert "was cut with hop_length 160, not hop_length 80: --overwrite 1 cuts anew" in capsys.readouterr().err


@pytest.mark.parametrize("value", ["158", "161", "4098"])
def test_a_window_that_is_odd_or_out_of_range_is_refused(data_dir, capsys, value):
    with pytest.raises(SystemExit) as stopped:
        run(data_dir, "--n_fft", value)
    assert stopped.value.code == 2
    assert "--n_fft" in capsys.readouterr().err.splitlines()[-1]


def test_noise_and_silence_are_the_same_in_every_set(tmp_path):
    sets = [tmp_path / name for name in ("one", "two")]
    for folder in sets:
        (folder / "audio_frames").mkdir(parents=True)
        spectrograms.write_negatives(folder, 512)
    assert contents(sets[0]) == contents(sets[1])
    white, silence = (np.load(sets[0] / f"audio_frames/{name}.npy") for name in ("noise", "silence"))
    assert white.dtype == silence.dtype == np.float32
    assert white.shape == (64, 201, 64) and silence.shape == (1, 201, 64)
    assert np.ptp(silence) == 0
    assert len(np.unique(white[:, 0, 0])) == 64
    assert (np.ptp(white, axis=1) > 0).all()  # no mel filter is empty at 512


def test_noise_is_white_and_has_a_root_mean_square_of_a_tenth(tmp_path, monkeypatch):
    seconds = []
    monkeypatch.setattr(spectrograms, "log_mel", lambda audio, n_fft: seconds.append(audio) or np.zeros(0))
    (tmp_path / "audio_frames").mkdir()
    spectrograms.write_negatives(tmp_path, 160)
    white, silence = seconds
    assert white.dtype == np.float32 and white.shape == (64, 16_000) and silence.shape == (1, 16_000)
    np.testing.assert_allclose(np.sqrt((white**2).mean(1)), 0.1, rtol=0.03)
    assert np.abs(np.corrcoef(white) - np.eye(64)).max() < 0.05
    assert not silence.any()


def test_a_second_run_skips_finished_videos_and_restores_noise_and_silence(data_dir, capsys):
    assert run(data_dir) == 0
    before = contents(data_dir)
    (data_dir / "audio_frames/noise.npy").unlink()
    (data_dir / "audio_frames/silence.npy").write_bytes(b"half")
    assert run(data_dir) == 0
    assert "0 cut, 1 there already, 0 failed" in capsys.readouterr().out
    assert contents(data_dir) == before
