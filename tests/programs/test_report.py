"""The page about a run: what stands on it, what a stranger's names do to it, what is said where something is gone."""

import base64
import io
import json
import math
import re
import shutil
from html.parser import HTMLParser
from itertools import pairwise
from pathlib import Path

import av
import numpy as np
import pytest
from PIL import Image

from common.errors import UserError
from data.dmc_pkl import csv_path, read_dmc, write_dmc
from metrics import score
from metrics.annotations import Boxes, Frame, parse_frame, read_annotations
from metrics.evaluate import score_run
from tests.fixtures.media import noise
from tests.fixtures.report_set import CLASSES, KEYS, NAMES, PITCH, SECONDS, SIZE, make_report_set, make_run, maps_of
from vis import report, training_curves
from vis.curves import read_log
from vis.page.clips import BIT_RATE, RATE, as_mp3
from vis.page.gallery import MOST_BYTES, MOST_CELLS, class_of, map_levels, small_jpeg, spread_over_videos

MOST_BYTES_A_CARD = 30e6 / 300


@pytest.fixture(scope="module")
def made(tmp_path_factory) -> Path:
    """A data set, made once."""
    folder = tmp_path_factory.mktemp("made") / "set"
    make_report_set(folder)
    return folder


@pytest.fixture
def data_dir(made: Path, tmp_path: Path) -> Path:
    return shutil.copytree(made, tmp_path / "set")


@pytest.fixture
def dmc_pkl(tmp_path: Path) -> Path:
    return make_run(tmp_path / "run")


def run(dmc_pkl: Path, data_dir: Path, *options: object) -> int:
    return report.main([str(dmc_pkl), "--data_dir", str(data_dir), *map(str, options)])


class Page(HTMLParser):
    """What a browser makes of a page: its elements, its text, what its script is given."""

    def __init__(self, path: Path) -> None:
        super().__init__()
        self.source = path.read_text(encoding="utf-8")
        self.elements: list[tuple[str, dict[str, str | None]]] = []
        self.texts: list[tuple[str, str]] = []  # element, text
        self.feed(self.source)
        self.text = " ".join(" ".join(text for tag, text in self.texts if tag not in ("script", "style")).split())
        self.content = json.loads(next(text for tag, text in self.texts if text.strip().startswith('{"cards"')))

    def handle_starttag(self, tag, attrs):
        self.elements.append((tag, dict(attrs)))

    def handle_data(self, data):
        if data.strip():
            self.texts.append((self.elements[-1][0], data.strip()))

    def all(self, tag: str) -> list[dict[str, str | None]]:
        return [attributes for name, attributes in self.elements if name == tag]


def alt_of(key: str) -> str:
    frame = parse_frame(key)
    return f"{frame.video}, second {frame.second}, frame {frame.index}"


def test_the_page_holds_every_frame_map_and_sound_and_no_address(dmc_pkl, data_dir, capsys):
    assert run(dmc_pkl, data_dir, "--run", dmc_pkl.parent) == 0
    page = Page(dmc_pkl.with_name("dmc.html"))
    assert "://" not in page.source and "url(" not in page.source and not page.all("link")
    assert all(image["src"].startswith("data:image/jpeg;base64,") for image in page.all("img"))
    in_order = sorted(KEYS, key=parse_frame)
    assert [image["alt"] for image in page.all("img")] == [alt_of(key) for key in in_order]
    with Image.open(io.BytesIO(base64.b64decode(page.all("img")[0]["src"].partition(",")[2]))) as picture:
        assert picture.format == "JPEG" and picture.size == SIZE
    assert len(page.content["clips"]) == len(NAMES) * SECONDS  # that of each second once, though two frames show it
    for key, card in zip(in_order, page.content["cards"], strict=True):
        maps = np.stack([np.frombuffer(base64.b64decode(text), np.uint8) for text in card["maps"]])
        expected = maps_of(KEYS.index(key))
        expected = expected / expected.max((1, 2), keepdims=True) * 255
        assert np.abs(maps.reshape(-1, card["rows"], card["columns"]) - expected).max() <= 0.5
        assert sorted(NAMES)[card["video"]] == parse_frame(key).video
    words = capsys.readouterr().out.splitlines()[-1]
    assert words.startswith(f"Wrote {dmc_pkl.with_name('dmc.html')}: 16 pictures of 4 videos, 0.")
    assert f"python3 vis/draw.py --data_dir {data_dir} {dmc_pkl}" in words


