"""What the demo data set promises: real files, true boxes, audible and distinct instruments, no data of others lost."""

import dataclasses
import itertools
import json
import os
import shutil
import signal
import subprocess
import sys
import time
from collections import Counter
from fractions import Fraction
from pathlib import Path

import av
import librosa
import numpy as np
import pytest
from PIL import Image

from data import make_demo
from data.demo.drawings import INSTRUMENT_DRAWINGS, PALETTE, draw, pick_colors
from data.demo.encode import write_video
from data.demo.plan import CATEGORY_IDS, INSTRUMENTS, DISTRACTORS, DemoSettings, plan_videos
from data.demo.scene import HEIGHT, WIDTH, build_scene, render_background, render_frame
from data.demo.synthesizer import render_audio
from data.layout import frame_file
from data.media.frame_selection import select_at_constant_rate

PROGRAM = Path(make_demo.__file__).resolve()
SECONDS = 2
SOLOS = DemoSettings(videos=8, seconds=SECONDS, sources=1, distractors=0, seed=10)
CROWDS = DemoSettings(videos=5, seconds=SECONDS, sources=2, distractors=2, seed=10)


def options(data_dir, settings, **more):
    values = {"data_dir": data_dir, "num_threads": 2, **dataclasses.asdict(settings), **more}
    return [f"--{name}={value}" for name, value in values.items()]


def make(data_dir, settings, **more):
    return make_demo.main(options(data_dir, settings, **more))


@pytest.fixture(scope="module")
def solos(tmp_path_factory):
    folder = tmp_path_factory.mktemp("solos")
    assert make(folder, SOLOS) == 0
    return folder


@pytest.fixture(scope="module")
def crowds(tmp_path_factory):
    folder = tmp_path_factory.mktemp("crowds")
    assert make(folder, CROWDS) == 0
    return folder


@pytest.fixture
def copy_of_solos(solos, tmp_path):
    return shutil.copytree(solos, tmp_path / "set")


def read_json(path):
    return json.loads(path.read_text(encoding="utf-8"))


def mp4(folder, plan):
    return folder / "video" / f"{plan.name}.mp4"


def decode_pictures(path):
    with av.open(str(path)) as container:
        return [frame.to_ndarray(format="rgb24") for frame in container.decode(video=0)]


def decode_audio(path):
    with av.open(str(path)) as container:
        return np.concatenate([frame.to_ndarray() for frame in container.decode(audio=0)], axis=1)


def pixel_boxes(boxes, plan, index):
    """Boxes of a frame in pixels: left, top, right, bottom."""
    key = next(key for key in boxes if key.startswith(f"{plan.name}/") and key.endswith(f"/{index:05d}.jpg"))
    sides = np.array([entry["normbox"] for entry in boxes[key]["bbox"]]) * (WIDTH, HEIGHT, WIDTH, HEIGHT)
    return np.concatenate([sides[:, :2], sides[:, :2] + sides[:, 2:]], axis=1)


def changed_pixels(picture, background, least=45):
    return np.abs(picture.astype(int) - background).max(-1) > least


def snapshot(folder):
    return {path: (path.stat().st_mtime_ns, path.read_bytes()) for path in folder.rglob("*") if path.is_file()}


# Planning


def test_each_instrument_plays_equally_often_in_solos_and_duets():
    for sources in (1, 2):
        plans = plan_videos(DemoSettings(210, 6, sources, 0, 10))
        heard = Counter(name for plan in plans for name in plan.instruments)
        assert set(heard) == set(INSTRUMENTS)
        assert set(heard.values()) == {21 * sources}
        assert all(len(set(plan.instruments)) == sources for plan in plans)


def test_the_first_videos_of_a_large_set_are_those_of_a_small_one():
    assert plan_videos(dataclasses.replace(SOLOS, videos=210))[:20] == plan_videos(
        dataclasses.replace(SOLOS, videos=20)
    )


def test_names_look_like_youtube_ids_and_differ_where_capitals_do_not_count():
    names = [plan.name for plan in plan_videos(DemoSettings(2000, 6, 1, 0, 10))]
    assert len({name.lower() for name in names}) == 2000
    assert all(len(name) == 11 and name.replace("-", "").replace("_", "").isalnum() for name in names)


