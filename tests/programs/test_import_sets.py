"""`data/import_sets.py` on miniatures of the published sets: links in the form of this project, that it can use."""

import json
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from data import import_sets, prepare
from data.dataset import SecondDataset
from data.dmc_pkl import write_dmc
from data.index import index_seconds
from data.lists import read_list
from data.sets.published import clip_name_of
from metrics import score
from tests.fixtures.media import noise, write_media


def image(path: Path, value: int = 128) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.fromarray(np.full((64, 64, 3), value, np.uint8)).save(path)
    return path


def audio(path: Path, seconds: float = 3.5, seed: int = 0) -> Path:
    codec = "mp3" if path.suffix == ".mp3" else "pcm_s16le"
    return write_media(path, sound=noise(seconds, seed=seed), audio_codec=codec)


def xml(path: Path) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    edges = "<xmin>0</xmin><ymin>0</ymin><xmax>128</xmax><ymax>256</ymax>"
    path.write_text(f"<annotation><object><bbox><index>1</index>{edges}</bbox></object></annotation>")


def run(kind: str, folder: Path, data_dir: Path) -> int:
    return import_sets.main([f"--{kind}", str(folder), "--data_dir", str(data_dir)])


def lists(data_dir: Path) -> dict[str, list[str]]:
    return {name: read_list(data_dir / f"{name}.txt") for name in ("train", "val", "test")}


def seconds_of(data_dir: Path, name: str) -> list[tuple[int, list[str]]]:
    """Second and targets of the frames of each second of a NAME."""
    index = index_seconds(data_dir, [name])
    targets = [[path.readlink().name for path in index.frame_paths(at)] for at in range(len(index))]
    return list(zip(index.second.tolist(), targets, strict=True))


@pytest.fixture
def source(tmp_path) -> Path:
    return tmp_path / "train/masks/source"  # folders above it say nothing


@pytest.fixture
def data_dir(tmp_path) -> Path:
    return tmp_path / "set"


@pytest.mark.parametrize("layout", ["frames_and_audio", "side_by_side"])
def test_flickr_soundnet_is_cut_indexed_and_scored(source, data_dir, tmp_path, capsys, layout):
    for number in range(7):
        folder = source / f"Data/{number}" if layout == "side_by_side" else source
        frames, sound = ("", "") if layout == "side_by_side" else ("frames", "audio")
        image(folder / frames / f"{number}.jpg", value=20 * number)
        audio(folder / sound / f"{number}.{'mp3' if number == 6 else 'wav'}", seed=number)
    image(source / "extend_frames/5.jpg")  # Extended Flickr-SoundNet has the same names
    image(source / "frames/alone.jpg")
    for name in ("5", "6", "none"):
        xml(source / f"Annotations/{name}.xml")
    if layout == "side_by_side":  # the published list goes before the annotations
        xml(source / "Annotations/4.xml")
        (source / "flickr_test.csv").write_text("5\n6\n9\n")
    assert run("flickr", source, data_dir) == 0
    assert "1 files left out" in capsys.readouterr().out
    assert prepare.main(["--data_dir", str(data_dir), "--num_threads", "1"]) == 0
    assert lists(data_dir)["test"] == ["5", "6"] and sum(map(len, lists(data_dir).values())) == 7
    assert seconds_of(data_dir, "0") == [(0, ["0.jpg"]), (1, ["0.jpg"]), (2, ["0.jpg"])]
    files = [path for path in data_dir.rglob("*.*") if path.suffix in (".jpg", ".wav", ".mp3", ".xml")]
    assert files and all(path.is_symlink() for path in files)

    samples = SecondDataset(index_seconds(data_dir, ["5", "6"]), image_size=32, first_only=False)
    keys = [key for index in range(len(samples)) for key in samples[index]["keys"]]
    assert len(keys) == len(set(keys)) == 6
    maps = np.repeat([[[1.0, 0]], [[0, 1.0]]], 2, axis=1)  # left half, right half
    write_dmc(tmp_path / "dmc.pkl", dict.fromkeys(keys, maps), {key: [1.0] for key in keys})
    boxes = ("--boxes", str(data_dir / "annotations"))
    assert score.main([str(tmp_path / "dmc.pkl"), *boxes, "--json", str(tmp_path / "score.json")]) == 0
    scores = json.loads((tmp_path / "score.json").read_text())
    run_path = str(tmp_path / "dmc.pkl")
    assert scores["counts"][run_path]["frames_scored"] == 2 and scores["runs"][run_path]["iou_at_0.5"] == 1


