"""From memory the samples are the same as from files, each file is read once, and the memory is known before."""

from pathlib import Path
from types import SimpleNamespace

import pytest
import torch

import data.second_cache
from common.errors import SampleError
from data.dataset import PairDataset
from data.index import SecondIndex, index_seconds
from data.loaders import pair_loader
from data.second_cache import bytes_in_memory, memory_to_spend, read_seconds
from data.transforms import load_frame
from tests.fixtures.sample_set import add_video


@pytest.fixture
def seconds(tmp_path: Path) -> SecondIndex:
    add_video(tmp_path, "a", kind=0, size=40)
    add_video(tmp_path, "b", kind=1, size=60, frames=5)
    return index_seconds(tmp_path, ["a", "b"])


def epochs(seconds, cache, augment, workers=0) -> list[torch.Tensor]:
    loader = pair_loader(PairDataset(seconds, 32, 5, augment, cache=cache), 3, workers, shuffle=True)
    found = []
    for epoch in range(1, 4):
        loader.sampler.set_epoch(epoch)
        found += [batch[key] for batch in loader for key in ("spectrogram", "frame", "negative_frame")]
    return found


@pytest.mark.parametrize("workers", [0, 2])
@pytest.mark.parametrize(("augment", "side"), [(True, 37), (False, 32)])
def test_samples_are_the_same_from_memory_and_from_files(seconds, augment, side, workers):
    expected = epochs(seconds, None, augment)
    cache = read_seconds(seconds, side, num_threads=workers)
    assert all(torch.equal(a, b) for a, b in zip(epochs(seconds, cache, augment, workers), expected, strict=True))


def test_each_frame_is_read_once_and_nothing_is_read_after_that(seconds, monkeypatch):
    reads: list[Path] = []
    monkeypatch.setattr(data.second_cache, "load_frame", lambda path: reads.append(path) or load_frame(path))
    cache = read_seconds(seconds, 37, num_threads=2)
    paths = [path for second in range(len(seconds)) for path in seconds.frame_paths(second)]
    assert sorted(reads) == sorted(paths) and len(paths) == 3 * 4 + 3 * 5
    for path in [*paths, *map(seconds.spectrogram_path, range(len(seconds)))]:
        path.unlink()
    assert epochs(seconds, cache, augment=True)


def test_the_memory_is_known_without_decoding_a_frame(seconds, monkeypatch):
    with monkeypatch.context() as patched:
        patched.setattr(data.second_cache, "load_frame", lambda *_: pytest.fail("decoded"))
        found = bytes_in_memory(seconds, 32)
    cache = read_seconds(seconds, 32, 1)
    assert found == sum(tensor.nbytes for second in cache for tensor in (second.spectrogram, *second.frames))


def test_an_unreadable_frame_is_named_when_all_are_read(seconds):
    path = seconds.frame_paths(0)[0]
    path.write_bytes(b"no JPEG")
    assert bytes_in_memory(seconds, 32) > 3 * 5 * 3 * 32 * 32  # the other video
    with pytest.raises(SampleError, match=path.name):
        read_seconds(seconds, 32, 2)


@pytest.mark.parametrize(
    ("machine", "container", "expected"), [(8000, None, 4000), (8000, "2000\n", 1000), (8000, "max\n", 4000)]
)
def test_half_of_the_scarcest_memory_is_spent_and_local_processes_share_it(
    monkeypatch, tmp_path, machine, container, expected
):
    module = data.second_cache
    monkeypatch.setattr(module.psutil, "virtual_memory", lambda: SimpleNamespace(available=machine))
    monkeypatch.setattr(module, "CONTAINER_LIMIT", tmp_path / "memory.max")
    if container:
        (tmp_path / "memory.max").write_text(container)
    monkeypatch.delenv("LOCAL_WORLD_SIZE", raising=False)
    assert memory_to_spend() == expected
    monkeypatch.setenv("LOCAL_WORLD_SIZE", "4")
    assert memory_to_spend() == expected // 4