def test_names_and_classes_are_text_whatever_they_hold(dmc_pkl, data_dir):
    hostile = dmc_pkl.with_name("<b>'{{ 1 }}.pkl")
    for path in (dmc_pkl, csv_path(dmc_pkl)):
        path.rename(hostile.with_suffix(path.suffix))
    assert run(hostile, data_dir) == 0
    page = Page(hostile.with_suffix(".html"))
    assert not any(name.startswith("on") for _, attributes in page.elements for name in attributes)
    assert len(page.all("img")) == len(KEYS) and len(page.all("script")) == 2
    options = [text for tag, text in page.texts if tag == "option"]
    assert all(name in options for name in (*NAMES, *CLASSES))
    assert hostile.name in page.text and "49" not in [text for _, text in page.texts]
    script = page.source[page.source.index('id="content"') :]
    assert "<" not in script[: script.index("</script>")]


def test_a_name_that_is_no_text_does_not_stop_the_page(tmp_path, data_dir):
    name = b"\xff\xfe".decode("utf-8", "surrogateescape")  # as file systems admit them
    shutil.copytree(data_dir / "video_frames" / NAMES[0], data_dir / "video_frames" / name)
    write_dmc(tmp_path / "dmc.pkl", {f"{name}/frame_000/00000": maps_of(0)}, {})
    csv_path(tmp_path / "dmc.pkl").unlink()
    assert run(tmp_path / "dmc.pkl", data_dir) == 1  # as it has no video
    assert len(Page(tmp_path / "dmc.html").all("img")) == 1


@pytest.mark.parametrize("a_cluster", [1, 2])
def test_scores_and_baselines_are_those_of_score_py(tmp_path, data_dir, a_cluster):
    dmc_pkl = make_run(tmp_path / "run", a_cluster)
    boxes = data_dir / "boxes.json"
    assert run(dmc_pkl, data_dir, "--boxes", boxes, "--seed", 3) == 0
    page = Page(dmc_pkl.with_name("dmc.html"))
    cells = [text for tag, text in page.texts if tag in ("th", "td")]
    _, lines = score.evaluate(score.parse([str(dmc_pkl), "--boxes", str(boxes), "--seed", "3"]))
    table = lines[lines.index("") + 1 :]
    assert cells == [cell for line in table for cell in re.split("  +", line.strip())]
    notes = [line.removeprefix("Protocol: ") for line in lines[: lines.index("")]]
    assert len(table) == 5 and len(notes) == 2 and all(" ".join(note.split()) in page.text for note in notes)
    frames = score_run(read_dmc(dmc_pkl), a_cluster, read_annotations(boxes)).by_frame()
    for key, card in zip(sorted(KEYS, key=parse_frame), page.content["cards"], strict=True):
        known = frames.get(key)
        assert card["score"] == (known["ciou" if a_cluster == 2 else "iou"] if known else None)
        assert card["pointing"] == (known["pointing"] if known else None)
    assert ("CIoU, best first" in page.text) == (a_cluster == 2)
    assert page.text.count("no box, not scored") == 1


def test_maps_of_two_sounds_are_named_and_the_boxes_drawn(tmp_path, data_dir):
    dmc_pkl = make_run(tmp_path / "run", a_cluster=2)
    assert run(dmc_pkl, data_dir) == 0
    page = Page(dmc_pkl.with_name("dmc.html"))
    assert all(f"{words} " in page.text for words in ("map of sound 0", "map of sound 1", "map 2"))
    assert len([one for one in page.all("rect") if one.get("class") != "edge"]) == len(KEYS) - 1


def test_without_boxes_or_run_the_page_says_so(dmc_pkl, data_dir, capsys):
    (data_dir / "boxes.json").unlink()
    assert run(dmc_pkl, data_dir) == 0
    assert f"No scores on the page: There is no {data_dir / 'boxes.json'}" in capsys.readouterr().out
    page = Page(dmc_pkl.with_name("dmc.html"))
    assert not page.all("table") and not page.all("polyline")
    assert f"No scores. There is no {data_dir / 'boxes.json'}" in page.text and "No curves:" in page.text
    assert "best first" not in page.text and len(page.all("audio")) == len(KEYS)