def test_clips_of_vggsound_keep_names_classes_and_split(source, data_dir, capsys):
    names = [f"abcdefghij{number}_{10 * number:06d}" for number in range(5)]
    for name in names[:-1]:
        write_media(source / f"video/{name}.mp4", frames=25, sound=noise(1))
    write_media(source / "video/abcdefghij4_40000_50000.mp4", frames=25, sound=noise(1))
    rows = [
        f'{name[:11]},{int(name[-6:])},"male speech, man speaking",{"test" if name == names[0] else "train"}'
        for name in names
    ]
    (source / "vggsound.csv").write_text("\n".join([*rows, "gone1234567,3,playing flute,test"]))
    for _ in range(2):  # again: nothing new
        assert run("vggsound", source, data_dir) == 0
    assert sorted(path.stem for path in (data_dir / "video").iterdir()) == names
    assert (data_dir / f"video/{names[4]}.mp4").resolve() == (source / "video/abcdefghij4_40000_50000.mp4").resolve()
    assert lists(data_dir)["test"] == names[:1] and sum(map(len, lists(data_dir).values())) == 5
    assert json.loads((data_dir / "labels.json").read_text())["videos"] == {"male_speech_man_speaking": names}
    capsys.readouterr()
    assert prepare.main(["--data_dir", str(data_dir), "--num_threads", "1"]) == 0
    assert capsys.readouterr().out.count("5 cut, 0 there already, 0 failed") == 2


def test_frames_of_vggsound_are_spread_over_the_seconds_of_their_audio(source, data_dir):
    for number in range(1, 13):  # 4 frames a second; 12 comes after 2
        image(source / f"frames/abcdefghijk_000030/{number}.jpg")
    audio(source / "audio/abcdefghijk_000030.wav", seconds=3.05)
    image(source / "frames/abcdefghijk_000050.jpg")
    audio(source / "audio/abcdefghijk_000050.wav", seconds=2)
    write_media(source / "video/abcdefghijk_000070.mp4", frames=25, sound=noise(1))
    audio(source / "audio/abcdefghijk_000070.wav", seconds=2)
    image(source / "frames/abcdefghijk_000070.jpg")
    assert run("vggsound", source, data_dir) == 0
    assert prepare.main(["--data_dir", str(data_dir), "--num_threads", "1"]) == 0
    assert seconds_of(data_dir, "abcdefghijk_000030") == [
        (second, [f"{4 * second + at}.jpg" for at in range(1, 5)]) for second in range(3)
    ]
    assert [second for second, _ in seconds_of(data_dir, "abcdefghijk_000050")] == [0, 1]
    assert (data_dir / "video/abcdefghijk_000070.mp4").is_symlink()  # a clip has more than a frame


