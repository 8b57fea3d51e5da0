"""Frames kept in memory: the same samples as without, read once, and no more memory than there is."""

import multiprocessing
import os
import re
from argparse import Namespace
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

import data.dataset
import data.memory
import location_dmc
from common.errors import SampleError
from data.dataset import PairDataset, pair_loader
from data.frame_cache import MOST_FRAMES, FrameCache, frame_cache
from data.index import SecondIndex, index_seconds
from data.shared_zeros import SharedZeros
from data.transforms import AUGMENTATIONS, before_chance, load_frame
from location_dmc import build_cache
from tests.fixtures.sample_set import add_video, make_set
from training.options import merge_options

NAMES = ["a", "b"]


@pytest.fixture
def seconds(tmp_path: Path) -> SecondIndex:
    add_video(tmp_path, "a", kind=0, size=40)
    add_video(tmp_path, "b", kind=1, size=60, frames=5)
    return index_seconds(tmp_path, NAMES)


def epochs(
    seconds: SecondIndex, cache: FrameCache | None, augmentation: str | None, workers: int
) -> list[torch.Tensor]:
    dataset = PairDataset(seconds, 32, 5, augmentation, cache=cache)
    loader = pair_loader(dataset, 3, workers, shuffle=True)
    found = []
    for epoch in range(1, 9):
        loader.sampler.set_epoch(epoch)
        found += [picture for batch in loader for picture in (batch["frame"], batch["other_frame"])]
    return found


@pytest.mark.parametrize("workers", [0, 2])
@pytest.mark.parametrize("augmentation", [*AUGMENTATIONS, None])
def test_samples_are_the_same_with_it_and_without(seconds, augmentation, workers):
    cache = frame_cache(seconds, 32, augmentation, 10**7)
    expected = epochs(seconds, None, augmentation, workers)
    assert all(torch.equal(a, b) for a, b in zip(epochs(seconds, cache, augmentation, workers), expected, strict=True))
    kept = [cache.get(second, position) for second in range(len(seconds)) for position in range(MOST_FRAMES)]
    assert sum(picture is not None for picture in kept) > 12  # of 24: also what the workers have read is here


def test_a_frame_is_read_once(seconds, monkeypatch):
    reads: list[Path] = []
    monkeypatch.setattr(data.dataset, "load_frame", lambda path: reads.append(path) or load_frame(path))
    epochs(seconds, frame_cache(seconds, 32, "strong", 10**7), "strong", 0)
    within = [path for path in reads if int(path.stem) % 25 != 24]  # a fifth frame of a second has no room
    assert len(within) == len(set(within)) > 12
    assert len(reads) > len(within)


@pytest.mark.parametrize("augmentation", [*AUGMENTATIONS, None])
def test_the_room_for_a_frame_is_known_without_decoding_it_and_is_what_it_takes(seconds, augmentation, monkeypatch):
    first = seconds.frame_paths(0)[0]
    Image.new("RGB", (50, 30), "red").save(first)  # not square
    with monkeypatch.context() as patched:
        patched.setattr(Image.Image, "convert", lambda *_: pytest.fail("decoded"))
        cache = frame_cache(seconds, 32, augmentation, 10**7)
    picture = before_chance(load_frame(first), 32, augmentation)
    cache.put(0, 0, picture)
    assert torch.equal(cache.get(0, 0), picture)


@pytest.mark.parametrize("augmentation", ["published", None])
def test_where_all_frames_become_of_one_size_no_file_is_opened(seconds, augmentation, monkeypatch):
    monkeypatch.setattr(SecondIndex, "frame_paths", lambda *_: pytest.fail("looked up"))
    assert frame_cache(seconds, 32, augmentation, 10**7).num_bytes > 0


def test_a_frame_of_another_size_than_its_video_is_not_kept(seconds):
    cache = frame_cache(seconds, 32, "strong", 10**7)
    cache.put(0, 1, torch.zeros(3, 50, 30, dtype=torch.uint8))
    assert cache.get(0, 1) is None
    picture = torch.randint(0, 256, (3, 40, 40), dtype=torch.uint8)
    cache.put(0, 1, picture)
    assert torch.equal(cache.get(0, 1), picture)
    assert all(cache.get(0, position) is None for position in (0, 2, 3, MOST_FRAMES))


def test_it_is_refused_where_it_does_not_fit(seconds):
    size = frame_cache(seconds, 32, "strong", 10**7).num_bytes
    assert size == 3 * 4 * 3 * (40 * 40 + 60 * 60)  # seconds, frames, channels, pixels
    assert frame_cache(seconds, 32, "strong", size) is not None
    assert frame_cache(seconds, 32, "strong", size - 1) is None


def test_a_video_whose_first_frame_cannot_be_read_fails_only_when_it_is_wanted(seconds):
    path = seconds.frame_paths(0)[0]
    path.write_bytes(b"no picture")
    cache = frame_cache(seconds, 32, "strong", 10**7)
    assert cache is not None
    with pytest.raises(SampleError, match=path.name):
        epochs(seconds, cache, "strong", 0)


def shared_memory_of_process() -> int:
    """Bytes."""
    return int(re.search(r"RssShmem:\s+(\d+)", Path("/proc/self/status").read_text())[1]) * 1024


