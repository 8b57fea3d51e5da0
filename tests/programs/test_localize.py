"""vis/localize.py: frames, times and audio of the source, heat on the sounding object, no half-written files."""

import json
import sys
from fractions import Fraction
from pathlib import Path

import av
import numpy as np
import pytest

import location_dmc
from data import cut_audio, cut_video
from data.dmc_pkl import read_dmc
from data.lists import write_list
from data.media.audio import audio_of_video, whole_seconds
from data.media.spectrogram import SAMPLE_RATE
from tests.fixtures.heat_video import GREY, RED, difference, make_video, read_frames, red_square, square_at
from tests.fixtures.media import ORIENTATIONS, noise, set_display_matrix, write_media
from tests.fixtures.planted import plant_checkpoint
from training.checkpoints.checkpoint import read_checkpoint, save_checkpoint
from training.checkpoints.load import load_trained
from vis import localize
from vis.heat_video.locator import Locator
from vis.heat_video.painter import HeatPainter

pytestmark = pytest.mark.filterwarnings("ignore:Empty filters detected")  # the published front end has them


@pytest.fixture(scope="module")
def ckpt_file(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A network that matches all audio to red."""
    path = tmp_path_factory.mktemp("planted") / "best.pth"
    return plant_checkpoint(path, [RED], [GREY], test_sizes=1)


@pytest.fixture
def video(tmp_path: Path) -> Path:
    return make_video(tmp_path / "a.mp4")


def run(video: Path, ckpt_file: Path, *options: object) -> int:
    arguments = [str(video), "--ckpt_file", str(ckpt_file), "--device", "cpu", "--num_threads", "1"]
    return localize.main([*arguments, *map(str, options)])


def json_frames(video: Path, ckpt_file: Path, *options: object) -> list[dict]:
    """The frames of the JSON file that a run writes."""
    file = video.with_suffix(".json")
    assert run(video, ckpt_file, "--json", file, *options) == 0
    content = json.loads(file.read_text())
    assert content["video"] == str(video)
    return content["frames"]


def heat_of(video: Path) -> Path:
    return video.with_name(f"{video.stem}_heat.mp4")


def redness(frame: np.ndarray) -> np.ndarray:
    return frame.astype(int) @ [2, -1, -1]


def assert_peaks_on_red(found: list[dict], frames: list[np.ndarray]) -> None:
    for one, frame in zip(found, frames, strict=True):
        (peak,) = one["maps"]
        (x, y), (height, width) = peak["peak"], frame.shape[:2]
        red = redness(frame) > 150
        assert red[int(y * height), int(x * width)], one
        left, top, box_width, box_height = peak["normbox"]
        center_y, center_x = np.argwhere(red).mean(0) / (height, width)
        assert left < center_x < left + box_width and top < center_y < top + box_height, one


SOURCES = {
    "29.97, HEVC": {"rate": Fraction(30000, 1001), "video_codec": "libx265"},
    "variable, stereo": {
        "times": np.cumsum([0, *np.tile([0.033, 0.034, 0.1, 0.016, 0.05], 6)])[:-1].tolist(),
        "layout": "stereo",
    },
    "late audio": {"sound_start": 0.7},
    "late video": {"video_start": 0.4},
    "late transport stream": {"name": "a.ts", "video_start": 1.4, "sound_start": 1.4, "sound_rate": 48_000},
}


@pytest.mark.parametrize("source", SOURCES.values(), ids=SOURCES.keys())
def test_frames_times_and_audio_are_those_of_the_source(tmp_path, ckpt_file, source):
    source = {"name": "a.mp4", **source}
    name = source.pop("name")
    video = make_video(tmp_path / name, frames=30, seconds=1.5, **source)
    assert run(video, ckpt_file) == 0
    (times, before), (heat_times, after) = read_frames(video), read_frames(heat_of(video))
    assert len(after) == 30 and after[0].shape == before[0].shape
    audio, heat_audio = audio_of_video(video), audio_of_video(heat_of(video))
    assert heat_audio.start == pytest.approx(audio.start, abs=0.002)
    np.testing.assert_array_equal(heat_audio.samples, audio.samples)
    with av.open(str(video)) as before, av.open(str(heat_of(video))) as after:
        late = before.start_time / av.time_base if name == "a.ts" else 0  # it starts at 0 instead
        np.testing.assert_allclose(heat_times, np.array(times) - late, atol=5e-4 if late else 1e-4)
        assert after.duration == pytest.approx(before.duration, abs=0.01 * 1e6)
        stream = after.streams.video[0]
        assert stream.average_rate == pytest.approx(before.streams.video[0].average_rate, rel=1e-3)
        assert stream.average_rate == source.get("rate", stream.average_rate)  # exactly, not a decimal fraction
        assert (stream.codec_context.name, stream.codec_context.pix_fmt) == ("h264", "yuv420p")


@pytest.mark.parametrize("matrix", ORIENTATIONS[1::4], ids=str)
def test_a_turned_or_mirrored_video_becomes_upright(video, ckpt_file, matrix):
    """tests/data/media/test_video.py has the other orientations."""
    _, stored = read_frames(video)
    set_display_matrix(video, matrix)
    found = json_frames(video, ckpt_file, "--side_by_side")
    rows, columns = (1 if matrix[i] + matrix[j] > 0 else -1 for i, j in ((1, 3), (0, 2)))
    before = [(one if matrix[0] else one.swapaxes(0, 1))[::rows, ::columns] for one in stored]
    for one, other in zip(before, read_frames(heat_of(video))[1], strict=True):
        assert difference(one, other[:, : one.shape[1]]) < 3
    assert_peaks_on_red(found, before)


@pytest.mark.parametrize(("seconds", "frames"), [(1.0, 45), (0.3, 20), (2.0, 1)])
def test_audio_may_be_shorter_or_longer_than_the_video(tmp_path, ckpt_file, seconds, frames):
    video = make_video(tmp_path / "a.mp4", frames, seconds)
    with_heat = [frame["time"] for frame in json_frames(video, ckpt_file) if frame["maps"]]
    assert len(read_frames(heat_of(video))[0]) == frames
    np.testing.assert_array_equal(audio_of_video(heat_of(video)).samples, audio_of_video(video).samples)
    assert with_heat[0] == 0 and with_heat[-1] == pytest.approx(min(seconds + 0.1, (frames - 1) / 30), abs=0.1)


def test_heat_is_on_the_object_while_there_is_audio(tmp_path, ckpt_file):
    sound = noise(3, level=0.1)
    sound[:16_000] = sound[2 * 16_000 :] = 0
    video = make_video(tmp_path / "a.mp4", frames=90, sound=sound)
    found = json_frames(video, ckpt_file)
    (times, before), (_, after) = read_frames(video), read_frames(heat_of(video))
    assert [frame["index"] for frame in found] == list(range(90))
    assert [frame["time"] for frame in found] == pytest.approx(times, abs=1e-3)
    for time, frame, plain, heat in zip(times, found, before, after, strict=True):
        if time < 0.85 or time > 2.15:
            assert frame["maps"] == [] and frame["level"] < -50 and difference(plain, heat) < 3, time
        elif 1 <= time <= 2:
            assert frame["level"] == pytest.approx(-20, abs=4)
            changed = np.abs(plain.astype(int) - heat).sum(-1) > 60
            x, y = square_at(frame["index"])
            assert changed[y + 8 : y + 24, x + 8 : x + 24].mean() > 0.5, time
            if abs(x - 64) > 40:  # the square is at one side: the other side stays as it was
                assert changed[:, 112:].mean() < 0.05 if x < 64 else changed[:, :48].mean() < 0.05, time
    loud = [frame for frame in found if 1 <= frame["time"] <= 2]
    assert_peaks_on_red(loud, before[loud[0]["index"] : loud[-1]["index"] + 1])


def test_the_level_of_silence_is_an_option(tmp_path, ckpt_file, capsys):
    video = make_video(tmp_path / "a.mp4", sound=noise(0.4, level=0.001))
    assert run(video, ckpt_file) == 0
    assert "0 of them with heat" in (said := capsys.readouterr().out) and "--silence" in said
    assert run(video, ckpt_file, "--silence", -80, "--overwrite", 1) == 0
    assert "12 of them with heat" in capsys.readouterr().out
    with pytest.raises(SystemExit):
        run(video, ckpt_file, "--silence", "nan")


def test_the_plain_frame_and_boxes_can_be_shown(video, ckpt_file):
    (found,) = json_frames(video, ckpt_file, "--side_by_side", "--draw_box", 1)[10]["maps"]
    before, both = (read_frames(path)[1][10] for path in (video, heat_of(video)))
    assert both.shape == (96, 320, 3) and difference(before, both[:, :160]) < 3 < difference(before, both[:, 160:])
    white = both[:, 160:].min(-1) > 180
    rows, columns = (np.flatnonzero(white.sum(axis) > 10) for axis in (1, 0))
    x, y, width, height = (value * side for value, side in zip(found["normbox"], (160, 96, 160, 96), strict=True))
    assert (columns[0], rows[0]) == pytest.approx((x, y), abs=3)
    assert (columns[-1], rows[-1]) == pytest.approx((x + width, y + height), abs=3)


def test_one_cluster_can_be_shown_and_each_audio_cluster_has_a_map(video, ckpt_file, tmp_path):
    (found,) = json_frames(video, ckpt_file, "--cluster", 1)[10]["maps"]
    x, y = found["peak"]
    assert found["cluster"] == 1 and redness(red_square(10))[int(y * 96), int(x * 160)] < 50  # the background
    duet = plant_checkpoint(tmp_path / "duet.pth", [RED], [GREY], a_cluster=2, test_sizes=1)
    found = json_frames(video, duet, "--overwrite", 1, "--out", tmp_path / "new/deep/duet.mp4")
    assert all([one["cluster"] for one in frame["maps"]] == [0, 1] for frame in found)


def test_an_unfamiliar_video_is_called_so_and_its_frames_carry_a_caption(video, ckpt_file, tmp_path, capsys):
    assert run(video, ckpt_file) == 0
    _, plain = read_frames(heat_of(video))
    assert "has not heard" not in capsys.readouterr().out
    unlike = tmp_path / "unlike.pth"
    save_checkpoint(unlike, read_checkpoint(ckpt_file).state | {"distances": {"own": -2.0, "other": -1.0}})
    assert run(video, unlike, "--overwrite", 1) == 0
    _, captioned = read_frames(heat_of(video))
    assert "has not heard anything like this" in capsys.readouterr().out
    for one, other in zip(plain, captioned, strict=True):
        changed = np.abs(one.astype(int) - other.astype(int)).max(-1) > 60
        assert changed[-20:, :80].any() and not changed[:60].any()


@pytest.mark.slow
def test_maps_are_those_of_an_evaluation(tmp_path, ckpt_file):
    """The same frames and whole seconds through cut_video.py, cut_audio.py and location_dmc.py."""
    video = make_video(tmp_path / "video/a.mp4", frames=50, rate=25)
    write_list(tmp_path / "test.txt", ["a"])
    for program in (cut_video, cut_audio):
        assert program.main(["--data_dir", str(tmp_path), "--num_threads", "1"]) == 0
    evaluation = ["--data_dir", str(tmp_path), "--evaluate", "1", "--ckpt_file", str(ckpt_file), "--num_threads", "0"]
    assert location_dmc.main([*evaluation, "--device", "cpu", "--dmc_pkl", str(tmp_path / "dmc.pkl")]) == 0
    expected = read_dmc(tmp_path / "dmc.pkl")
    assert len(expected) == 8
    locator = Locator(load_trained(ckpt_file, "cpu"))
    _, seconds = whole_seconds(audio_of_video(video), SAMPLE_RATE)
    with av.open(str(video)) as container:
        frames = list(container.decode(video=0))
    for key, maps in expected.items():
        index = int(key[-5:])
        (found,) = locator.localize([locator.prepare(frames[index], seconds[index // 25])]).maps
        assert found.shape == maps.shape == (2, 9, 9)  # of 144 pixels: 1.5 times 96
        assert np.abs(found - maps).mean() < 0.01, key  # cut frames are JPEG files


@pytest.mark.slow
@pytest.mark.skipif(not Path("/proc/self/clear_refs").exists(), reason="resets the peak in Linux's /proc")
def test_a_long_video_takes_no_more_memory_than_a_short_one(tmp_path):
    """Of 200 seconds the audio alone would take 38 MB, the frames 92 MB."""
    small = plant_checkpoint(tmp_path / "best.pth", [RED], [GREY], image_size=32, test_sizes=1)
    peaks = []
    for seconds in (10, 200):
        sound = {"sound": np.tile(noise(10, 48_000), seconds // 10), "sound_rate": 48_000}
        large = {"picture": lambda index: red_square(index, 640, 480), "rate": 1}
        video = make_video(tmp_path / f"{seconds}.mp4", frames=seconds, **large, **sound)
        del sound
        Path("/proc/self/clear_refs").write_text("5")
        assert run(video, small) == 0
        status = dict(line.split(":") for line in Path("/proc/self/status").read_text().splitlines())
        peaks.append(int(status["VmHWM"].split()[0]) * 1024)
    assert peaks[1] - peaks[0] < 25e6


def test_an_interrupted_run_leaves_nothing_half_written(video, ckpt_file, tmp_path, monkeypatch):
    heat_of(video).write_text("mine")
    paint, painted = HeatPainter.paint, []

    def paint_one(self: HeatPainter, *arguments: object) -> np.ndarray:
        if painted:
            raise KeyboardInterrupt
        painted.append(arguments)
        return paint(self, *arguments)

    monkeypatch.setattr(HeatPainter, "paint", paint_one)
    assert run(video, ckpt_file, "--overwrite", 1, "--json", tmp_path / "a.json") == 130
    assert sorted(path.name for path in tmp_path.iterdir()) == ["a.mp4", "a_heat.mp4"]
    assert heat_of(video).read_text() == "mine"


def test_each_bad_file_is_named_with_its_reason(tmp_path, ckpt_file, capsys):
    """test_cut_video.py has more kinds of damage."""
    whole = make_video(tmp_path / "whole.mp4", frames=90, options={"movflags": "faststart"})
    (tmp_path / "cut.mp4").write_bytes(whole.read_bytes()[: whole.stat().st_size // 2])
    make_video(tmp_path / "silent.mp4", sound=None)
    write_media(tmp_path / "audio.m4a", sound=noise(2))
    before = sorted(tmp_path.iterdir())
    reasons = {"gone.mp4": "no such file", "cut.mp4": "cut short", "silent.mp4": "no audio", "audio.m4a": "no video"}
    for name, reason in reasons.items():
        assert run(tmp_path / name, ckpt_file) == 1
        said = capsys.readouterr().err
        assert f"{name}: " in said and reason in said, said
        assert sorted(tmp_path.iterdir()) == before


@pytest.mark.parametrize(
    ("options", "words"),
    [
        (["--out", "taken.mp4"], "taken.mp4 exists: replace it with --overwrite 1"),
        (["--json", "folder"], "folder is a folder: name a file with --json"),
        (["--out", "folder/../a.mp4", "--overwrite", 1], "different files"),
        (["--out", "a.gif"], ".mp4"),
        (["--cluster", 2], "--cluster 2"),
        (["--ckpt_file", "none.pth"], "there is no checkpoint"),
        (["--device", "mps" if sys.platform != "darwin" else "cuda"], "no such device"),
    ],
)
def test_wrong_options_are_named_and_no_file_changes(video, ckpt_file, tmp_path, monkeypatch, capsys, options, words):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "folder").mkdir()
    (tmp_path / "taken.mp4").write_text("mine")
    content = video.read_bytes()
    assert run(video, ckpt_file, *options) == 1
    assert words in capsys.readouterr().err
    assert video.read_bytes() == content and (tmp_path / "taken.mp4").read_text() == "mine"
    assert len(list(tmp_path.iterdir())) == 3
