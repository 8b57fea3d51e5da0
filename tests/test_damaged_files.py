"""Files that are cut short or have changed bytes: a reader says so in a sentence, or returns what is really there."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image

from common.errors import UserError
from data.dmc_pkl import read_distances, read_dmc, write_dmc
from data.download import read_results
from data.layout import noise_file
from data.lists import read_labels, read_list
from data.preprocess.settings import n_fft_of
from data.read import open_frame, read_spectrogram, read_spectrograms
from data.sets.published import read_vggsound
from data.transforms import load_frame
from metrics.maps.annotations import read_annotations
from training.checkpoints.checkpoint import read_checkpoint, read_weights, save_checkpoint
from vis.training_curves import COLUMNS, read_log

KEYS = ["a/frame_000/00000", "b/frame_001/00025"]
RNG = np.random.default_rng(0)
MAPS = {key: RNG.random((2, 4, 4), np.float32) for key in KEYS}
WEIGHTS = {name: torch.from_numpy(RNG.random((8, 8), np.float32)) for name in ("a.weight", "b.weight")}
BOX = "<annotation><object><bbox><a>10</a><b>20</b><c>100</c><d>200</d></bbox></object></annotation>"
TEXTS = {
    "train.txt": "a\nb.mp4\nc d.flac c d.mp4\n",
    "labels.json": '{"videos": {"flute": ["a", "b"], "drum": ["c"]}}',
    "audio_frames/settings.json": '{"sample_rate": 16000, "n_fft": 512}',
    "boxes.json": json.dumps({key: {"bbox": [{"normbox": [0.1, 0.2, 0.3, 0.4], "category_id": 3}]} for key in KEYS}),
    "vggss.json": '[{"file": "a_000030", "class": "flute", "bbox": [[0.1, 0.2, 0.4, 0.6]]}]',
    "annotations/a.xml": BOX,
    "vggsound.csv": "abcdefghijk,30,playing flute,test\nbbcdefghijk,0,drum,train\n",
    "download.csv": "name,id,class,status,reason\na,a,flute,done,\nb,b,drum,gone,HTTP Error 404\n",
    "log.csv": "\n".join([",".join(COLUMNS), *(",".join([f"{epoch}.25"] * len(COLUMNS)) for epoch in (1, 2)), ""]),
}


def make_files(folder: Path) -> None:
    """One file of each kind."""
    for name, text in TEXTS.items():
        (folder / name).parent.mkdir(exist_ok=True)
        (folder / name).write_text(text)
    write_dmc(folder / "dmc.pkl", MAPS, {key: np.array([1.25, 2.5]) for key in KEYS})
    save_checkpoint(folder / "best.pth", {"model": WEIGHTS, "args": {"v_cluster": 2}})
    torch.save(WEIGHTS, folder / "old.pth", _use_new_zipfile_serialization=False)
    for path in (folder / "audio_frames/a/000.npy", folder / "video_frames/a/frame_000/00000.jpg"):
        path.parent.mkdir(parents=True)
    np.save(folder / "audio_frames/a/000.npy", RNG.random((201, 64), np.float32))
    np.save(noise_file(folder), RNG.random((2, 201, 64), np.float32))
    smooth = np.add.outer(np.arange(40), np.arange(60))[..., None] * np.array([1, 2, 2])
    Image.fromarray(smooth.astype(np.uint8)).save(folder / "video_frames/a/frame_000/00000.jpg")


def boxes_of(path: Path) -> dict:
    found = read_annotations(path)
    return {str(key): (boxes.corners, boxes.classes) for key, boxes in (found.frames | found.clips).items()}


def weights_of(path: Path) -> dict:
    return {name: np.asarray(value) for name, value in read_checkpoint(path).model.items()}


def no_row_is_changed(found: object, whole: object) -> bool:
    """Whole rows may be missing from a text that is cut short."""
    if isinstance(found, list):
        return len(found) <= len(whole) and all(map(equal, found, whole))
    return found.keys() <= whole.keys() and all(
        no_row_is_changed(row, whole[key]) if isinstance(row, list) else equal(row, whole[key])
        for key, row in found.items()
    )


def begins_like(found: list, whole: list) -> bool:
    """People edit lists, so the last name may be any text."""
    return found[:-1] == whole[: max(0, len(found) - 1)]


def equal(found: object, whole: object) -> bool:
    try:
        np.testing.assert_equal(found, whole)
    except AssertionError:
        return False
    return True


def is_frame(found: torch.Tensor) -> bool:
    return found.dtype == torch.uint8 and found.ndim == 3 and len(found) == 3


class Reader(NamedTuple):
    file: str
    read: Callable[[Path], object]
    usable: Callable[[object], bool] = lambda found: True  # what may come of changed bytes
    cut: Callable[[object, object], bool] = equal  # what may come of the first bytes of a file, beside the whole


READERS = {
    "list": Reader("train.txt", read_list, cut=begins_like),
    "labels": Reader("labels.json", read_labels),
    "settings": Reader("audio_frames/settings.json", lambda path: n_fft_of(path.parents[1]), lambda found: found > 0),
    "boxes": Reader("boxes.json", boxes_of),
    "VGG-SS": Reader("vggss.json", boxes_of),
    "Flickr": Reader("annotations/a.xml", lambda path: boxes_of(path.parent)),
    "VGGSound": Reader("vggsound.csv", read_vggsound, cut=begins_like),
    "downloads": Reader("download.csv", read_results, cut=lambda found, whole: found.keys() <= whole.keys()),
    "log": Reader("log.csv", read_log, cut=no_row_is_changed),
    "distances": Reader("dmc.csv", read_distances, cut=no_row_is_changed),
    "maps": Reader("dmc.pkl", read_dmc, lambda found: all(value.ndim == 3 for value in found.values())),
    "checkpoint": Reader("best.pth", weights_of),
    "old weights": Reader("old.pth", lambda path: {k: np.asarray(v) for k, v in read_weights(path).items()}),
    "spectrogram": Reader("audio_frames/a/000.npy", read_spectrogram, lambda found: found.shape == (201, 64)),
    "noise": Reader("audio_frames/noise.npy", read_spectrograms, lambda found: found.shape[1:] == (201, 64)),
    "frame": Reader("video_frames/a/frame_000/00000.jpg", load_frame, is_frame),
    "frame by Pillow": Reader("video_frames/a/frame_000/00000.jpg", lambda path: np.asarray(open_frame(path))),
}
EXAMPLES = settings(max_examples=25, derandomize=True, deadline=None, database=None)
PLACES = st.floats(0, 1, exclude_max=True)  # as a part of a file; headers are at its start
CHANGES = st.lists(st.tuples(PLACES | st.floats(0, 0.05), st.integers(0, 255)), min_size=1, max_size=4)


@pytest.fixture(scope="module")
def folder(tmp_path_factory) -> Path:
    made = tmp_path_factory.mktemp("files")
    make_files(made)
    return made


def outcome(reader: Reader, folder: Path, content: bytes, whole: bytes) -> object:
    """What is read from a file with this content; None after a sentence. The file is then whole again."""
    path = folder / reader.file
    path.write_bytes(content)
    try:
        return reader.read(path)
    except UserError as error:
        assert str(path.parent) in str(error) and len(str(error)) < 1000 and "\n" not in str(error)
        return None
    finally:
        path.write_bytes(whole)


@pytest.mark.parametrize("name", READERS)
@EXAMPLES
@given(changes=CHANGES)
def test_changed_bytes_are_a_sentence_or_give_something_usable(folder, name, changes):
    reader = READERS[name]
    whole = (folder / reader.file).read_bytes()
    content = bytearray(whole)
    for place, value in changes:
        content[int(place * len(content))] = value
    found = outcome(reader, folder, bytes(content), whole)
    assert found is None or reader.usable(found)
    if name == "checkpoint" and found is not None:  # its bytes have checksums
        assert equal(found, reader.read(folder / reader.file))


@pytest.mark.parametrize("name", READERS)
@EXAMPLES
@given(place=PLACES)
def test_a_file_that_is_cut_short_is_a_sentence_or_gives_nothing_wrong(folder, name, place):
    reader = READERS[name]
    whole = (folder / reader.file).read_bytes()
    found = outcome(reader, folder, whole[: int(place * len(whole))], whole)
    assert found is None or reader.cut(found, reader.read(folder / reader.file))


WORDS = st.sampled_from(["videos", "bbox", "normbox", "category_id", "file", "class", "n_fft", *KEYS]) | st.text(
    max_size=3
)
NUMBERS = st.integers() | st.floats() | st.sampled_from([10**400, 2**63, -1])
JSON = st.recursive(
    st.none() | st.booleans() | NUMBERS | WORDS,
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(WORDS, inner, max_size=3),
    max_leaves=8,
)


@pytest.mark.parametrize("name", ["labels", "settings", "boxes", "VGG-SS"])
@EXAMPLES
@given(content=JSON)
def test_any_json_is_a_sentence_or_gives_something_usable(folder, name, content):
    reader = READERS[name]
    whole = (folder / reader.file).read_bytes()
    found = outcome(reader, folder, json.dumps(content).encode(), whole)
    assert found is None or reader.usable(found)


def test_nesting_and_numbers_of_ten_thousand_digits_crash_nothing(folder):
    for name in ("labels", "settings", "boxes", "VGG-SS"):
        reader = READERS[name]
        whole = (folder / reader.file).read_bytes()
        for text in ("[" * 100_000, '{"a":' * 100_000, "[" + "1" * 10_000 + "]"):
            assert outcome(reader, folder, text.encode(), whole) is None
    text = "<a>" * 100_000 + BOX + "</a>" * 100_000
    assert len(outcome(READERS["Flickr"], folder, text.encode(), BOX.encode())["a"][0]) == 1


def test_all_files_are_read_before_they_are_damaged(folder):
    found = {name: reader.read(folder / reader.file) for name, reader in READERS.items()}
    assert found.pop("settings") == 512 and all(map(len, found.values()))
