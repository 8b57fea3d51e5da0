"""The video with heat: the source's pictures, times and sound, heat where it sounds, and nothing half-done."""

import json
import subprocess
import sys
from fractions import Fraction
from pathlib import Path

import av
import numpy as np
import pytest
import torch

import location_dmc
from data import cut_audio, cut_video
from data.demo.encode import make_video
from data.demo.plan import DemoSettings, plan_videos
from data.dmc_pkl import read_dmc
from data.lists import write_list
from data.media.audio import audio_of_video, whole_seconds
from data.media.spectrogram import SAMPLE_RATE
from tests.fixtures.media import noise, remux, set_rotation, write_media
from tests.fixtures.planted import plant_checkpoint
from training.load import load_trained
from vis import localize
from vis.heat_video.locator import Locator

ROOT = Path(__file__).resolve().parents[2]
RED, GREY = (220, 40, 40), (120, 120, 120)
pytestmark = pytest.mark.filterwarnings("ignore:Empty filters detected")  # the published front end has them


@pytest.fixture(autouse=True)
def threads_as_before():
    """The program sets PyTorch's threads for its whole process, here that of all tests; sums differ by their number."""
    before = torch.get_num_threads()
    yield
    torch.set_num_threads(before)


@pytest.fixture(scope="module")
def ckpt_file(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A network to which everything red sounds."""
    return plant_checkpoint(tmp_path_factory.mktemp("planted") / "best.pth", np.array([RED]), np.array([GREY]))


def square_at(index: int, width: int = 160, height: int = 96) -> tuple[float, float]:
    """Where the red square of `picture` has its left upper corner."""
    return (width - 32) * (0.5 + 0.4 * np.sin(index / 15)), (height - 32) * 0.5


def picture(index: int, width: int = 160, height: int = 96) -> np.ndarray:
    """A red square that moves from side to side on grey."""
    frame = np.full((height, width, 3), GREY, np.uint8)
    x, y = (round(value) for value in square_at(index, width, height))
    frame[y : y + 32, x : x + 32] = RED
    return frame


def run(video: Path, ckpt_file: Path, *options: str) -> int:
    return localize.main([str(video), "--ckpt_file", str(ckpt_file), "--device", "cpu", "--num_threads", "1", *options])


def heat_of(video: Path) -> Path:
    return video.with_name(f"{video.stem}_heat.mp4")


def shown(path: Path) -> tuple[list[float], list[np.ndarray]]:
    """Time stamps and upright pictures of a video, as a player shows them."""
    with av.open(str(path)) as container:
        frames = list(container.decode(video=0))
    pictures = [np.rot90(frame.to_ndarray(format="rgb24"), round(frame.rotation / 90)) for frame in frames]
    return [frame.time for frame in frames], pictures


def sound_packets(path: Path) -> list[tuple[float, bytes]]:
    """Time stamp and content of the packets of a file's sound."""
    with av.open(str(path)) as container:
        stream = container.streams.audio[0]
        return [
            (float(packet.pts * packet.time_base), bytes(packet)) for packet in container.demux(stream) if packet.size
        ]


def reddest(picture: np.ndarray) -> np.ndarray:
    return picture.astype(int) @ [2, -1, -1]


def difference(one: np.ndarray, other: np.ndarray) -> float:
    return float(np.abs(one.astype(int) - other.astype(int)).mean())


def reencoded(source: Path, target: Path, **properties: object) -> Path:
    """A file with the same sound, its pictures encoded with other properties."""
    with av.open(str(source)) as reader, av.open(str(target), "w") as writer:
        video, sound = reader.streams.video[0], reader.streams.audio[0]
        encoder = writer.add_stream("libx264", rate=video.average_rate)
        encoder.width, encoder.height, encoder.pix_fmt = video.width, video.height, "yuv420p"
        for name, value in properties.items():
            setattr(encoder.codec_context, name, value)
        copy = writer.add_stream_from_template(sound)
        for packet in reader.demux(video, sound):
            if packet.stream.type == "video":
                for frame in packet.decode():
                    colors = {f"dst_{name}": value for name, value in properties.items() if name.startswith("color")}
                    writer.mux(encoder.encode(frame.reformat(format="rgb24").reformat(format="yuv420p", **colors)))
            elif packet.size:
                packet.stream = copy
                writer.mux(packet)
        writer.mux(encoder.encode(None))
    return target


# --- the same video, with heat --------------------------------------------------------------------------------------

VARIABLE = np.cumsum([0, *np.tile([0.033, 0.034, 0.1, 0.016, 0.05], 20)])[:-1].tolist()
SOURCES = {
    "25": {"rate": 25},
    "29.97": {"rate": Fraction(30000, 1001)},
    "60": {"rate": 60},
    "variable": {"times": VARIABLE},
    "HEVC": {"rate": 30, "video_codec": "libx265"},
    "44.1 kHz stereo": {"rate": 30, "sound_rate": 44_100, "layout": "stereo"},
    "mov with PCM": {"name": "a.mov", "audio_codec": "pcm_s16le"},
    "mkv with Opus": {"name": "a.mkv", "audio_codec": "libopus", "sound_rate": 48_000},
    "mkv with FLAC": {"name": "a.mkv", "audio_codec": "flac"},
    "webm": {"name": "a.webm", "video_codec": "libvpx-vp9", "audio_codec": "libopus", "sound_rate": 48_000},
    "late sound": {"sound_start": 0.7},
    "late picture": {"video_start": 0.4},
}


@pytest.mark.parametrize("source", SOURCES.values(), ids=SOURCES.keys())
def test_pictures_times_and_sound_are_the_sources(tmp_path, ckpt_file, source):
    source = {"name": "a.mp4", "rate": 30, "sound_rate": 16_000, **source}
    video = tmp_path / source.pop("name")
    sound = noise(3.2, source["sound_rate"])
    write_media(video, frames=100, picture=picture, sound=sound, **source)
    assert run(video, ckpt_file) == 0
    times, pictures = shown(video)
    heat_times, heat_pictures = shown(heat_of(video))
    assert len(heat_pictures) == 100 and heat_pictures[0].shape == pictures[0].shape
    packets, heat_packets = sound_packets(video), sound_packets(heat_of(video))
    assert [content for _, content in heat_packets] == [content for _, content in packets]
    np.testing.assert_allclose(heat_times, times, atol=1e-4)
    np.testing.assert_allclose([time for time, _ in heat_packets], [time for time, _ in packets], atol=1e-4)
    with av.open(str(video)) as before, av.open(str(heat_of(video))) as after:
        assert after.streams.video[0].average_rate == pytest.approx(before.streams.video[0].average_rate, rel=1e-3)
        assert after.duration == pytest.approx(before.duration, abs=0.01 * 1e6)
        assert after.streams.video[0].codec_context.name == "h264"
        assert after.streams.video[0].codec_context.pix_fmt == "yuv420p"


def test_2997_frames_a_second_stay_exactly_that(tmp_path, ckpt_file):
    rate = Fraction(30000, 1001)
    video = write_media(tmp_path / "a.mp4", frames=90, rate=rate, picture=picture, sound=noise(3))
    assert run(video, ckpt_file) == 0
    with av.open(str(heat_of(video))) as after:
        stream = after.streams.video[0]
        assert stream.average_rate == rate
        assert [frame.pts * stream.time_base for frame in after.decode(stream)] == [n / rate for n in range(90)]


@pytest.mark.parametrize("quarter_turns", [1, 2, 3])
def test_a_rotated_video_becomes_upright(tmp_path, ckpt_file, quarter_turns):
    video = write_media(tmp_path / "a.mp4", frames=30, rate=30, picture=picture, sound=noise(1))
    set_rotation(video, quarter_turns)
    assert run(video, ckpt_file, "--silence", "0", "--json", str(tmp_path / "a.json")) == 0
    _, before = shown(video)
    assert before[0].shape[:2] == ((160, 96) if quarter_turns % 2 else (96, 160))
    _, after = shown(heat_of(video))
    for one, other in zip(before, after, strict=True):
        assert difference(one, other) < 3
    assert run(video, ckpt_file, "--json", str(tmp_path / "a.json"), "--overwrite", "1") == 0
    assert_peaks_on_red(json.loads((tmp_path / "a.json").read_text())["frames"], before)


def assert_peaks_on_red(frames: list[dict], pictures: list[np.ndarray]) -> None:
    for frame, shown in zip(frames, pictures, strict=True):
        (found,) = frame["maps"]
        (x, y), (height, width) = found["peak"], shown.shape[:2]
        assert reddest(shown)[int(y * height), int(x * width)] > 150, frame
        left, top, box_width, box_height = found["normbox"]
        rows, columns = (np.flatnonzero((reddest(shown) > 150).any(axis)) for axis in (1, 0))
        middle = (columns.mean() / width, rows.mean() / height)
        assert left < middle[0] < left + box_width and top < middle[1] < top + box_height, frame


@pytest.mark.parametrize("size", [(161, 96), (160, 97), (161, 97)])
def test_odd_sizes_are_made_even_by_one_more_row_or_column(tmp_path, ckpt_file, size):
    video = write_media(
        tmp_path / "a.mkv",
        frames=10, rate=30, picture=lambda index: picture(index, *size), video_codec="ffv1", sound=noise(1),
    )  # fmt: skip
    assert run(video, ckpt_file, "--silence", "0") == 0
    _, before = shown(video)
    _, after = shown(heat_of(video))
    width, height = (length + length % 2 for length in size)
    assert after[0].shape == (height, width, 3)
    assert difference(before[5], after[5][: size[1], : size[0]]) < 3
    assert difference(after[5][-2, :], after[5][-1, :]) < 6 and difference(after[5][:, -2], after[5][:, -1]) < 6


def test_pixels_that_are_not_square_stay_so(tmp_path, ckpt_file):
    plain = write_media(tmp_path / "plain.mkv", frames=10, rate=30, picture=picture, sound=noise(1))
    reencoded(plain, tmp_path / "a.mkv", sample_aspect_ratio=Fraction(32, 27))
    assert run(tmp_path / "a.mkv", ckpt_file) == 0
    with av.open(str(tmp_path / "a_heat.mp4")) as after:
        assert after.streams.video[0].sample_aspect_ratio == Fraction(32, 27)


@pytest.mark.parametrize("kind", [(1, 1), (1, 2), (6, 1), (9, 1)], ids=["709", "709 full", "601", "2020"])
def test_colours_stay_what_they_are(tmp_path, ckpt_file, kind):
    """What a colour's numbers mean is written beside them: both have to fit together."""
    colorspace, color_range = kind
    plain = write_media(tmp_path / "plain.mkv", frames=10, rate=30, picture=picture, sound=noise(1))
    video = reencoded(plain, tmp_path / "a.mkv", colorspace=colorspace, color_range=color_range)
    assert run(video, ckpt_file, "--silence", "0") == 0
    with av.open(str(heat_of(video))) as after:
        context = after.streams.video[0].codec_context
        assert (context.colorspace, context.color_range) == kind
    (_, before), (_, after) = shown(video), shown(heat_of(video))
    assert difference(before[5], after[5]) < 3


def test_a_transport_stream_that_starts_late_starts_at_0_with_the_same_sound(tmp_path, ckpt_file):
    """Its AAC packets carry headers that mp4 has no place for, so the decoded sound is compared."""
    video = write_media(
        tmp_path / "a.ts",
        frames=60, rate=30, picture=picture, video_start=1.4,
        sound=noise(2, 48_000), sound_rate=48_000, sound_start=1.4,
    )  # fmt: skip
    assert run(video, ckpt_file) == 0
    times, _ = shown(video)
    heat_times, _ = shown(heat_of(video))
    assert times[0] > 1 and min(heat_times) < 0.1
    np.testing.assert_allclose(np.diff(heat_times), np.diff(times), atol=1e-4)
    before, after = audio_of_video(video), audio_of_video(heat_of(video))
    assert after.start == pytest.approx(before.start, abs=0.002)
    np.testing.assert_array_equal(before.samples, after.samples)


def test_sound_that_mp4_cannot_hold_becomes_aac_and_stays_what_it_is_where_it_can(tmp_path, ckpt_file, capsys):
    video = write_media(
        tmp_path / "a.mov", frames=60, rate=30, picture=picture, sound=noise(2, 44_100), sound_rate=44_100,
        layout="stereo", audio_codec="pcm_mulaw",
    )  # fmt: skip
    assert run(video, ckpt_file) == 0
    assert "converted to AAC" in capsys.readouterr().out
    with av.open(str(heat_of(video))) as after:
        assert after.streams.audio[0].codec_context.name == "aac" and after.streams.audio[0].channels == 2
    before, after = audio_of_video(video), audio_of_video(heat_of(video))
    assert len(after.samples) == pytest.approx(len(before.samples), abs=4096)
    assert run(video, ckpt_file, "--out", str(tmp_path / "b.mov")) == 0
    assert [content for _, content in sound_packets(tmp_path / "b.mov")] == [
        content for _, content in sound_packets(video)
    ]


@pytest.mark.parametrize(("sound", "frames"), [(1.0, 90), (5.0, 60), (0.3, 20), (2.0, 1)])
def test_sound_that_is_shorter_or_longer_than_the_picture(tmp_path, ckpt_file, sound, frames):
    video = write_media(tmp_path / "a.mp4", frames=frames, rate=30, picture=picture, sound=noise(sound))
    assert run(video, ckpt_file, "--json", str(tmp_path / "a.json")) == 0
    assert len(shown(heat_of(video))[0]) == frames
    assert sound_packets(heat_of(video)) == sound_packets(video)
    with_heat = [frame["time"] for frame in json.loads((tmp_path / "a.json").read_text())["frames"] if frame["maps"]]
    assert with_heat[0] == 0 and with_heat[-1] == pytest.approx(min(sound + 0.1, (frames - 1) / 30), abs=0.1)


# --- heat where it sounds -------------------------------------------------------------------------------------------


def test_heat_is_where_and_while_it_sounds(tmp_path, ckpt_file):
    sound = noise(4, level=0.1)
    sound[:16_000] = sound[3 * 16_000 :] = 0
    video = write_media(tmp_path / "a.mp4", frames=120, rate=30, picture=picture, sound=sound)
    assert run(video, ckpt_file, "--json", str(tmp_path / "a.json")) == 0
    told = json.loads((tmp_path / "a.json").read_text())
    assert told["video"] == str(video) and [frame["index"] for frame in told["frames"]] == list(range(120))
    times, before = shown(video)
    assert [frame["time"] for frame in told["frames"]] == pytest.approx(times, abs=1e-3)
    _, after = shown(heat_of(video))
    for time, frame, plain, heat in zip(times, told["frames"], before, after, strict=True):
        if time < 0.85 or time > 3.15:
            assert frame["maps"] == [] and frame["level"] < -50 and difference(plain, heat) < 3, time
        elif 1 <= time <= 3:
            assert frame["level"] == pytest.approx(-20, abs=4)
            changed = np.abs(plain.astype(int) - heat).sum(-1) > 60
            x, y = (round(value) for value in square_at(frame["index"]))
            assert changed[y + 8 : y + 24, x + 8 : x + 24].mean() > 0.5, time
            far = np.roll(np.arange(160), -x - 16)[64:96]  # the columns farthest from the square, if it is at one side
            if abs(x - 64) > 40:
                assert changed[:, far[np.abs(far - x - 16) > 60]].mean() < 0.05, time
    inside = [frame for frame in told["frames"] if 1 <= frame["time"] <= 3]
    assert_peaks_on_red(inside, before[inside[0]["index"] : inside[-1]["index"] + 1])


def test_the_threshold_of_silence_is_an_option(tmp_path, ckpt_file, capsys):
    video = write_media(tmp_path / "a.mp4", frames=30, rate=30, picture=picture, sound=noise(1, level=0.001))
    assert run(video, ckpt_file) == 0
    assert "0 of them with heat" in (said := capsys.readouterr().out) and "--silence" in said
    assert run(video, ckpt_file, "--silence", "-80", "--overwrite", "1") == 0
    assert "30 of them with heat" in capsys.readouterr().out


def test_side_by_side_has_the_plain_picture_to_the_left(tmp_path, ckpt_file):
    video = write_media(tmp_path / "a.mp4", frames=30, rate=30, picture=picture, sound=noise(1))
    assert run(video, ckpt_file, "--side_by_side") == 0
    _, before = shown(video)
    _, after = shown(heat_of(video))
    assert after[10].shape == (96, 320, 3)
    assert difference(before[10], after[10][:, :160]) < 3
    assert difference(before[10], after[10][:, 160:]) > 3


def test_a_box_is_drawn_around_the_object(tmp_path, ckpt_file):
    video = write_media(tmp_path / "a.mp4", frames=30, rate=30, picture=picture, sound=noise(1))
    assert run(video, ckpt_file, "--json", str(tmp_path / "a.json")) == 0
    assert run(video, ckpt_file, "--draw_box", "1", "--out", str(tmp_path / "box.mp4")) == 0
    _, plain = shown(heat_of(video))
    _, boxed = shown(tmp_path / "box.mp4")
    (found,) = json.loads((tmp_path / "a.json").read_text())["frames"][15]["maps"]
    changed = np.abs(plain[15].astype(int) - boxed[15]).sum(-1) > 120
    rows, columns = (np.flatnonzero(changed.sum(axis) > 20) for axis in (1, 0))
    x, y, width, height = (value * side for value, side in zip(found["normbox"], (160, 96, 160, 96), strict=True))
    assert (columns[0], rows[0]) == pytest.approx((x, y), abs=3)
    assert (columns[-1], rows[-1]) == pytest.approx((x + width, y + height), abs=3)


def test_one_cluster_can_be_shown_and_one_that_is_not_there_is_named(tmp_path, ckpt_file, capsys):
    video = write_media(tmp_path / "a.mp4", frames=30, rate=30, picture=picture, sound=noise(1))
    assert run(video, ckpt_file, "--cluster", "1", "--json", str(tmp_path / "a.json")) == 0
    told = json.loads((tmp_path / "a.json").read_text())["frames"][15]
    x, y = told["maps"][0]["peak"]
    assert told["maps"][0]["cluster"] == 1 and reddest(picture(15))[int(y * 96), int(x * 160)] < 50  # the background
    assert run(video, ckpt_file, "--cluster", "2", "--overwrite", "1") == 1
    assert "--cluster 2" in capsys.readouterr().err


def test_two_sounds_have_a_map_and_a_colour_each(tmp_path):
    duet = plant_checkpoint(tmp_path / "duet.pth", np.array([RED]), np.array([GREY]), a_cluster=2)
    video = write_media(tmp_path / "a.mp4", frames=30, rate=30, picture=picture, sound=noise(1))
    assert run(video, duet, "--json", str(tmp_path / "a.json")) == 0
    told = json.loads((tmp_path / "a.json").read_text())["frames"]
    assert all([found["cluster"] for found in frame["maps"]] == [0, 1] for frame in told)


def test_it_follows_the_object_of_a_demo_video(tmp_path):
    """Planted: the colours of the first frame's box sound, those around it don't."""
    settings = DemoSettings(videos=8, seconds=4, sources=1, distractors=0, seed=10)
    plan = plan_videos(settings)[5]
    video = tmp_path / "demo.mp4"
    boxes = make_video(settings, plan, video)
    _, pictures = shown(video)
    ((x1, y1, x2, y2),) = boxes[0]
    inside = np.zeros(pictures[0].shape[:2], bool)
    inside[y1:y2, x1:x2] = True
    middle = np.zeros_like(inside)
    middle[(3 * y1 + y2) // 4 : (y1 + 3 * y2) // 4, (3 * x1 + x2) // 4 : (x1 + 3 * x2) // 4] = True
    ckpt_file = plant_checkpoint(tmp_path / "best.pth", pictures[0][middle], pictures[0][~inside])
    assert run(video, ckpt_file, "--json", str(tmp_path / "demo.json")) == 0
    frames = json.loads((tmp_path / "demo.json").read_text())["frames"]
    height, width = inside.shape
    sounding = [(frame["maps"][0]["peak"], box) for frame, (box,) in zip(frames, boxes, strict=True) if frame["maps"]]
    hits = [x1 <= x * width <= x2 and y1 <= y * height <= y2 for (x, y), (x1, y1, x2, y2) in sounding]
    assert len(hits) > len(frames) / 3 and np.mean(hits) >= 0.8
    still = [
        x1 <= x * width <= x2 and y1 <= y * height <= y2
        for _, (x1, y1, x2, y2) in sounding
        for x, y in [sounding[0][0]]
    ]
    assert np.mean(still) < 0.8  # it does move


def test_maps_are_those_of_an_evaluation(tmp_path, ckpt_file):
    """The same pictures and whole seconds through cut_video.py, cut_audio.py and location_dmc.py."""
    video = write_media(tmp_path / "video/a.mp4", frames=75, picture=picture, sound=noise(3))
    write_list(tmp_path / "test.txt", ["a"])
    for program in (cut_video, cut_audio):
        assert program.main(["--data_dir", str(tmp_path), "--num_threads", "1"]) == 0
    evaluation = ["--data_dir", str(tmp_path), "--evaluate", "1", "--ckpt_file", str(ckpt_file), "--num_threads", "0"]
    assert location_dmc.main([*evaluation, "--device", "cpu", "--dmc_pkl", str(tmp_path / "dmc.pkl")]) == 0
    expected = read_dmc(tmp_path / "dmc.pkl")
    assert len(expected) == 12
    locator = Locator(load_trained(ckpt_file, "cpu"))
    _, seconds = whole_seconds(audio_of_video(video), SAMPLE_RATE)
    with av.open(str(video)) as container:
        frames = list(container.decode(video=0))
    for key, maps in expected.items():
        index = int(key[-5:])
        (found,) = locator.maps([locator.look(frames[index], seconds[index // 25])])
        assert found.shape == maps.shape == (2, 11, 11)  # of 176 pixels: 96 times 1.83
        assert np.abs(found - maps).mean() < 0.01, key  # cut frames are JPEG files


# --- any length, nothing half-done ----------------------------------------------------------------------------------

PEAK = """
import sys
from pathlib import Path
from vis import localize
assert localize.main(sys.argv[1:]) == 0
# Not getrusage: what that says begins with the memory of the process that this one was forked from.
status = dict(line.split(":") for line in Path("/proc/self/status").read_text().splitlines())
print(status["VmHWM"].split()[0])
"""


def peak_memory(video: Path, ckpt_file: Path) -> int:
    """Bytes that the program takes at most."""
    arguments = [str(video), "--ckpt_file", str(ckpt_file), "--device", "cpu", "--num_threads", "1"]
    done = subprocess.run(
        [sys.executable, "-c", PEAK, *arguments], cwd=ROOT, capture_output=True, text=True, check=True
    )
    return int(done.stdout.split()[-1]) * 1024


@pytest.mark.skipif(not Path("/proc/self/status").exists(), reason="reads the peak from Linux's /proc")
def test_a_long_file_takes_no_more_memory_than_a_short_one(tmp_path):
    """5 minutes: their sound alone would be 58 MB, their pictures 138 MB."""
    small = plant_checkpoint(tmp_path / "best.pth", np.array([RED]), np.array([GREY]), image_size=32, test_sizes=1)
    peaks = []
    for seconds in (10, 300):
        video = write_media(
            tmp_path / f"{seconds}.mp4",
            frames=seconds, rate=1, picture=lambda index: picture(index, 640, 480),
            sound=np.tile(noise(10, 48_000), seconds // 10), sound_rate=48_000,
        )  # fmt: skip
        peaks.append(peak_memory(video, small))
    assert peaks[1] - peaks[0] < 25e6


def test_what_is_there_is_replaced_only_when_asked_for(tmp_path, ckpt_file, capsys):
    video = write_media(tmp_path / "a.mp4", frames=10, rate=30, picture=picture, sound=noise(1))
    heat_of(video).write_text("mine")
    assert run(video, ckpt_file) == 1
    assert "a_heat.mp4 is there already: --overwrite 1" in capsys.readouterr().err
    assert heat_of(video).read_text() == "mine"
    assert run(video, ckpt_file, "--overwrite", "1") == 0
    assert len(shown(heat_of(video))[0]) == 10


def test_a_folder_in_place_of_a_file_is_told_whatever_may_be_replaced(tmp_path, ckpt_file, capsys):
    video = write_media(tmp_path / "a.mp4", frames=10, rate=30, picture=picture, sound=noise(1))
    for overwrite in ("0", "1"):
        assert run(video, ckpt_file, "--json", str(tmp_path), "--overwrite", overwrite) == 1
        assert f"{tmp_path} is a folder: --json names a file" in capsys.readouterr().err


def test_the_source_is_never_written_into(tmp_path, ckpt_file, capsys):
    video = write_media(tmp_path / "a.mp4", frames=10, rate=30, picture=picture, sound=noise(1))
    content = video.read_bytes()
    for options in (["--out", str(video)], ["--json", str(video)], ["--out", f"{tmp_path}/./a.mp4"]):
        assert run(video, ckpt_file, "--overwrite", "1", *options) == 1
        assert "different files" in capsys.readouterr().err
    assert video.read_bytes() == content


@pytest.mark.parametrize("error", [KeyboardInterrupt, MemoryError])
def test_a_run_that_is_stopped_leaves_nothing_half_done(tmp_path, ckpt_file, monkeypatch, capsys, error):
    video = write_media(tmp_path / "a.mp4", frames=90, rate=30, picture=picture, sound=noise(3))
    heat_of(video).write_text("mine")
    calls = []

    def maps(self, looks):
        calls.append(looks)
        if len(calls) > 3:
            raise error
        return np.ones((len(looks), 2, 6, 6), np.float32)

    monkeypatch.setattr(Locator, "maps", maps)
    options = ("--overwrite", "1", "--json", str(tmp_path / "a.json"))
    if error is KeyboardInterrupt:
        assert run(video, ckpt_file, *options) == 130
        assert "stopped" in capsys.readouterr().err
    else:
        with pytest.raises(error):
            run(video, ckpt_file, *options)
    assert sorted(path.name for path in tmp_path.iterdir()) == ["a.mp4", "a_heat.mp4"]
    assert heat_of(video).read_text() == "mine"


def test_two_recordings_in_one_file_are_told_of(tmp_path, ckpt_file, capsys):
    """Written one after the other: time stamps start again. The second one's sound has no time left."""
    parts = [
        write_media(
            tmp_path / f"{seed}.ts",
            frames=50, picture=picture, sound=noise(2, 48_000, seed=seed), sound_rate=48_000,
        )
        for seed in (0, 1)
    ]  # fmt: skip
    video = tmp_path / "a.ts"
    video.write_bytes(b"".join(part.read_bytes() for part in parts))
    assert run(video, ckpt_file) == 0
    said = capsys.readouterr().out
    assert "no time stamp of their own" in said and "packets of its sound" in said
    times, _ = shown(heat_of(video))
    assert len(times) == 100 and min(np.diff(times)) > 0.03


# --- what can be wrong ----------------------------------------------------------------------------------------------


def test_each_bad_file_is_named_with_its_reason(tmp_path, ckpt_file, capsys):
    whole = write_media(
        tmp_path / "whole.mp4", frames=90, rate=30, picture=picture, sound=noise(3), options={"movflags": "faststart"}
    )
    (tmp_path / "cut.mp4").write_bytes(whole.read_bytes()[: whole.stat().st_size // 2])
    (tmp_path / "empty.mp4").touch()
    (tmp_path / "text.mp4").write_text("no video\n" * 100)
    write_media(tmp_path / "silent.mp4", frames=30, rate=30, picture=picture)
    write_media(tmp_path / "sound.m4a", sound=noise(2))
    remux(whole, tmp_path / "headless.mp4", lambda packet: packet.stream.type == "audio")
    for name, reason in {
        "gone.mp4": "there is no such file",
        "cut.mp4": "cut short",
        "empty.mp4": "empty",
        "text.mp4": "FFmpeg cannot read it",
        "silent.mp4": "no audio stream",
        "sound.m4a": "no video stream",
        "headless.mp4": "no video stream",
    }.items():
        before = sorted(tmp_path.iterdir())
        assert run(tmp_path / name, ckpt_file) == 1
        said = capsys.readouterr().err
        assert f"{name}: " in said and reason in said, said
        assert sorted(tmp_path.iterdir()) == before


def test_a_video_whose_name_looks_like_a_protocol_or_has_spaces_works(tmp_path, ckpt_file):
    for name in ("a:b.mp4", "mein Film ü.mp4", "100%.mp4"):
        video = write_media(tmp_path / "plain.mp4", frames=5, rate=30, picture=picture, sound=noise(1)).rename(
            tmp_path / name
        )
        assert run(video, ckpt_file) == 0
        assert heat_of(video).exists()


def test_wrong_options_are_told_of(tmp_path, ckpt_file, capsys):
    video = write_media(tmp_path / "a.mp4", frames=5, rate=30, picture=picture, sound=noise(1))
    assert run(video, ckpt_file, "--out", str(tmp_path / "a.gif")) == 1
    assert ".mp4" in capsys.readouterr().err
    assert run(video, tmp_path / "none.pth") == 1
    assert "there is no checkpoint" in capsys.readouterr().err
    for options in (["--maps_per_second", "3"], ["--cluster", "-1"], ["--silence", "quiet"], ["--silence", "nan"]):
        with pytest.raises(SystemExit) as stopped:
            run(video, ckpt_file, *options)
        assert stopped.value.code == 2
    capsys.readouterr()
    assert run(video, ckpt_file, "--device", "mps" if sys.platform != "darwin" else "cuda") == 1
    assert "no such device" in capsys.readouterr().err


def test_a_folder_that_is_not_there_is_made_and_one_that_cannot_be_is_named(tmp_path, ckpt_file, capsys):
    video = write_media(tmp_path / "a.mp4", frames=5, rate=30, picture=picture, sound=noise(1))
    assert run(video, ckpt_file, "--out", str(tmp_path / "new/deep/b.mp4")) == 0
    assert (tmp_path / "new/deep/b.mp4").exists()
    assert run(video, ckpt_file, "--out", str(tmp_path / "a.mp4/b.mp4")) == 1
    assert "a.mp4" in capsys.readouterr().err
