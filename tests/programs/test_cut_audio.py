"""Spectrograms against librosa, one second at a time, and the sound's alignment to the picture."""

import json
import warnings
from pathlib import Path

import av
import librosa
import numpy as np
import pytest
from scipy.io import wavfile

from data import cut_audio
from data.media.spectrogram import log_mel, mel_filters
from data.preprocess.settings import n_fft_of
from tests.fixtures.media import click, noise, remux, write_media

pytestmark = [
    pytest.mark.filterwarnings("ignore:Empty filters detected"),  # the published front end has them
    pytest.mark.filterwarnings("ignore::DeprecationWarning:audioread"),
]


BESIDE = ["noise.npy", "settings.json", "silence.npy"]  # beside the videos' folders


def run(data_dir: Path, *options: str) -> int:
    return cut_audio.main(["--data_dir", str(data_dir), "--num_threads", "1", *options])


def spectrograms(data_dir: Path, name: str) -> dict[int, np.ndarray]:
    return {int(path.stem): np.load(path) for path in sorted((data_dir / "audio_frames" / name).glob("*.npy"))}


def librosa_of_one_second(second: np.ndarray, n_fft: int = 160) -> np.ndarray:
    """Oracle: librosa on one second alone, as METHOD has it."""
    mel = librosa.feature.melspectrogram(y=second, sr=16_000, n_fft=n_fft, hop_length=80, n_mels=64, power=1.0)
    return librosa.power_to_db(mel).T


def awkward_seconds() -> np.ndarray:
    """Silence, a click, full-scale noise, a whisper, a tone, a loud and a soft half: float32 [6, 16000]."""
    time = np.arange(16_000) / 16_000
    return np.stack(
        [
            np.zeros(16_000),
            click(0.5, 1),
            np.random.default_rng(0).uniform(-1, 1, 16_000),
            noise(1, level=1e-4),
            0.5 * np.sin(2 * np.pi * 440 * time),
            np.where(time < 0.5, 1, 1e-5) * np.random.default_rng(1).uniform(-1, 1, 16_000),
        ]
    ).astype(np.float32)


@pytest.mark.parametrize("n_fft", [160, 512, 4096])
def test_a_batch_of_seconds_is_librosa_on_each_alone(n_fft):
    seconds = awkward_seconds()
    batch = log_mel(seconds, n_fft)
    assert batch.dtype == np.float32 and batch.shape == (6, 201, 64)
    for spectrogram, second in zip(batch, seconds, strict=True):
        np.testing.assert_allclose(spectrogram, librosa_of_one_second(second, n_fft), rtol=0, atol=1e-4)


def test_the_loudest_second_of_a_file_does_not_raise_the_floor_of_the_others():
    quiet = noise(1, level=1e-4)
    loud = np.random.default_rng(0).uniform(-1, 1, 16_000).astype(np.float32)
    together = log_mel(np.stack([quiet, loud]))
    np.testing.assert_allclose(together[0], log_mel(quiet[None])[0], rtol=0, atol=1e-4)
    # librosa on the whole batch would: this is the trap that the test is about
    mel = librosa.feature.melspectrogram(
        y=np.stack([quiet * 1e-3, loud]), sr=16_000, n_fft=160, hop_length=80, n_mels=64, power=1.0
    )
    assert librosa.power_to_db(mel)[0].min() > log_mel(quiet[None] * 1e-3)[0].min() + 10


def test_more_seconds_than_fit_one_batch(monkeypatch):
    seconds = awkward_seconds()
    expected = log_mel(seconds)
    monkeypatch.setattr("data.media.spectrogram.SECONDS_A_BATCH", 4)
    np.testing.assert_array_equal(log_mel(seconds), expected)


def test_a_lossless_file_gives_librosa_of_each_of_its_seconds(tmp_path):
    sound = awkward_seconds().reshape(-1)
    (tmp_path / "video").mkdir()
    write_media(tmp_path / "video/a.mkv", frames=150, sound=sound, audio_codec="pcm_f32le")
    assert run(tmp_path) == 0
    found = spectrograms(tmp_path, "a")
    assert list(found) == list(range(6))
    for second, spectrogram in found.items():
        expected = librosa_of_one_second(sound[second * 16_000 : (second + 1) * 16_000])
        np.testing.assert_allclose(spectrogram, expected, rtol=0, atol=1e-4)