def test_boxes_of_other_videos_are_an_error_where_they_were_asked_for(dmc_pkl, data_dir, capsys):
    (data_dir / "boxes.json").write_text('{"other/frame_000/00000.jpg": {"bbox": []}}', encoding="utf-8")
    assert run(dmc_pkl, data_dir) == 0
    assert "No scores. These maps cannot be scored: no map of 16" in Page(dmc_pkl.with_name("dmc.html")).text
    assert run(dmc_pkl, data_dir, "--boxes", data_dir / "boxes.json", "--out", "none.html") == 1
    assert "no map of 16 has an annotation" in capsys.readouterr().err and not Path("none.html").exists()


def test_a_video_that_is_gone_is_named_on_the_page_and_the_rest_is_there(dmc_pkl, data_dir, capsys):
    (data_dir / "video" / f"{NAMES[0]}.mp4").unlink()
    (data_dir / "video" / f"{NAMES[1]}.mp4").write_bytes(b"no video")
    assert run(dmc_pkl, data_dir) == 1
    error = capsys.readouterr().err
    page = Page(dmc_pkl.with_name("dmc.html"))
    for text in (" ".join(error.split()), page.text):
        assert f"{NAMES[0]}, sound of second 0, 1: there is no file of this name in {data_dir / 'video'}" in text
        assert f"{NAMES[1]}, sound of second 0, 1: {data_dir / 'video' / NAMES[1]}.mp4: FFmpeg cannot read it" in text
    assert len(page.all("img")) == 16 and len(page.all("audio")) == 8 and len(page.content["clips"]) == 4
    assert page.text.count("No sound:") == 8
    silent = {sorted(NAMES)[card["video"]] for card in page.content["cards"] if card["clip"] is None}
    assert silent == set(NAMES[:2])


def test_a_second_beyond_the_sound_is_named(tmp_path, data_dir, capsys):
    folder = data_dir / "video_frames" / NAMES[0]
    shutil.copytree(folder / "frame_001", folder / "frame_007")
    write_dmc(tmp_path / "dmc.pkl", {f"{NAMES[0]}/frame_{second}/00025": maps_of(0) for second in ("001", "007")}, {})
    csv_path(tmp_path / "dmc.pkl").unlink()
    assert run(tmp_path / "dmc.pkl", data_dir) == 1
    assert f"{NAMES[0]}, sound of second 7: the sound does not last that long" in capsys.readouterr().err
    assert len(Page(tmp_path / "dmc.html").content["clips"]) == 1


def test_frames_and_maps_that_cannot_be_shown_are_named_and_the_others_go_on(dmc_pkl, data_dir, capsys):
    maps = read_dmc(dmc_pkl)
    maps[KEYS[1]] = np.full((3, 4, 5), np.nan)
    (data_dir / "boxes.json").unlink()
    write_dmc(dmc_pkl, maps, {})
    csv_path(dmc_pkl).unlink()
    (data_dir / "video_frames" / f"{KEYS[0]}.jpg").unlink()
    assert run(dmc_pkl, data_dir) == 1
    error = capsys.readouterr().err
    page = Page(dmc_pkl.with_name("dmc.html"))
    assert "run python3 data/cut_video.py" in error and f"{KEYS[1]}: its maps hold values" in error
    assert f"{KEYS[1]}: its maps hold values" in page.text and len(page.all("img")) == 14


def test_separate_sound_tracks_win_over_those_in_the_videos(dmc_pkl, data_dir):
    (data_dir / "audio").mkdir()
    shutil.copy(data_dir / "video" / f"{NAMES[1]}.mp4", data_dir / "audio" / f"{NAMES[0]}.m4a")
    assert run(dmc_pkl, data_dir) == 0
    page = Page(dmc_pkl.with_name("dmc.html"))
    clip = next(card["clip"] for card in page.content["cards"] if sorted(NAMES)[card["video"]] == NAMES[0])
    assert pitch_of(base64.b64decode(page.content["clips"][clip])) == pytest.approx(PITCH[NAMES[1]], abs=5)


def decoded(mp3: bytes) -> np.ndarray:
    with av.open(io.BytesIO(mp3)) as container:
        assert container.format.name == "mp3" and container.streams.audio[0].rate == RATE
        return np.concatenate([frame.to_ndarray()[0] for frame in container.decode(audio=0)])