@pytest.mark.parametrize("seed", range(20))
def test_every_set_of_8_has_a_name_that_starts_with_a_dash_and_all_rates_and_sound_formats(seed):
    plans = plan_videos(DemoSettings(8, 6, 1, 0, seed))
    assert any(plan.name.startswith("-") for plan in plans)
    assert {plan.frame_rate for plan in plans} == {24, 25, Fraction(30000, 1001), 30}
    assert {(plan.sample_rate, plan.channels) for plan in plans} == {(44100, 1), (44100, 2), (48000, 1), (48000, 2)}


# Files


@pytest.mark.parametrize("plan", plan_videos(SOLOS), ids=lambda plan: f"video{plan.index}")
def test_a_video_decodes_with_the_planned_formats(solos, plan):
    with av.open(str(mp4(solos, plan))) as container:
        video, audio = container.streams.video[0], container.streams.audio[0]
        assert (video.codec_context.name, video.codec_context.pix_fmt) == ("h264", "yuv420p")
        assert (audio.codec_context.name, audio.rate, audio.channels) == ("aac", plan.sample_rate, plan.channels)
        assert video.average_rate == plan.frame_rate
        times = [frame.pts * frame.time_base for frame in container.decode(video=0)]
    assert times == [index / plan.frame_rate for index in range(round(SECONDS * plan.frame_rate))]
    assert 0 <= decode_audio(mp4(solos, plan)).shape[1] - SECONDS * plan.sample_rate < 1024
    assert decode_pictures(mp4(solos, plan))[0].shape == (HEIGHT, WIDTH, 3)


def test_decoded_pictures_and_sounds_are_those_rendered(solos):
    for plan in plan_videos(SOLOS):
        rendered = render_frame(build_scene(SOLOS, plan), plan.frames - 1)[0]
        decoded = decode_pictures(mp4(solos, plan))[-1]
        assert np.abs(decoded.astype(int) - rendered).mean() < 6
        sound = render_audio(SOLOS, plan)
        heard = decode_audio(mp4(solos, plan))[:, : sound.shape[1]]
        assert np.corrcoef(heard.mean(0), sound.mean(0))[0, 1] > 0.95


@pytest.mark.parametrize("sample_rate", [44100, 48000])
@pytest.mark.parametrize("channels", [1, 2])
def test_a_click_is_heard_when_its_frame_is_seen(tmp_path, sample_rate, channels):
    rate, instant = Fraction(25), 30
    sound = np.zeros((channels, 2 * sample_rate), np.float32)
    start = sample_rate * instant // 25
    sound[:, start : start + 200] = 0.8 * np.hanning(200) * np.sin(np.arange(200) / 4)
    frames = [np.full((HEIGHT, WIDTH, 3), 255 * (index == instant), np.uint8) for index in range(50)]
    write_video(tmp_path / "click.mp4", frames, (WIDTH, HEIGHT), rate, sound, sample_rate)
    heard = decode_audio(tmp_path / "click.mp4")[:, : sound.shape[1]]
    lag = np.correlate(heard[0, start - 3000 : start + 3200], sound[0, start : start + 200], "valid").argmax() - 3000
    assert abs(lag) <= 2  # samples; the encoder's priming, were it not taken away, would be 1024
    assert np.argmax([picture.mean() for picture in decode_pictures(tmp_path / "click.mp4")]) == instant


def test_colours_survive_the_way_through_the_file(tmp_path):
    for color in ((214, 48, 49), (50, 120, 215), (40, 150, 80)):
        frames = [np.full((HEIGHT, WIDTH, 3), color, np.uint8)] * 3
        sound = np.zeros((1, 44100), np.float32)
        write_video(tmp_path / "color.mp4", frames, (WIDTH, HEIGHT), Fraction(25), sound, 44100)
        assert np.abs(decode_pictures(tmp_path / "color.mp4")[1].mean((0, 1)) - color).max() < 4


# The same seed, the same set


def test_the_number_of_workers_and_of_videos_changes_no_byte(solos, tmp_path):
    fewer = dataclasses.replace(SOLOS, videos=5)
    assert make(tmp_path, fewer, num_threads=1) == 0
    for plan in plan_videos(fewer):
        assert mp4(tmp_path, plan).read_bytes() == mp4(solos, plan).read_bytes()
    assert read_json(tmp_path / "boxes.json").items() <= read_json(solos / "boxes.json").items()