@pytest.mark.parametrize("rate", [8_000, 11_025, 22_050, 44_100, 48_000, 96_000])
@pytest.mark.parametrize("kind", ["flac", "wav"])
def test_separate_sound_files_of_all_rates_are_what_librosa_loads(tmp_path, rate, kind):
    channels = np.stack([noise(2, rate, seed=1), 0.5 * noise(2, rate, seed=2)])
    path = tmp_path / f"audio/a.{kind}"
    if kind == "wav":
        path.parent.mkdir()
        wavfile.write(path, rate, (channels.T * 32767).clip(-32768, 32767).astype(np.int16))
    else:
        write_media(path, sound=channels, sound_rate=rate, layout="stereo", audio_codec="flac")
    assert run(tmp_path) == 0
    loaded, _ = librosa.load(path, sr=16_000, res_type="soxr_hq")
    found = spectrograms(tmp_path, "a")
    assert list(found) == [0, 1]
    for second, spectrogram in found.items():
        expected = librosa_of_one_second(loaded[second * 16_000 : (second + 1) * 16_000])
        np.testing.assert_allclose(spectrogram, expected, rtol=0, atol=1e-3)


def test_mono_is_the_mean_of_the_channels_of_51(tmp_path):
    channels = np.stack([noise(1, 48_000, seed=seed) for seed in range(6)])
    write_media(
        tmp_path / "video/a.mkv", frames=25, sound=channels, sound_rate=48_000, layout="5.1", audio_codec="pcm_f32le"
    )
    assert run(tmp_path) == 0
    mono = librosa.resample(channels.mean(0), orig_sr=48_000, target_sr=16_000, res_type="soxr_hq")
    np.testing.assert_allclose(spectrograms(tmp_path, "a")[0], librosa_of_one_second(mono), rtol=0, atol=1e-3)


LOSSY = [
    ("a.mp4", "aac", 44_100, "stereo"),
    ("a.mp4", "aac", 96_000, "mono"),
    ("a.mp4", "aac", 48_000, "5.1"),
    ("a.mkv", "libopus", 48_000, "stereo"),
    ("a.webm", "libopus", 48_000, "mono"),
    ("a.mkv", "libmp3lame", 44_100, "stereo"),
    ("a.mov", "aac", 22_050, "mono"),
    ("a.ts", "aac", 48_000, "stereo"),
    ("a.mkv", "flac", 96_000, "stereo"),
]


def loudest_time(found: dict[int, np.ndarray]) -> float:
    """Time of the loudest 5 ms, in seconds of the picture."""
    second, spectrogram = max(found.items(), key=lambda item: item[1].mean(1).max())
    return second + 0.005 * int(spectrogram.mean(1).argmax())


@pytest.mark.parametrize(("name", "codec", "rate", "layout"), LOSSY, ids=lambda value: str(value))
def test_a_click_is_where_it_was_in_every_codec(tmp_path, name, codec, rate, layout):
    video_codec = "libvpx-vp9" if name.endswith("webm") else "libx264"
    sound = click(1.25, 3, rate)
    write_media(
        tmp_path / "video" / name,
        frames=75, video_codec=video_codec, sound=sound, sound_rate=rate, layout=layout, audio_codec=codec,
    )  # fmt: skip
    assert run(tmp_path) == 0
    found = spectrograms(tmp_path, "a")
    assert set(range(2)) <= set(found) <= set(range(3))
    assert loudest_time(found) == pytest.approx(1.25, abs=0.011)


@pytest.mark.parametrize(
    ("video_start", "sound_start", "expected"),
    [(0, 0.5, 1.75), (0.4, 0, 0.85), (0.4, 0.4, 1.25), (0, 1.5, 2.75)],
    ids=["late sound", "late picture", "both late", "sound later than a second"],
)
def test_sound_is_aligned_to_the_picture_by_time_stamps(tmp_path, video_start, sound_start, expected):
    write_media(
        tmp_path / "video/a.mkv",
        frames=100, video_start=video_start, sound=click(1.25, 3), sound_start=sound_start, audio_codec="flac",
    )  # fmt: skip
    assert run(tmp_path) == 0
    found = spectrograms(tmp_path, "a")
    assert loudest_time(found) == pytest.approx(expected, abs=0.011)
    assert min(found) == max(0, int(sound_start - video_start))


def test_a_gap_in_the_sound_is_silence_of_its_length(tmp_path, capsys):
    def keep(packet: av.Packet) -> bool:
        return packet.stream.type == "video" or not 0.5 <= packet.pts * packet.time_base < 1.5

    whole = write_media(tmp_path / "whole.mkv", frames=100, sound=click(2.25, 4), audio_codec="pcm_s16le")
    remux(whole, tmp_path / "video/a.mkv", keep)
    assert run(tmp_path) == 0
    assert loudest_time(spectrograms(tmp_path, "a")) == pytest.approx(2.25, abs=0.011)
    assert "a: its sound has gaps" in capsys.readouterr().out


