"""With cached frames the samples are the same, each frame is decoded once, and memory is taken only as needed."""

import multiprocessing
import os
import re
from pathlib import Path
from types import SimpleNamespace

import pytest
import torch
from PIL import Image

import data.dataset
import data.frame_cache
from common.errors import SampleError
from data.dataset import PairDataset
from data.frame_cache import MOST_FRAMES, FrameCache, frame_cache, memory_to_spend
from data.index import SecondIndex, index_seconds
from data.loaders import pair_loader
from data.transforms import AUGMENTATIONS, load_frame, resize
from tests.fixtures.sample_set import add_video

MEMORY = 10**7


@pytest.fixture
def seconds(tmp_path: Path) -> SecondIndex:
    add_video(tmp_path, "a", kind=0, size=40)
    add_video(tmp_path, "b", kind=1, size=60, frames=5)
    return index_seconds(tmp_path, ["a", "b"])


def epochs(seconds, cache, augmentation, workers) -> list[torch.Tensor]:
    loader = pair_loader(PairDataset(seconds, 32, 5, augmentation, cache=cache), 3, workers, shuffle=True)
    found = []
    for epoch in range(1, 9):
        loader.sampler.set_epoch(epoch)
        found += [frame for batch in loader for frame in (batch["frame"], batch["negative_frame"])]
    return found


@pytest.mark.parametrize("workers", [0, 2])
@pytest.mark.parametrize("augmentation", [*AUGMENTATIONS, None])
def test_samples_are_the_same_with_the_cache_and_without(seconds, augmentation, workers):
    cache = frame_cache(seconds, 32, augmentation, MEMORY)
    expected = epochs(seconds, None, augmentation, workers)
    assert all(torch.equal(a, b) for a, b in zip(epochs(seconds, cache, augmentation, workers), expected, strict=True))
    cached = [cache.get(second, position) for second in range(len(seconds)) for position in range(MOST_FRAMES)]
    assert sum(frame is not None for frame in cached) > 12  # of 24; the workers' frames are here too


def test_a_frame_is_decoded_once(seconds, monkeypatch):
    reads: list[Path] = []
    monkeypatch.setattr(data.dataset, "load_frame", lambda path: reads.append(path) or load_frame(path))
    epochs(seconds, frame_cache(seconds, 32, "strong", MEMORY), "strong", 0)
    within = [path for path in reads if int(path.stem) % 25 != 24]  # the fifth frame of a second has no slot
    assert len(within) == len(set(within)) > 12
    assert len(reads) > len(within)


@pytest.mark.parametrize(
    ("augmentation", "slot"), [("published", 3 * 37 * 37), (None, 3 * 32 * 32), ("strong", 3 * 70 * 30)]
)
def test_a_slot_holds_the_largest_first_frame_without_decoding_it(tmp_path, augmentation, slot, monkeypatch):
    add_video(tmp_path, "a", seconds=1, frames=2)
    seconds = index_seconds(tmp_path, ["a"])
    first, other = seconds.frame_paths(0)
    Image.new("RGB", (70, 30), "red").save(first)
    with monkeypatch.context() as patched:
        patched.setattr(Image.Image, "load", lambda *_: pytest.fail("decoded"))
        cache = frame_cache(seconds, 32, augmentation, MEMORY)
        assert cache.num_bytes == slot * MOST_FRAMES
        assert frame_cache(seconds, 32, augmentation, cache.num_bytes) is not None
        assert frame_cache(seconds, 32, augmentation, cache.num_bytes - 1) is None
    for position, path in enumerate((first, other)):
        frame = resize(load_frame(path), 32, augmentation)
        cache.put(0, position, frame)
        assert torch.equal(cache.get(0, position), frame)


def test_only_frames_that_fit_into_a_slot_are_cached(seconds):
    cache = frame_cache(seconds, 32, "strong", MEMORY)
    cache.put(0, 1, torch.zeros(3, 61, 60, dtype=torch.uint8))
    assert cache.get(0, 1) is None
    frame = torch.randint(0, 256, (3, 36, 100), dtype=torch.uint8)
    for position in (1, MOST_FRAMES):
        cache.put(0, position, frame)
    assert torch.equal(cache.get(0, 1), frame)
    assert all(cache.get(0, position) is None for position in (0, 2, 3, MOST_FRAMES))


def test_an_unreadable_first_frame_fails_only_when_it_is_drawn(seconds):
    path = seconds.frame_paths(0)[0]
    path.write_bytes(b"no JPEG")
    cache = frame_cache(seconds, 32, "strong", MEMORY)
    assert cache is not None
    with pytest.raises(SampleError, match=path.name):
        epochs(seconds, cache, "strong", 0)


def shared_memory_of_process() -> int:
    """Bytes."""
    return int(re.search(r"RssShmem:\s+(\d+)", Path("/proc/self/status").read_text())[1]) * 1024


@pytest.mark.skipif(not Path("/proc/self/status").exists(), reason="only Linux reports it")
def test_memory_is_taken_only_as_frames_are_put():
    before = shared_memory_of_process()
    cache = FrameCache(1, 3 * 3000 * 3000)
    assert shared_memory_of_process() - before < 1e6
    assert os.fstat(cache._file.fileno()).st_blocks == 0  # nor is any reserved
    cache.put(0, 0, torch.ones(3, 3000, 3000, dtype=torch.uint8))
    assert 26e6 < shared_memory_of_process() - before < 29e6 < cache.num_bytes


def put_in_process(cache: FrameCache) -> None:
    cache.put(1, 2, torch.full((3, 40, 40), 9, dtype=torch.uint8))


@pytest.mark.parametrize(
    "start", ["fork", pytest.param("spawn", marks=pytest.mark.slow), pytest.param("forkserver", marks=pytest.mark.slow)]
)
def test_a_frame_of_another_process_is_here_however_it_is_started(seconds, start):
    if start not in multiprocessing.get_all_start_methods():
        pytest.skip("this system cannot start a process so")
    cache = frame_cache(seconds, 32, "strong", MEMORY)
    process = multiprocessing.get_context(start).Process(target=put_in_process, args=(cache,))
    process.start()
    process.join()
    assert process.exitcode == 0
    assert (cache.get(1, 2) == 9).all() and cache.get(1, 1) is None


@pytest.mark.parametrize(
    ("machine", "shared", "container", "expected"),
    [(8000, 9000, None, 4000), (2**62, 6000, None, 3000), (8000, 9000, "2000\n", 1000), (8000, 9000, "max\n", 4000)],
)
def test_half_of_the_scarcest_memory_is_spent_and_local_processes_share_it(
    monkeypatch, tmp_path, machine, shared, container, expected
):
    module = data.frame_cache
    monkeypatch.setattr(module.psutil, "virtual_memory", lambda: SimpleNamespace(available=machine))
    monkeypatch.setattr(module.shutil, "disk_usage", lambda path: SimpleNamespace(free=shared))
    monkeypatch.setattr(module, "SHARED_MEMORY", tmp_path)
    monkeypatch.setattr(module, "CONTAINER_LIMIT", tmp_path / "memory.max")
    if container:
        (tmp_path / "memory.max").write_text(container)
    monkeypatch.delenv("LOCAL_WORLD_SIZE", raising=False)
    assert memory_to_spend() == expected
    monkeypatch.setenv("LOCAL_WORLD_SIZE", "4")
    assert memory_to_spend() == expected // 4