def test_another_seed_makes_other_names_pictures_and_sounds():
    other = dataclasses.replace(SOLOS, seed=11)
    plans, others = plan_videos(SOLOS), plan_videos(other)
    assert not {plan.name for plan in plans} & {plan.name for plan in others}
    pictures = [render_frame(build_scene(s, p[0]), 0)[0] for s, p in ((SOLOS, plans), (other, others))]
    assert np.abs(pictures[0].astype(int) - pictures[1]).mean() > 5
    same_format = dataclasses.replace(plans[0], index=1)
    assert not np.allclose(render_audio(SOLOS, plans[0]), render_audio(SOLOS, same_format), atol=0.01)


# Boxes and labels


@pytest.mark.parametrize("settings", [SOLOS, CROWDS], ids=["solos", "crowds"])
def test_boxes_have_one_entry_for_every_frame_under_the_name_that_the_extraction_gives_it(settings, request):
    boxes = read_json(request.getfixturevalue("solos" if settings is SOLOS else "crowds") / "boxes.json")
    plans = plan_videos(settings)
    frames = Counter(key.split("/")[0] for key in boxes)
    assert frames == {plan.name: plan.frames for plan in plans}
    for plan in plans:
        for second, index in select_at_constant_rate(plan.frames, plan.frame_rate, 4):
            assert f"{plan.name}/{frame_file(second, index)}" in boxes
        assert len({key.rsplit("/")[-1] for key in boxes if key.startswith(f"{plan.name}/")}) == plan.frames


def test_what_moves_before_the_background_lies_inside_its_box_and_fills_it(solos):
    boxes = read_json(solos / "boxes.json")
    for plan in plan_videos(SOLOS):
        scene = build_scene(SOLOS, plan)
        pictures = decode_pictures(mp4(solos, plan))
        for index in range(0, plan.frames, 9):
            changed = changed_pixels(pictures[index], render_background(scene, index))
            ((left, top, right, bottom),) = pixel_boxes(boxes, plan, index).round().astype(int)
            outside = changed.copy()
            outside[max(0, top - 2) : bottom + 2, max(0, left - 2) : right + 2] = False
            assert not outside.any()
            rows, columns = np.flatnonzero(changed.any(1)), np.flatnonzero(changed.any(0))
            seen = np.array([columns[0], rows[0], columns[-1] + 1, rows[-1] + 1])
            assert np.abs(seen - (left, top, right, bottom)).max() <= 5  # a dark rim may drown in a dark background


def test_things_move_stay_inside_the_frame_and_have_a_fair_size(solos):
    boxes = read_json(solos / "boxes.json")
    for plan in plan_videos(SOLOS):
        way = np.concatenate([pixel_boxes(boxes, plan, index) for index in range(plan.frames)])
        assert way.min() >= 0
        assert (way[:, 2] <= WIDTH).all()
        assert (way[:, 3] <= HEIGHT).all()
        assert np.ptp(way[:, 0] + way[:, 2]) + np.ptp(way[:, 1] + way[:, 3]) > 6
        assert np.abs(np.diff(way, axis=0)).max() < 12  # smoothly
        longest = (way[:, 2:] - way[:, :2]).max(1) / HEIGHT
        assert (longest > 0.3).all()
        assert (longest < 0.62).all()


def test_duets_have_two_boxes_of_two_categories_that_hardly_overlap(crowds):
    boxes = read_json(crowds / "boxes.json")
    categories = read_json(crowds / "demo.json")["categories"]
    assert categories == {str(number): name for name, number in CATEGORY_IDS.items()}
    for plan in plan_videos(CROWDS):
        entries = [boxes[key]["bbox"] for key in boxes if key.startswith(f"{plan.name}/")]
        for entry in entries:
            assert tuple(categories[str(box["category_id"])] for box in entry) == plan.instruments
        for index in range(plan.frames):
            first, second = pixel_boxes(boxes, plan, index)
            common = np.maximum(np.minimum(first[2:], second[2:]) - np.maximum(first[:2], second[:2]), 0).prod()
            assert common <= 0.1 * min((first[2:] - first[:2]).prod(), (second[2:] - second[:2]).prod())