def test_sound_whose_time_stamps_begin_anew_is_told_of(tmp_path, capsys):
    """Two recordings, one written after the other into one file: the second one's time stamps start again."""
    parts = [
        write_media(tmp_path / f"{seed}.ts", frames=50, sound=noise(2, 48_000, seed=seed), sound_rate=48_000)
        for seed in (0, 1)
    ]
    (tmp_path / "video").mkdir()
    (tmp_path / "video/a.ts").write_bytes(b"".join(part.read_bytes() for part in parts))
    assert run(tmp_path) == 0
    assert "a: its sound's time stamps overlap; the later sound was dropped" in capsys.readouterr().out
    assert set(spectrograms(tmp_path, "a")) <= {0, 1}


def test_sound_whose_time_stamps_leap_is_named(tmp_path, capsys):
    def leap(packet: av.Packet) -> bool:
        if packet.stream.type == "audio" and packet.pts * packet.time_base >= 1:
            packet.pts = packet.dts = packet.pts + 3_600_000  # ms
        return True

    whole = write_media(tmp_path / "whole.mkv", frames=50, sound=noise(2), audio_codec="pcm_s16le")
    remux(whole, tmp_path / "video/a.mkv", leap)
    assert run(tmp_path) == 1
    assert "leap by 3600 seconds" in capsys.readouterr().err