@pytest.mark.parametrize("subset", ["s4", "ms3"])
def test_avsbench_has_a_frame_and_a_mask_a_second_which_are_scored(source, data_dir, tmp_path, subset):
    names = [f"name{number}_0_5000" for number in range(5)]
    splits = ["train", "train", "train", "val", "test"]
    for name, split in zip(names, splits, strict=True):
        below = f"{split}/dog_barking" if subset == "s4" else split
        audio(source / f"{subset}_data/audio_wav/{below}/{name}.wav", seconds=4.98)
        for number in range(1, 6):
            stem = f"{below}/{name}/{name}_{number}" if subset == "s4" else f"{name}/{name}.mp4_{number}"
            image(source / f"{subset}_data/visual_frames/{stem}.png", value=number)
        for number in range(1, 2 if subset == "s4" and split == "train" else 6):
            image(source / f"{subset}_data/gt_masks/{below}/{name}/{name}_{number}.png", value=255)
    rows = [f"{name},dog_barking,{split}" for name, split in zip(names, splits, strict=True)]
    if subset == "s4":
        (source / "s4_meta_data.csv").write_text("\n".join(["name,category,split", *rows]))
    assert run("avsbench", source, data_dir) == 0
    assert lists(data_dir) == {"train": names[:3], "val": [names[3]], "test": [names[4]]}
    assert prepare.main(["--data_dir", str(data_dir), "--num_threads", "1"]) == 0
    index = index_seconds(data_dir, [names[4]])
    values = [[np.asarray(Image.open(path)).max() for path in index.frame_paths(at)] for at in range(4)]
    assert values == [[1], [2], [3], [4]]
    masks = sorted(path.name for path in (data_dir / f"masks/{names[4]}").iterdir())
    assert masks == [f"{second:03d}.png" for second in range(5)]
    assert (data_dir / f"masks/{names[4]}/002.png").readlink().name == f"{names[4]}_3.png"
    assert (data_dir / "labels.json").exists() == (subset == "s4")
    maps = {f"{names[4]}/frame_{second:03d}/{second:05d}": np.ones((1, 2, 2)) for second in range(4)}
    write_dmc(tmp_path / "dmc.pkl", maps, {key: [1.0] for key in maps})
    arguments = [tmp_path / "dmc.pkl", "--boxes", data_dir / "masks", "--json", tmp_path / "score.json"]
    assert score.main([str(argument) for argument in arguments]) == 0  # the masks are white, and so is the map
    (figures,) = json.loads((tmp_path / "score.json").read_text())["runs"].values()
    assert (figures["frames"], figures["mean_iou"], figures["f_score"]) == (4, 1, 1)


def test_clips_of_avsbench_have_masks_too(source, data_dir):
    write_media(source / "raw_videos/a_1.mp4", frames=50, sound=noise(2))
    for number in (1, 2):
        image(source / f"gt_masks/a_1/a_1_{number}.png")
    assert run("avsbench", source, data_dir) == 0
    assert (data_dir / "video/a_1.mp4").is_symlink()
    assert sorted(path.name for path in (data_dir / "masks/a_1").iterdir()) == ["000.png", "001.png"]


def test_bad_files_are_named_and_the_rest_is_linked(source, data_dir, capsys):
    for name in ("good", "bad"):
        image(source / f"{name}.jpg")
        audio(source / f"{name}.wav")
    (source / "bad.wav").write_text("no audio")
    assert run("flickr", source, data_dir) == 1
    out, err = capsys.readouterr()
    assert f"{source / 'bad.wav'}: FFmpeg cannot read it" in err and "1 audio files with frames" in out
    assert [path.name for path in (data_dir / "video_frames").iterdir()] == ["good"]


def test_a_name_that_no_list_can_hold_is_named_and_no_list_is_written(source, data_dir, capsys):
    for name in ("a", "b", "caf\udce9"):
        for list_name in ("train", "test"):
            path = source / list_name / f"{name}{list_name}.mp4"
            path.parent.mkdir(exist_ok=True, parents=True)
            path.touch()
    assert run("vggsound", source, data_dir) == 1
    assert "cannot hold 'caf\\udce9" in capsys.readouterr().err and not list(data_dir.glob("*.txt"))


@pytest.mark.parametrize(
    ("folder", "data_dir", "message"),
    [
        ("none", "set", "there is no folder none"),
        ("empty", "set", "holds neither clips nor images with audio"),
        ("empty", "empty/set", "lies in empty"),
        ("full", "real", "real/video/abc.mp4 is a file of its own and is never replaced"),
    ],
)
def test_what_cannot_be_linked_is_a_sentence(tmp_path, monkeypatch, capsys, folder, data_dir, message):
    monkeypatch.chdir(tmp_path)
    Path("empty").mkdir()
    for path in (Path("full/abc.mp4"), Path("real/video/abc.mp4")):
        path.parent.mkdir(parents=True)
        path.touch()
    assert run("vggsound", Path(folder), Path(data_dir)) == 1
    assert message in capsys.readouterr().err


@pytest.mark.parametrize("end", ["000030", "30", "30_40", "30000_40000"])
def test_clips_of_other_copies_get_the_published_name(end):
    assert clip_name_of(f"abcdefghijk_{end}") == "abcdefghijk_000030"
    assert clip_name_of(f"my_dog_{end}") == f"my_dog_{end}"