@pytest.mark.skipif(not Path("/proc/self/status").exists(), reason="Linux tells it there")
def test_a_cache_takes_memory_only_as_it_is_filled():
    before = shared_memory_of_process()
    cache = FrameCache([(3, 6500, 6500)], np.zeros(1, dtype=np.int32))
    assert cache.num_bytes > 500e6
    assert shared_memory_of_process() - before < 1e6
    assert os.fstat(cache._pixels._file.fileno()).st_blocks == 0  # nor is any reserved
    cache.put(0, 0, torch.ones(3, 6500, 6500, dtype=torch.uint8))
    assert 126e6 < shared_memory_of_process() - before < 128e6


def write_to(zeros: SharedZeros, cache: FrameCache) -> None:
    """What the other process of the next test does."""
    zeros.bytes[3] += 5
    cache.put(1, 2, torch.full((3, 40, 40), 9, dtype=torch.uint8))


@pytest.mark.parametrize("start", [way for way in ("fork", "spawn") if way in multiprocessing.get_all_start_methods()])
def test_what_another_process_writes_is_here_however_it_is_started(seconds, start):
    zeros, cache = SharedZeros(8), frame_cache(seconds, 32, "strong", 10**7)
    zeros.bytes[3] = 2
    process = multiprocessing.get_context(start).Process(target=write_to, args=(zeros, cache))
    process.start()
    process.join()
    assert process.exitcode == 0
    assert zeros.bytes.tolist() == [0, 0, 0, 7, 0, 0, 0, 0]
    assert (cache.get(1, 2) == 9).all() and cache.get(1, 1) is None


def test_no_frames_take_no_memory():
    assert len(SharedZeros(0).bytes) == 0


def test_what_the_train_frames_will_take_is_not_free_for_those_to_validate_on(seconds, monkeypatch, capsys):
    options = Namespace(cache=1, image_size=32)
    size = frame_cache(seconds, 32, None, 10**7).num_bytes
    monkeypatch.setattr(location_dmc, "memory_to_spend", lambda: size + 1000)
    for promised, fits in ((0, True), (1000, True), (1001, False), (10**9, False)):
        assert (location_dmc.build_cache(options, seconds, None, "val", promised) is not None) == fits
    assert capsys.readouterr().out.count("do not fit") == 2


def test_the_validation_loader_is_told_what_the_training_loader_will_take(tmp_path, monkeypatch):
    make_set(tmp_path, train=2, val=2, test=1)
    promised = []
    monkeypatch.setattr(location_dmc, "build_cache", lambda *given: promised.append(given[-1]) or build_cache(*given))
    options = merge_options({"data_dir": str(tmp_path), "image_size": 32, "num_threads": 0}, {})
    training, _ = location_dmc.build_pair_loaders(options, torch.device("cpu"))
    assert promised == [0, training.loader.dataset.cache.num_bytes]
    promised.clear()
    options.cache = 0
    location_dmc.build_pair_loaders(options, torch.device("cpu"))
    assert promised == [0, 0]


def test_half_of_what_is_free_is_spent_and_processes_share_it(monkeypatch):
    monkeypatch.setattr(data.memory, "_free_of_machine", lambda: 8000)
    monkeypatch.setattr(data.memory, "_free_of_group", lambda: [3000, 6000])
    monkeypatch.setattr(data.memory, "SHARED_MEMORY", Path("/nowhere"))
    monkeypatch.delenv("LOCAL_WORLD_SIZE", raising=False)
    assert data.memory.memory_to_spend() == 1500
    monkeypatch.setenv("LOCAL_WORLD_SIZE", "3")
    assert data.memory.memory_to_spend() == 500


def test_small_shared_memory_as_in_a_container_limits_it(monkeypatch, tmp_path):
    monkeypatch.setattr(data.memory, "_free_of_machine", lambda: 2**62)
    monkeypatch.setattr(data.memory, "_free_of_group", list)
    monkeypatch.setattr(data.memory, "SHARED_MEMORY", tmp_path)
    monkeypatch.setattr(data.memory.shutil, "disk_usage", lambda path: type("Usage", (), {"free": 64_000_000}))
    monkeypatch.delenv("LOCAL_WORLD_SIZE", raising=False)
    assert data.memory.memory_to_spend() == 32_000_000


def test_the_limits_of_every_control_group_above_a_process_count(tmp_path):
    root = tmp_path / "cgroup"
    job = root / "slurm/job"
    job.mkdir(parents=True)
    table = tmp_path / "table"
    table.write_text("0::/slurm/job\n")
    for group, limit, used in ((job, "max", 5), (root / "slurm", "1000", 400), (root, "5000", 4800)):
        (group / "memory.max").write_text(f"{limit}\n")
        (group / "memory.current").write_text(f"{used}\n")
    assert sorted(data.memory._free_of_group(table, root)) == [200, 600]
    assert data.memory._free_of_group(tmp_path / "absent", root) == []


def test_files_that_a_control_group_has_only_read_do_not_count_as_used(tmp_path):
    table = tmp_path / "table"
    table.write_text("0::/\n")
    for name, content in (
        ("max", "1000"),
        ("current", "900"),
        ("stat", "anon 40\ninactive_anon 7\ninactive_file 600\n"),
    ):
        (tmp_path / f"memory.{name}").write_text(content)
    assert data.memory._free_of_group(table, tmp_path) == [700]


def test_the_machines_free_memory_is_what_linux_calls_available(tmp_path):
    meminfo = tmp_path / "meminfo"
    meminfo.write_text("MemTotal: 100 kB\nMemFree: 3 kB\nMemAvailable:      70 kB\n")
    assert data.memory._free_of_machine(meminfo) == 70 * 1024
    assert np.log10(data.memory._free_of_machine(tmp_path / "absent")) > 8