@pytest.mark.parametrize(("kind", "codec"), [("flac", "flac"), ("m4a", "aac")])
def test_a_separate_sound_file_that_is_cut_short_is_named(tmp_path, capsys, kind, codec):
    options = {"movflags": "faststart"} if kind == "m4a" else {}
    whole = write_media(tmp_path / f"whole.{kind}", sound=noise(6), audio_codec=codec, options=options)
    (tmp_path / "audio").mkdir()
    (tmp_path / f"audio/a.{kind}").write_bytes(whole.read_bytes()[: whole.stat().st_size // 2])
    assert run(tmp_path) == 1
    assert f"a.{kind}: the file is cut short" in capsys.readouterr().err


def test_names_with_spaces_unicode_and_a_leading_dash(tmp_path):
    names = ["-_-TDDxoaAc_0_1000", "два слова ü", "a:b 100%"]
    for name in names:
        write_media(tmp_path / "video" / f"{name}.mp4", frames=25, sound=noise(1.1))
    assert run(tmp_path) == 0
    assert {path.name for path in (tmp_path / "audio_frames").iterdir()} == {*names, *BESIDE}


def test_sound_that_ends_before_the_picture_gives_its_whole_seconds_only(tmp_path):
    write_media(tmp_path / "video/a.mkv", frames=100, sound=noise(2.6), audio_codec="flac")
    assert run(tmp_path) == 0
    assert list(spectrograms(tmp_path, "a")) == [0, 1]


def test_a_separate_sound_file_wins_over_the_one_inside_the_video(tmp_path):
    write_media(tmp_path / "video/a.mkv", frames=50, sound=noise(2, seed=1), audio_codec="flac")
    write_media(tmp_path / "audio/a.flac", sound=click(0.5, 2), audio_codec="flac")
    assert run(tmp_path) == 0
    assert loudest_time(spectrograms(tmp_path, "a")) == pytest.approx(0.5, abs=0.011)


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
    (tmp_path / "audio/other.wav").write_text("no sound")
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


def test_a_finished_video_is_skipped(tmp_path, capsys):
    write_media(tmp_path / "video/a.mp4", frames=50, sound=noise(2))
    assert run(tmp_path) == run(tmp_path) == 0
    assert "0 cut, 1 there already, 0 failed" in capsys.readouterr().out


def cut_with_window(data_dir: Path, *options: str) -> int:
    if not (data_dir / "video").exists():
        write_media(data_dir / "video/a.mkv", frames=50, sound=noise(2), audio_codec="pcm_f32le")
    return run(data_dir, *options)


def test_a_longer_window_is_librosas_and_recorded(tmp_path):
    assert n_fft_of(tmp_path) is None
    assert cut_with_window(tmp_path, "--n_fft", "512") == 0
    found = spectrograms(tmp_path, "a")
    for second in (0, 1):
        expected = librosa_of_one_second(noise(2)[second * 16_000 : (second + 1) * 16_000], 512)
        np.testing.assert_allclose(found[second], expected, rtol=0, atol=1e-4)
    assert json.loads((tmp_path / "audio_frames/settings.json").read_text())["n_fft"] == n_fft_of(tmp_path) == 512


def test_two_windows_never_mix_in_one_set(tmp_path, capsys):
    assert cut_with_window(tmp_path) == 0
    before = {path: path.read_bytes() for path in (tmp_path / "audio_frames").rglob("*.*")}
    assert cut_with_window(tmp_path, "--n_fft", "512") == 1
    assert capsys.readouterr().err.endswith(
        f"cut_audio: {tmp_path / 'audio_frames'} was cut with --n_fft 160, not --n_fft 512: "
        "--n_fft 160 goes on with it, --overwrite 1 cuts anew\n"
    )
    assert {path: path.read_bytes() for path in (tmp_path / "audio_frames").rglob("*.*")} == before
    assert cut_with_window(tmp_path, "--n_fft", "512", "--overwrite", "1") == 0
    after = {path: path.read_bytes() for path in (tmp_path / "audio_frames").rglob("*.*")}
    changed = {path.name for path in before if after[path] != before[path]}
    assert changed == {"000.npy", "001.npy", "noise.npy", "settings.json"}  # silence is the same with any window


def test_what_no_option_can_set_is_not_offered_as_one(tmp_path, capsys):
    assert cut_with_window(tmp_path) == 0
    path = tmp_path / "audio_frames/settings.json"
    path.write_text(json.dumps({**json.loads(path.read_text()), "hop_length": 160}))
    capsys.readouterr()
    assert cut_with_window(tmp_path) == 1
    assert "was cut with hop_length 160, not hop_length 80: --overwrite 1 cuts anew" in capsys.readouterr().err


@pytest.mark.parametrize("value", ["0", "158", "161", "4098", "-512", "many"])
def test_a_window_of_no_use_is_refused(tmp_path, capsys, value):
    with pytest.raises(SystemExit) as stopped:
        run(tmp_path, "--n_fft", value)
    assert stopped.value.code == 2
    assert "--n_fft" in capsys.readouterr().err.splitlines()[-1]


def test_noise_and_silence_are_written_and_the_same_in_every_set(tmp_path):
    sets = [tmp_path / name for name in ("one", "two")]
    for data_dir in sets:
        assert cut_with_window(data_dir, "--n_fft", "512") == 0
    white, silence = (np.load(sets[0] / f"audio_frames/{name}.npy") for name in ("noise", "silence"))
    assert white.dtype == silence.dtype == np.float32
    assert white.shape == (64, 201, 64) and silence.shape == (1, 201, 64)
    assert np.ptp(silence) == 0
    assert len(np.unique(white[:, 0, 0])) == 64
    assert (np.ptp(white, axis=1) > 0).all()  # no mel filter is empty at 512
    for name in ("noise", "silence"):
        first, second = (data_dir / f"audio_frames/{name}.npy" for data_dir in sets)
        assert first.read_bytes() == second.read_bytes()


def test_noise_is_as_loud_as_it_is_said_to_be(tmp_path, monkeypatch):
    heard = []
    monkeypatch.setattr(cut_audio, "log_mel", lambda seconds, n_fft: heard.append(seconds) or np.zeros(0))
    (tmp_path / "audio_frames").mkdir()
    cut_audio.write_negatives(tmp_path, 160)
    white, silence = heard
    assert white.dtype == np.float32 and white.shape == (64, 16_000) and silence.shape == (1, 16_000)
    np.testing.assert_allclose(np.sqrt((white**2).mean(1)), 0.1, rtol=0.03)
    assert np.abs(np.corrcoef(white) - np.eye(64)).max() < 0.05
    assert not silence.any()


def test_a_finished_set_without_noise_and_silence_gets_them_on_the_next_run(tmp_path, capsys):
    assert cut_with_window(tmp_path) == 0
    written = {name: (tmp_path / "audio_frames" / name).read_bytes() for name in ("noise.npy", "silence.npy")}
    (tmp_path / "audio_frames/noise.npy").unlink()
    (tmp_path / "audio_frames/silence.npy").write_bytes(b"half")
    assert cut_with_window(tmp_path) == 0
    assert "0 cut, 1 there already, 0 failed" in capsys.readouterr().out
    assert {name: (tmp_path / "audio_frames" / name).read_bytes() for name in written} == written


def test_the_published_window_leaves_mel_filters_empty_and_a_longer_one_none():
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert not mel_filters(160).any(1).all()
        assert mel_filters(512).any(1).all()