def test_silent_things_are_seen_but_have_no_box_and_cover_nothing_that_sounds(crowds):
    boxes = read_json(crowds / "boxes.json")
    for plan in plan_videos(CROWDS):
        scene = build_scene(CROWDS, plan)
        picture = decode_pictures(mp4(crowds, plan))[0]
        background = render_background(scene, 0)
        outside = changed_pixels(picture, background)
        for left, top, right, bottom in pixel_boxes(boxes, plan, 0).round().astype(int):
            outside[top - 2 : bottom + 2, left - 2 : right + 2] = False
        assert outside.sum() > 1000
        without = render_frame(dataclasses.replace(scene, distractors=()), 0)[0]
        sounding = changed_pixels(without, background)
        assert (render_frame(scene, 0)[0] == without).all(-1)[sounding].mean() > 0.97  # their rims let others through


def test_labels_have_the_form_of_the_published_lists(solos, crowds):
    for folder, settings in ((solos, SOLOS), (crowds, CROWDS)):
        labels = read_json(folder / "labels.json")
        assert list(labels) == ["videos"]
        named = {name: key for key, names in labels["videos"].items() for name in names}
        assert named == {plan.name: " ".join(plan.instruments) for plan in plan_videos(settings)}
        assert set(named) == {path.stem for path in (folder / "video").iterdir()}


# Looks


def test_colour_does_not_tell_the_instrument():
    seen = [
        [color for repeat in range(40) for color in pick_colors(np.random.default_rng([repeat, number]))]
        for number in range(len(INSTRUMENTS))
    ]
    assert all(set(colors) == set(PALETTE) for colors in seen)
    chroma = np.array([[_mean_chroma(name, repeat) for repeat in range(8)] for name in INSTRUMENTS])
    assert _nearest_mean_accuracy(chroma) < 0.35  # by chance 0.1; keys and drum skins are cream on all of them


def _mean_chroma(name, repeat):
    pixels = np.asarray(draw(name, np.random.default_rng([repeat, INSTRUMENTS.index(name)])).resize((64, 64)), float)
    mean = (pixels[..., :3] * pixels[..., 3:]).sum((0, 1)) / pixels[..., 3].sum()
    return (mean - mean.mean()) / np.linalg.norm(mean - mean.mean())


def _nearest_mean_accuracy(features):
    """Share of features [kinds, repeats, size] that lie nearest to the mean of the other ones of their own kind."""
    kinds, repeats, _ = features.shape
    right = 0
    for kind, repeat in itertools.product(range(kinds), range(repeats)):
        means = features.mean(1)
        means[kind] = (features[kind].sum(0) - features[kind, repeat]) / (repeats - 1)
        right += np.linalg.norm(means - features[kind, repeat], axis=-1).argmin() == kind
    return right / (kinds * repeats)


def test_no_two_instruments_share_a_silhouette():
    silhouettes = {name: _silhouette(draw(name, np.random.default_rng(0))) for name in INSTRUMENTS}
    for (name, one), (other, two) in itertools.combinations(silhouettes.items(), 2):
        assert (one & two).sum() / (one | two).sum() < 0.85, (name, other)