def pitch_of(mp3: bytes) -> float:
    sound = decoded(mp3)[RATE // 10 : RATE * 9 // 10]
    return float(np.abs(np.fft.rfft(sound * np.hanning(len(sound)))).argmax() * RATE / len(sound))


def test_a_clip_is_the_second_and_small():
    time = np.arange(RATE) / RATE
    clip = as_mp3(np.sin(2 * np.pi * 440 * time).astype(np.float32))
    assert len(decoded(clip)) == pytest.approx(RATE, rel=0.1) and pitch_of(clip) == pytest.approx(440, abs=3)
    assert len(clip) < 1.2 * BIT_RATE / 8


def test_the_sound_of_a_picture_is_its_videos(dmc_pkl, data_dir):
    assert run(dmc_pkl, data_dir) == 0
    content = Page(dmc_pkl.with_name("dmc.html")).content
    for card in content["cards"]:
        name = sorted(NAMES)[card["video"]]
        assert pitch_of(base64.b64decode(content["clips"][card["clip"]])) == pytest.approx(PITCH[name], abs=5)


def test_300_cards_have_30_mb_even_of_noise():
    picture = np.random.default_rng(0).integers(0, 256, (720, 1280, 3)).astype(np.uint8)
    jpeg, width, height = small_jpeg(picture)
    assert (width, height) == (569, 320) and len(jpeg) <= MOST_BYTES
    maps = map_levels(np.random.default_rng(0).random((10, 40, 50)).astype(np.float32))
    clip = as_mp3(noise(1, RATE, level=1.0))
    assert 4 / 3 * (len(jpeg) + maps.nbytes + len(clip)) + 3000 < MOST_BYTES_A_CARD


@pytest.mark.parametrize(
    ("size", "expected"),
    [((240, 320), (320, 240)), ((1280, 720), (320, 569)), ((2000, 1000), (302, 604)), ((400, 8000), (1910, 95))],
)
def test_large_pictures_are_made_smaller(size, expected):
    _, width, height = small_jpeg(np.zeros((*size, 3), np.uint8))
    assert (width, height) == expected


def test_large_maps_are_made_smaller_and_empty_ones_stay_empty():
    large = np.zeros((2, 64, 20), np.float32)
    large[0, :32] = 0.5
    levels = map_levels(large)
    assert levels.shape == (2, MOST_CELLS, 20) and levels.dtype == np.uint8
    assert (levels[0, :15] == 255).all() and (levels[0, 17:] == 0).all() and (levels[1] == 0).all()


def test_pictures_are_spread_over_the_videos_and_seeded():
    sizes = {"a": 100, "b": 3, "c": 50}
    frames = {f"{name}{i}": Frame(name, i // 4, i) for name, size in sizes.items() for i in range(size)}
    chosen = spread_over_videos(frames, 13, 10)
    counts = [sum(frames[key].video == name for key in chosen) for name in sizes]
    assert len(set(chosen)) == 13 and counts == [5, 3, 5]
    assert [frames[key] for key in chosen] == sorted(frames[key] for key in chosen)
    assert chosen == spread_over_videos(frames, 13, 10) != spread_over_videos(frames, 13, 11)
    assert len(spread_over_videos(frames, 0, 10)) == len(spread_over_videos(frames, 999, 10)) == 153
    assert len({frames[key].video for key in spread_over_videos(frames, 2, 10)}) == 2


def test_the_class_is_the_label_else_what_the_boxes_are_of():
    boxes = Boxes(np.zeros((3, 4)), ("3", "flute", "3"))
    assert class_of("v", {"v": "flute violin"}, boxes) == "flute violin"
    assert class_of("v", {}, boxes) == "class 3, flute"
    assert class_of("v", {}, None) == ""


def test_curves_lie_where_the_log_says(dmc_pkl, data_dir):
    curves = read_log(dmc_pkl.parent / "log.csv")
    loss, accuracy = training_curves.panels_of(curves)
    assert [line.name for line in loss.lines] == ["training", "validation"]
    xs, ys = zip(*loss.lines[0].points, strict=True)
    assert xs[0] == training_curves.LEFT and xs[-1] == training_curves.WIDTH - training_curves.RIGHT
    heights = {tick.text: tick.at for tick in loss.values}
    assert heights["2"] == ys[1] and ys[0] < ys[1] < ys[2]  # a lower loss lies lower
    assert accuracy.chance == {tick.text: tick.at for tick in accuracy.values}["0.5"]
    assert [tick.text for tick in accuracy.epochs] == ["1", "2", "3"]
    assert run(dmc_pkl, data_dir, "--run", dmc_pkl.parent) == 0
    page = Page(dmc_pkl.with_name("dmc.html"))
    points = [one["points"].split() for one in page.all("polyline")]
    assert [len(one) for one in points] == [3, 3, 3, 3] and points[0][1] == f"{xs[1]},{ys[1]}"
    assert "epoch 3: matching accuracy 0.875 (validation)" in page.text


@pytest.mark.parametrize(
    ("losses", "texts"),
    [
        ((5000, 40, 2.5), ["1", "10", "100", "1000", "10000"]),
        ((2e11, 40, 2.5), ["1", "100", "10000", "1e+06", "1e+08", "1e+10", "1e+12"]),
    ],
)
def test_a_loss_that_begins_in_thousands_is_no_flat_line_at_its_end(tmp_path, losses, texts):
    lines = [f"{epoch},{loss},0.5,{loss},0.5" for epoch, loss in enumerate(losses, 1)]
    head = "epoch,loss,train_accuracy,val_loss,val_accuracy"
    (tmp_path / "log.csv").write_text("\n".join([head, *lines]), encoding="utf-8")
    loss, accuracy = training_curves.panels_of(read_log(tmp_path / "log.csv"))
    assert [tick.text for tick in loss.values] == texts
    power = loss.values[0].at - loss.values[1].at  # of the first step: the same height everywhere
    assert [a.at - b.at for a, b in pairwise(loss.values)] == pytest.approx([power] * (len(texts) - 1), abs=0.2)
    _, middle, last = (y for _, y in loss.lines[0].points)
    powers = float(texts[1]) / float(texts[0])
    assert last - middle == pytest.approx(power * math.log(40 / 2.5, powers), abs=0.2)
    assert accuracy.chance is not None  # it stays linear


def test_a_training_of_one_epoch_has_curves(tmp_path):
    (tmp_path / "log.csv").write_text(
        "epoch,loss,train_accuracy,val_loss,val_accuracy\n1,2,0.5,2,0.5\n", encoding="utf-8"
    )
    for panel in training_curves.panels_of(read_log(tmp_path / "log.csv")):
        for line in panel.lines:
            ((x, y),) = line.points
            assert training_curves.LEFT < x < training_curves.WIDTH and 0 < y < training_curves.HEIGHT


def test_count_and_out(dmc_pkl, data_dir, tmp_path):
    out = tmp_path / "new" / "page.html"
    assert run(dmc_pkl, data_dir, "--count", 5, "--out", out) == 0
    assert len(Page(out).all("img")) == 5 and "5 of 16 frames, of 4 videos" in Page(out).text
    assert not dmc_pkl.with_name("dmc.html").exists()


@pytest.mark.parametrize(
    ("options", "words"),
    [
        (["--boxes", "none.json"], ["none.json cannot be read"]),
        (["--run", "none"], ["none/log.csv cannot be read"]),
        (["--out", "folder"], ["folder is a folder"]),
        (["--out", "run/dmc.pkl"], ["run/dmc.pkl holds the maps"]),
    ],
)
def test_what_cannot_be_done_is_a_sentence(dmc_pkl, data_dir, tmp_path, monkeypatch, capsys, options, words):
    monkeypatch.chdir(tmp_path)
    Path("folder").mkdir()
    before = dmc_pkl.read_bytes()
    assert run(dmc_pkl, data_dir, *options) == 1
    error = capsys.readouterr().err
    assert error.startswith("report: ") and all(word in error for word in words), error
    assert not dmc_pkl.with_name("dmc.html").exists() and dmc_pkl.read_bytes() == before


def test_labels_that_are_no_labels_are_an_error(dmc_pkl, data_dir, capsys):
    (data_dir / "labels.json").write_text("[]", encoding="utf-8")
    assert run(dmc_pkl, data_dir) == 1
    assert "have not the form" in capsys.readouterr().err
    with pytest.raises(UserError):
        report.write_report(report.parse([str(dmc_pkl), "--data_dir", str(data_dir)]))
