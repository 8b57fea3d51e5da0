"""vis/report.py: the content of the page, hostile names, and a reason for each part that is missing."""

import base64
import io
import json
import re
import shutil
from html.parser import HTMLParser
from pathlib import Path

import av
import numpy as np
import pytest
import torch
from PIL import Image

from metrics import score
from metrics.maps.annotations import parse_frame
from metrics.maps.runs import read_run
from tests.fixtures.report_set import CLASSES, IN_ORDER, KEYS, NAMES, PITCH, SIZE, make_run, maps_of, pickled, scores_of
from training.checkpoints.checkpoint import save_checkpoint
from vis import report
from vis.frames import map_titles
from vis.page.clips import RATE


def run(dmc_pkl: Path, data_dir: Path, *options: object) -> int:
    return report.main([str(dmc_pkl), "--data_dir", str(data_dir), *map(str, options)])


def pitch_of(mp3: bytes) -> float:
    """The strongest frequency of a clip of a second, in Hz."""
    with av.open(io.BytesIO(mp3)) as container:
        assert container.format.name == "mp3"
        audio = np.concatenate([frame.to_ndarray()[0] for frame in container.decode(audio=0)])
    assert len(audio) == pytest.approx(RATE, rel=0.1)
    audio = audio[RATE // 10 : RATE * 9 // 10]
    return float(np.abs(np.fft.rfft(audio * np.hanning(len(audio)))).argmax() * RATE / len(audio))


class Page(HTMLParser):
    """A page as a browser parses it: its elements, its text, and the data of its script."""

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


@pytest.mark.parametrize(("other", "unfamiliar"), [(0.01, True), (100.0, False)])
def test_the_page_compares_the_distances_with_those_of_the_training(dmc_pkl, data_dir, tmp_path, other, unfamiliar):
    shutil.copy(dmc_pkl.with_name("log.csv"), tmp_path)
    save_checkpoint(
        tmp_path / "best.pth", {"model": {"a": torch.zeros(1)}, "args": {}, "distances": {"own": 0.0, "other": other}}
    )
    out = tmp_path / "page.html"
    assert run(dmc_pkl, data_dir, "--run", tmp_path, "--out", out) == 0
    text = Page(out).text
    assert f"{other:.2f} with the audio of another video" in text
    assert ("has not heard anything like this" in text) is unfamiliar


def name_of(card: dict) -> str:
    return sorted(NAMES)[card["video"]]


def test_the_page_has_all_frames_maps_audio_and_curves_and_loads_nothing(dmc_pkl, data_dir, capsys):
    assert run(dmc_pkl, data_dir, "--run", dmc_pkl.parent) == 0
    page = Page(dmc_pkl.with_name("dmc.html"))
    assert "://" not in page.source and not re.search(r"url\((?!#)", page.source) and not page.all("link")
    images = page.all("img")
    assert all(image["src"].startswith("data:image/jpeg;base64,") for image in images)
    frames = map(parse_frame, IN_ORDER)
    assert [image["alt"] for image in images] == [
        f"{frame.video}, second {frame.second}, frame {frame.index}" for frame in frames
    ]
    with Image.open(io.BytesIO(base64.b64decode(images[0]["src"].partition(",")[2]))) as image:
        assert image.format == "JPEG" and image.size == SIZE
    assert len(page.content["clips"]) == len(KEYS) / 2  # one for each second, which two frames share
    for key, card in zip(IN_ORDER, page.content["cards"], strict=True):
        maps = np.stack([np.frombuffer(base64.b64decode(text), np.uint8) for text in card["maps"]])
        expected = maps_of(key) / maps_of(key).max((1, 2), keepdims=True) * 255
        assert np.abs(maps.reshape(-1, card["rows"], card["columns"]) - expected).max() <= 0.5
        assert name_of(card) == parse_frame(key).video
        pitch = pitch_of(base64.b64decode(page.content["clips"][card["clip"]]))
        assert pitch == pytest.approx(PITCH[name_of(card)], abs=5)
    assert len(page.all("figure")) == 2 and "Epoch 3: loss 1.5, validation 2.25" in page.text
    said = capsys.readouterr().out.splitlines()[-1]
    assert said.startswith(f"Wrote {dmc_pkl.with_name('dmc.html')}: 16 frames of 4 videos, 0.")
    assert f"python3 vis/draw.py --data_dir {data_dir} {dmc_pkl}" in said


def test_hostile_names_and_classes_stay_text(dmc_pkl, data_dir):
    invalid = b"\xff\xfe".decode("utf-8", "surrogateescape")  # no text, but file systems admit it
    (data_dir / "video_frames" / NAMES[0]).rename(data_dir / "video_frames" / invalid)
    maps = {key.replace(NAMES[0], invalid): maps_of(key) for key in KEYS}
    hostile = pickled(dmc_pkl.with_name("<b>'{{ 1 }}.pkl"), maps)
    assert run(hostile, data_dir) == 1  # a video is missing
    page = Page(hostile.with_suffix(".html"))
    assert not any(name.startswith("on") for _, attributes in page.elements for name in attributes)
    assert len(page.all("img")) == len(KEYS) and len(page.all("script")) == 2
    options = [text for tag, text in page.texts if tag == "option"]
    assert all(name in options for name in (*NAMES[1:], *CLASSES))
    assert hostile.name in page.text and "49" not in [text for _, text in page.texts]
    script = page.source[page.source.index('id="content"') :]
    assert "<" not in script[: script.index("</script>")]


@pytest.mark.parametrize("a_cluster", [1, 2])
def test_scores_and_baselines_are_those_of_score_py(tmp_path, data_dir, capsys, a_cluster):
    dmc_pkl = make_run(tmp_path / "run", a_cluster)
    boxes = data_dir / "boxes.json"
    assert run(dmc_pkl, data_dir, "--boxes", boxes, "--seed", 3) == 0
    page = Page(dmc_pkl.with_name("dmc.html"))
    cells = [text for tag, text in page.texts if tag in ("th", "td")]
    capsys.readouterr()
    assert score.main([str(dmc_pkl), "--boxes", str(boxes), "--seed", "3"]) == 0
    lines = capsys.readouterr().out.splitlines()
    table = [line for line in lines[lines.index("") + 1 :] if line and "95% interval" not in line]
    assert cells == [cell for line in table[:5] for cell in re.split("  +", line.strip())]
    notes = [re.sub(r"^Protocol[^:]*: ", "", line) for line in lines[: lines.index("")]]
    assert len(notes) == 2 and all(" ".join(note.split()) in page.text for note in notes)
    frames = scores_of(dmc_pkl, data_dir)
    for key, card in zip(IN_ORDER, page.content["cards"], strict=True):
        known = frames.get(key)
        assert card["score"] == (known["ciou" if a_cluster == 2 else "iou"] if known else None)
        assert card["pointing"] == (known["pointing"] if known else None)
    assert ("CIoU, best first" in page.text) == (a_cluster == 2)
    assert page.text.count("no box, not scored") == 1
    assert all(f"{name} " in page.text for name in map_titles(read_run(dmc_pkl)))
    assert len([one for one in page.all("rect") if one.get("class") != "edge"]) == len(KEYS) - 1


def test_without_boxes_or_run_the_page_says_so(dmc_pkl, data_dir, capsys):
    boxes = data_dir / "boxes.json"
    boxes.unlink()
    assert run(dmc_pkl, data_dir) == 0
    assert f"No scores on the page: There is no {boxes}" in capsys.readouterr().out
    page = Page(dmc_pkl.with_name("dmc.html"))
    assert f"No scores. There is no {boxes}" in page.text and "No curves:" in page.text
    assert not page.all("table") and not page.all("figure")
    assert "best first" not in page.text and len(page.all("audio")) == len(KEYS)


def test_missing_frames_and_audio_are_named_and_the_rest_is_shown(dmc_pkl, data_dir, capsys):
    """tests/vis/test_frames.py has all reasons for frames."""
    videos, frames = data_dir / "video", data_dir / "video_frames"
    (videos / f"{NAMES[0]}.mp4").unlink()
    (videos / f"{NAMES[1]}.mp4").write_bytes(b"no video")
    (frames / NAMES[2] / "frame_001").rename(frames / NAMES[2] / "frame_007")
    (frames / f"{KEYS[-1]}.jpg").unlink()
    maps = {key.replace("frame_001", "frame_007") if NAMES[2] in key else key: maps_of(key) for key in KEYS}
    (data_dir / "boxes.json").unlink()
    assert run(pickled(dmc_pkl, maps), data_dir) == 1
    error = capsys.readouterr().err
    page = Page(dmc_pkl.with_name("dmc.html"))
    for text in (" ".join(error.split()), page.text):
        assert f"{NAMES[0]}, audio of second 0, 1: there is no file of this name in {videos}" in text
        assert f"{NAMES[1]}, audio of second 0, 1: {videos / NAMES[1]}.mp4: FFmpeg cannot read it" in text
        assert f"{NAMES[2]}, audio of second 7: the audio ends earlier" in text
        assert "run python3 data/cut_video.py" in text
    assert len(page.all("img")) == 15 and len(page.all("audio")) == 5 and len(page.content["clips"]) == 3
    assert page.text.count("No audio:") == 10
    assert {name_of(card) for card in page.content["cards"] if card["clip"] is None} == set(NAMES[:3])


def test_count_out_and_separate_audio_files_which_come_before_the_audio_of_videos(dmc_pkl, data_dir, tmp_path):
    (data_dir / "audio").mkdir()
    shutil.copy(data_dir / "video" / f"{NAMES[1]}.mp4", data_dir / "audio" / f"{NAMES[0]}.m4a")
    out = tmp_path / "new" / "page.html"
    assert run(dmc_pkl, data_dir, "--count", 5, "--out", out) == 0
    page = Page(out)
    assert len(page.all("img")) == 5 and "5 of 16 frames, of 4 videos" in page.text
    assert not dmc_pkl.with_name("dmc.html").exists()
    clip = next(card["clip"] for card in page.content["cards"] if name_of(card) == NAMES[0])
    assert pitch_of(base64.b64decode(page.content["clips"][clip])) == pytest.approx(PITCH[NAMES[1]], abs=5)


@pytest.mark.parametrize(
    ("options", "words"),
    [
        (["--run", "none"], "none/log.csv cannot be read"),
        (["--out", "run/dmc.pkl"], "run/dmc.pkl holds the maps"),
    ],
)
def test_a_user_error_is_a_sentence(dmc_pkl, data_dir, tmp_path, monkeypatch, capsys, options, words):
    monkeypatch.chdir(tmp_path)
    before = dmc_pkl.read_bytes()
    assert run(dmc_pkl, data_dir, *options) == 1
    error = capsys.readouterr().err
    assert error.startswith("report: ") and words in error, error
    assert not dmc_pkl.with_name("dmc.html").exists() and dmc_pkl.read_bytes() == before