def _silhouette(drawing):
    """Visible pixels in the middle of a square, [128, 128]."""
    side = max(drawing.size)
    square = Image.new("L", (side, side))
    square.paste(drawing.getchannel("A"), ((side - drawing.width) // 2, (side - drawing.height) // 2))
    return np.asarray(square.resize((128, 128))) > 128


def test_at_least_8_instruments_and_6_silent_things():
    assert len(INSTRUMENT_DRAWINGS) >= 8
    assert len(DISTRACTORS) >= 6


# Sounds


def test_every_second_is_clearly_audible_and_nothing_clips(solos, crowds):
    for folder, settings in ((solos, SOLOS), (crowds, CROWDS)):
        for plan in plan_videos(settings):
            sound = decode_audio(mp4(folder, plan))
            assert np.abs(sound).max() < 1
            seconds = sound.mean(0)[: SECONDS * plan.sample_rate].reshape(SECONDS, -1)
            assert (20 * np.log10(np.sqrt((seconds**2).mean(1))) > -32).all()


def test_a_mono_mix_of_a_stereo_track_is_as_loud_as_a_mono_track():
    plan = plan_videos(SOLOS)[0]
    mono, stereo = (render_audio(SOLOS, dataclasses.replace(plan, channels=count)) for count in (1, 2))
    level = np.sqrt((stereo.mean(0) ** 2).mean()) / np.sqrt((mono**2).mean())
    assert stereo.shape == (2, SECONDS * plan.sample_rate)
    assert np.corrcoef(stereo.mean(0), mono[0])[0, 1] > 0.999
    assert 0.6 < level <= 1.001  # a little softer where one side would clip


def test_instruments_can_be_told_apart_by_spectrogram_and_no_two_videos_sound_the_same():
    settings = DemoSettings(40, SECONDS, 1, 0, 3)
    by_instrument = {name: [] for name in INSTRUMENTS}
    for plan in plan_videos(settings):
        by_instrument[plan.instruments[0]].append(_log_mel(render_audio(settings, plan), plan.sample_rate))
    features = np.array([[np.r_[mel.mean(1), mel.std(1)] for mel in mels] for mels in by_instrument.values()])
    assert _nearest_mean_accuracy(features) > 0.8
    for mels in by_instrument.values():
        for one, other in itertools.combinations(mels, 2):
            assert np.abs(one - other).mean() > 2  # dB


def _log_mel(sound, sample_rate):
    samples = librosa.resample(sound.mean(0), orig_sr=sample_rate, target_sr=16000)
    spectrum = np.abs(librosa.stft(samples, n_fft=160, hop_length=80, pad_mode="constant"))
    filters = librosa.filters.mel(sr=16000, n_fft=160, n_mels=40)
    filters = filters[filters.sum(1) > 0]
    decibels = librosa.power_to_db(filters @ spectrum)
    return decibels - decibels.max()


# Running again


def test_running_again_keeps_finished_videos_and_makes_the_missing_one(copy_of_solos, capsys):
    before = snapshot(copy_of_solos)
    missing = mp4(copy_of_solos, plan_videos(SOLOS)[3])
    missing.unlink()
    (copy_of_solos / "boxes.json").write_text("{}")
    assert make(copy_of_solos, SOLOS) == 0
    assert "7 of them existed already" in capsys.readouterr().out
    after = snapshot(copy_of_solos)
    assert {path: content for path, (_, content) in after.items()} == {
        path: content for path, (_, content) in before.items()
    }
    for path in (copy_of_solos / "video").iterdir():
        assert (after[path][0] == before[path][0]) == (path != missing)


def test_a_run_that_broke_off_before_the_descriptions_is_taken_up(copy_of_solos, capsys):
    for name in ("boxes.json", "labels.json", "demo.json"):
        (copy_of_solos / name).unlink()
    assert make(copy_of_solos, SOLOS) == 0
    assert "8 of them existed already" in capsys.readouterr().out
    assert (copy_of_solos / "boxes.json").exists()


@pytest.mark.parametrize("change", [{"seed": 11}, {"videos": 9}, {"seconds": 3}, {"sources": 2}, {"distractors": 1}])
def test_a_set_of_other_settings_is_left_alone(copy_of_solos, change, capsys):
    before = snapshot(copy_of_solos)
    assert make(copy_of_solos, SOLOS, **change) == 1
    message = capsys.readouterr().err
    assert message.count("\n") == 1
    assert str(copy_of_solos) in message
    assert "--data_dir" in message
    assert "--overwrite 1" in message
    assert snapshot(copy_of_solos) == before


@pytest.mark.parametrize("overwrite", [0, 1])
@pytest.mark.parametrize("described", [True, False])
def test_videos_of_others_are_never_touched(copy_of_solos, overwrite, described, capsys):
    (copy_of_solos / "video" / "holiday.mp4").write_bytes(b"precious")
    if not described:
        (copy_of_solos / "demo.json").unlink()
    before = snapshot(copy_of_solos)
    assert make(copy_of_solos, SOLOS, overwrite=overwrite) == 1
    message = capsys.readouterr().err
    assert "holiday.mp4" in message
    assert "--data_dir" in message
    assert snapshot(copy_of_solos) == before


@pytest.mark.parametrize("content", ["[]", "{", '{"settings": {}, "videos": ["../../elsewhere"]}'])
def test_a_demo_json_of_others_is_refused(tmp_path, content, capsys):
    (tmp_path / "demo.json").write_text(content)
    assert make(tmp_path, SOLOS, overwrite=1) == 1
    assert "demo.json" in capsys.readouterr().err
    assert [path.name for path in tmp_path.iterdir()] == ["demo.json"]


def test_boxes_of_another_data_set_are_not_replaced(tmp_path, capsys):
    (tmp_path / "boxes.json").write_text("{}")
    assert make(tmp_path, SOLOS, overwrite=1) == 1
    assert "boxes.json" in capsys.readouterr().err
    assert (tmp_path / "boxes.json").read_text() == "{}"


def test_overwrite_removes_the_earlier_set_with_what_was_extracted_from_it_and_nothing_else(copy_of_solos):
    earlier = plan_videos(SOLOS)
    for kind in ("video_frames", "audio_frames"):
        for name in (earlier[0].name, "other"):
            (copy_of_solos / kind / name).mkdir(parents=True)
    for name in ("train.txt", "val.txt", "test.txt", "notes.txt"):
        (copy_of_solos / name).write_text("x")
    new = DemoSettings(2, 1, 1, 0, 5)
    assert make(copy_of_solos, new, overwrite=1) == 0
    assert {path.stem for path in (copy_of_solos / "video").iterdir()} == {plan.name for plan in plan_videos(new)}
    assert {path.name for path in copy_of_solos.iterdir()} == {
        *("video", "video_frames", "audio_frames", "boxes.json", "labels.json", "demo.json", "notes.txt")
    }
    assert [path.name for kind in ("video_frames", "audio_frames") for path in (copy_of_solos / kind).iterdir()] == [
        "other",
        "other",
    ]


# The program


def test_it_runs_by_path_from_any_folder_and_with_the_process_start_of_macos(tmp_path):
    (tmp_path / "sitecustomize.py").write_text("import multiprocessing\nmultiprocessing.set_start_method('spawn')\n")
    done = subprocess.run(
        [sys.executable, PROGRAM, "--data_dir=my set", "--videos=2", "--seconds=1"],
        cwd=tmp_path,
        env={**os.environ, "PYTHONPATH": str(tmp_path)},
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0, done.stderr
    assert done.stdout.splitlines()[-1].endswith("python3 data/split.py --data_dir 'my set'")
    assert len(list((tmp_path / "my set" / "video").iterdir())) == 2


@pytest.mark.skipif(os.name == "nt", reason="process groups and SIGINT are of POSIX systems")
def test_ctrl_c_ends_it_without_a_traceback_and_leaves_whole_videos_only(tmp_path):
    program = subprocess.Popen(
        [sys.executable, PROGRAM, "--data_dir", tmp_path, "--videos=200"],
        stderr=subprocess.PIPE,
        text=True,
        start_new_session=True,
    )
    try:
        waiting_until = time.monotonic() + 60
        while not list(tmp_path.glob("video/*.mp4")) and time.monotonic() < waiting_until:
            time.sleep(0.05)
        os.killpg(program.pid, signal.SIGINT)  # as the terminal does: to all processes
        _, errors = program.communicate(timeout=60)
    finally:
        program.kill()
    assert program.returncode == 130
    assert "Traceback" not in errors
    assert not (tmp_path / "demo.json").exists()
    assert 1 <= len(list((tmp_path / "video").iterdir())) < 100
    for path in (tmp_path / "video").iterdir():  # hidden unfinished files would fail here
        assert len(decode_pictures(path)) >= 144


def test_a_folder_that_cannot_be_written_gives_one_sentence(tmp_path, capsys):
    (tmp_path / "file").write_text("in the way")
    assert make(tmp_path / "file" / "set", SOLOS) == 1
    message = capsys.readouterr().err
    assert message.count("\n") == 1
    assert str(tmp_path / "file" / "set") in message


@pytest.mark.parametrize(
    "option",
    [
        *("--videos=0", "--videos=-3", "--videos=many", "--seconds=0", "--seconds=1.5", "--sources=3", "--sources=0"),
        *("--distractors=-1", "--distractors=99", "--seed=-1", "--num_threads=0", "--overwrite=2"),
    ],
)
def test_a_bad_value_is_named(option, tmp_path, capsys):
    with pytest.raises(SystemExit) as stop:
        make_demo.main([f"--data_dir={tmp_path / 'set'}", option])
    assert stop.value.code == 2
    assert option.split("=")[0] in capsys.readouterr().err.splitlines()[-1]
    assert not (tmp_path / "set").exists()


def test_options_are_not_abbreviated_and_help_tells_the_defaults(capsys):
    with pytest.raises(SystemExit):
        make_demo.main(["--video=1"])
    capsys.readouterr()
    with pytest.raises(SystemExit) as stop:
        make_demo.main(["--help"])
    text = capsys.readouterr().out
    assert stop.value.code == 0
    assert all(default in text for default in ("datasets/demo", "210", "default: 6", "default: 10"))
