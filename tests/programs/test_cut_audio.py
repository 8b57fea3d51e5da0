"""`data/cut_audio.py`: spectrograms of every video, noise and silence, and one window in each data set."""

from pathlib import Path

import numpy as np
import pytest

from data import cut_audio
from data.media.spectrogram import log_mel, vggish_log_mel
from data.preprocess import spectrograms
from data.preprocess.settings import audio_command, n_fft_of
from tests.fixtures.media import librosa_log_mel, noise, write_media

pytestmark = pytest.mark.filterwarnings("ignore:Empty filters detected")  # the published front end has them


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
    assert n_fft_of(data_dir) == n_fft


def test_a_second_run_restores_noise_and_silence_and_two_windows_never_mix(data_dir, capsys):
    assert run(data_dir) == 0
    before = contents(data_dir)
    (data_dir / "audio_frames/noise.npy").unlink()
    (data_dir / "audio_frames/silence.npy").write_bytes(b"half")
    assert run(data_dir) == 0
    assert "0 cut, 1 there already, 0 failed" in capsys.readouterr().out
    assert run(data_dir, "--n_fft", "512") == 1
    assert capsys.readouterr().err.endswith(
        f"cut_audio: {data_dir / 'audio_frames'} was cut with --n_fft 160, not --n_fft 512: "
        "give the same options, or --overwrite 1\n"
    )
    assert contents(data_dir) == before
    assert run(data_dir, "--n_fft", "512", "--overwrite", "1") == 0
    changed = {name for name, content in contents(data_dir).items() if content != before[name]}
    assert changed == {"a/000.npy", "a/001.npy", "noise.npy", "settings.json"}  # silence is the same with any window


def test_each_second_of_each_stem_has_a_spectrogram_of_its_own(data_dir):
    for stem, level in {"3": 0.5, "12": 0.1}.items():
        path = data_dir / f"stems/a/{stem}.wav"
        write_media(path, frames=0, sound=level * noise(2)[::-1].copy(), audio_codec="pcm_f32le")
    assert run(data_dir) == 0
    names = {path.name for path in (data_dir / "audio_frames/a").iterdir()}
    assert names == {f"{second}{stem}.npy" for second in ("000", "001") for stem in ("", "_3", "_12")}
    expected = librosa_log_mel(0.1 * noise(2)[::-1].reshape(2, 16_000)[1], 160)
    np.testing.assert_allclose(np.load(data_dir / "audio_frames/a/001_12.npy"), expected, rtol=0, atol=1e-4)


@pytest.mark.parametrize("value", ["158", "161", "4098"])
def test_a_window_that_is_odd_or_out_of_range_is_refused(tmp_path, capsys, value):
    with pytest.raises(SystemExit):
        run(tmp_path, "--n_fft", value)
    assert f"{value} is not an even number from 160 to 4096" in capsys.readouterr().err


def test_noise_is_white_with_a_root_mean_square_of_a_tenth_and_the_same_in_every_set(tmp_path, monkeypatch):
    audio = []
    monkeypatch.setattr(
        spectrograms, "spectrograms", lambda seconds, n_fft, _: audio.append(seconds) or log_mel(seconds, n_fft)
    )
    for name in ("one", "two"):
        (tmp_path / name / "audio_frames").mkdir(parents=True)
        spectrograms.write_negatives(tmp_path / name, 512, 1)
    assert contents(tmp_path / "one") == contents(tmp_path / "two")
    white, silence = audio[:2]
    np.testing.assert_allclose(np.sqrt((white**2).mean(1)), 0.1, rtol=0.03)
    assert np.abs(np.corrcoef(white) - np.eye(64)).max() < 0.05 and not silence.any()
    white, silence = (np.load(tmp_path / f"one/audio_frames/{name}.npy") for name in ("noise", "silence"))
    assert white.dtype == silence.dtype == np.float32
    assert white.shape == (64, 201, 64) and silence.shape == (1, 201, 64)


def test_a_spectrogram_of_five_seconds_is_around_its_second_and_within_the_audio(tmp_path, capsys):
    samples = noise(7.4)
    write_media(tmp_path / "video/a.mkv", frames=175, sound=samples, audio_codec="pcm_f32le")
    write_media(tmp_path / "video/short.mkv", frames=125, sound=noise(4.9), audio_codec="pcm_f32le")
    assert run(tmp_path, "--seconds", "5") == 1
    assert "short: its audio has no 5 whole seconds: it lasts from 0.00 to 4.90 s" in capsys.readouterr().err
    found = [np.load(path) for path in sorted((tmp_path / "audio_frames/a").iterdir())]
    assert len(found) == 7
    for spectrogram, start in zip(found, (0, 0, 0, 1, 2, 2, 2), strict=True):
        expected = vggish_log_mel(samples[None, start * 16_000 :][:, : 5 * 16_000])[0]
        np.testing.assert_allclose(spectrogram, expected, rtol=0, atol=1e-4)
    assert np.load(tmp_path / "audio_frames/noise.npy").shape == (64, 496, 64)
    assert run(tmp_path) == 1
    assert (
        "was cut with --seconds 5, not --seconds 1: give the same options, or --overwrite 1" in capsys.readouterr().err
    )
    assert run(tmp_path, "--seconds", "5", "--n_fft", "512") == 1
    assert "--n_fft goes with --seconds 1" in capsys.readouterr().err
    assert audio_command(tmp_path).endswith("--seconds 5")
