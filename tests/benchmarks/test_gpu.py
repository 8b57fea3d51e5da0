"""The benchmark of a GPU, as far as a CPU can tell: its figures, the search for the largest batch, what it says."""

import argparse
import json
import multiprocessing
import os
from contextlib import closing
from pathlib import Path

import pytest
import torch

from benchmarks import gpu
from benchmarks.linked_set import temporary_set
from common.errors import UserError
from data.index import index_seconds
from data.lists import read_list, write_list
from tests.fixtures.sample_set import add_negatives, make_set
from training.device import OnDevice

SMALL = "--device cpu --image_size 32 --batch_size 4 --steps 1 --num_threads 1 --repeats 1".split()


@pytest.fixture
def options(tmp_path) -> argparse.Namespace:
    make_set(tmp_path / "set", train=4, val=2, test=2, seconds=2)
    add_negatives(tmp_path / "set")
    return gpu.parse([*SMALL, "--data_dir", str(tmp_path / "set"), "--out", str(tmp_path / "out")])


@pytest.fixture
def in_this_process(monkeypatch):
    """A new one takes seconds to start."""
    monkeypatch.setattr(gpu, "in_own_process", lambda work, *arguments: work(*arguments))


@pytest.mark.parametrize(("processes", "before", "steps"), [(1, 3, 20), (2, 4, 20), (16, 32, 128)])
def test_what_is_loaded_ahead_goes_by_before_several_times_as_many_steps_are_timed(processes, before, steps):
    options = gpu.parse(["--num_threads", str(processes)])
    assert (gpu.warm_up(options), options.steps) == (before, steps)
    assert gpu.parse(["--num_threads", str(processes), "--steps", "7"]).steps == 7


@pytest.mark.parametrize("error", [torch.OutOfMemoryError(), RuntimeError("CUBLAS_STATUS_ALLOC_FAILED\nmore")])
def test_the_largest_batch_is_the_last_one_that_fits_and_it_says_what_ended_the_search(
    options, monkeypatch, capsys, error
):
    tried = []

    def step(recipe: str, size: int, _: argparse.Namespace) -> None:
        tried.append(size)
        if size > 100:
            raise error

    monkeypatch.setattr(gpu, "one_step_of", step)
    assert gpu.largest_batch("original", options) == 64
    assert tried == [16, 32, 64, 128]
    reason = (str(error) or type(error).__name__).split("\n")[0]
    assert capsys.readouterr().out == f"original: a batch of 128 does not fit: {reason}\n"
    options.most_batch = 32
    assert gpu.largest_batch("original", options) == 32


@pytest.mark.parametrize("recipe", ["original", "improved"])
def test_a_batch_of_made_up_samples_can_be_trained_on(options, recipe):
    gpu.one_step_of(recipe, 16, options)
    assert multiprocessing.active_children() == []


@pytest.mark.parametrize("recipe", ["original", "improved"])
def test_the_networks_alone_are_given_what_training_gives_them(options, recipe):
    training = gpu.own_training(recipe, 4, gpu.with_options(options, num_threads=0))
    seen: dict[str, list[torch.Size]] = {"step": [], "alone": []}
    for net in (training.model.visual_net, training.model.audio_net):
        net.register_forward_pre_hook(lambda _, inputs: seen[now].append(inputs[0].shape[1:]))
    now = "step"
    training.step()
    now = "alone"
    gpu.seconds_of_networks(training, 1)
    assert set(seen["alone"]) == set(seen["step"]) and len(set(seen["step"])) == 2
    assert training.model.visual_net.conv1.weight.grad.abs().sum() > 0


class FakeTime:
    """A clock, a training whose steps take a second, a profiler that takes minutes to set up and to read."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.now, self.events, self.device = 0.0, [], torch.device("cpu")
        monkeypatch.setattr(gpu.time, "perf_counter", lambda: self.happens("clock"))
        monkeypatch.setattr(gpu, "synchronize", lambda _: self.happens("synchronize", 0.5))
        monkeypatch.setattr(gpu, "profile", lambda **_: self)
        monkeypatch.setattr(gpu, "device_seconds", lambda _: 2.0)

    def happens(self, event: str, seconds: float = 0.0) -> float:
        self.now += seconds
        self.events.append(event)
        return self.now

    def __enter__(self) -> "FakeTime":
        self.happens("set up", 100)
        self.step = lambda: self.happens("step", 1)  # of the training and of the profile
        return self

    def __exit__(self, *_: object) -> None:
        self.happens("read", 100)

    def key_averages(self) -> None:
        self.happens("read", 100)


def test_the_clock_of_the_busy_share_runs_from_an_idle_gpu_to_an_idle_one_inside_the_profile(monkeypatch):
    fake = FakeTime(monkeypatch)
    assert gpu.busy_share(fake, steps=4, before=2) == 2.0 / 4.5
    timed = ["synchronize", "clock", *["step"] * 4, "synchronize", "clock"]
    assert fake.events == ["set up", *["step"] * 4, *timed, "read", "read"]


def test_a_real_profile_has_the_timed_steps_and_none_of_those_before(monkeypatch):
    class Training:
        device = torch.device("cpu")
        done = 0

        def step(self) -> None:
            self.done += 1
            (torch.neg if self.done > 3 else torch.sin)(torch.ones(2))

    counts = {}

    def read(events) -> float:
        counts.update({event.key: event.count for event in events})
        return 0.0

    monkeypatch.setattr(gpu, "device_seconds", read)
    assert gpu.busy_share(Training(), steps=5, before=3) == 0
    assert counts["aten::neg"] == 5 and "aten::sin" not in counts


@pytest.mark.parametrize(("batches_missing", "epochs"), [(0, [1]), (3, [1, 2])])  # 2 are loaded ahead at the end
def test_a_run_ends_within_the_first_epoch_of_its_linked_set(options, batches_missing, epochs, monkeypatch):
    begun, set_epoch = [], OnDevice.set_epoch
    monkeypatch.setattr(OnDevice, "set_epoch", lambda loader, epoch: (begun.append(epoch), set_epoch(loader, epoch)))
    with temporary_set(options.data_dir, gpu.seconds_of_media(options) - 4 * batches_missing) as (folder, written):
        write_list(folder / "train.txt", list(written))
        gpu.figures_of("improved", gpu.with_options(options, data_dir=folder))
    assert begun == epochs
    assert multiprocessing.active_children() == []


def test_frames_are_read_anew_each_time(options):
    with closing(gpu.own_training("improved", 4, options)) as training:
        assert training.loader.loader.dataset.cache is None


def test_runs_are_processes_of_their_own_in_turns_on_a_linked_set(options, monkeypatch):
    before, runs = sorted(os.listdir(options.data_dir)), []

    def in_own_process(work, name: str, given: argparse.Namespace) -> dict[str, float]:
        assert work is gpu.figures_of
        training = index_seconds(given.data_dir, read_list(given.data_dir / "train.txt"))
        assert len(training) == gpu.seconds_of_media(options)
        runs.append(name)
        values = {"plain loop": [1, 4, 2], "original": [6, 6, 6], "improved": [9, 8, 1]}[name]
        value = values[runs.count(name) - 1]
        return {"samples_per_second": float(value), "peak_gigabytes": float(value)}

    monkeypatch.setattr(gpu, "in_own_process", in_own_process)
    found = gpu.measure(gpu.with_options(options, repeats=3))
    assert "".join(name[0] for name in runs) == "poioipipo"
    assert [found[name]["times_plain"] for name in found] == [1.0, 3.0, 4.0]
    assert [found[name]["peak_gigabytes"] for name in found] == [4.0, 6.0, 9.0]
    assert sorted(os.listdir(options.data_dir)) == before


def test_the_links_are_removed_where_a_run_fails(options, monkeypatch):
    def fails(*_: object) -> None:
        raise UserError("no memory")

    before = sorted(os.listdir(options.data_dir))
    monkeypatch.setattr(gpu, "in_own_process", fails)
    with pytest.raises(UserError, match="no memory"):
        gpu.measure(options)
    assert sorted(os.listdir(options.data_dir)) == before


def test_the_gpu_is_busy_with_each_kernel_once():
    def event(device: str, microseconds: float, annotation: bool = False, key: str = "add") -> argparse.Namespace:
        device_type = getattr(torch.autograd.DeviceType, device)
        return argparse.Namespace(
            device_type=device_type, self_device_time_total=microseconds, is_user_annotation=annotation, key=key
        )

    operators = [event("CPU", 3e6), event("CPU", 1e6)]
    kernels = [event("CUDA", 3e6), event("CUDA", 1e6)]
    kernels.append(event("CUDA", 5e6, key="Memcpy DtoD (Device -> Device)"))
    copies = [
        event("CUDA", 7e6, key=f"Memcpy {way}") for way in ("HtoD (Pageable -> Device)", "DtoH (Device -> Pageable)")
    ]
    assert gpu.device_seconds([*operators, *kernels, *copies, event("CUDA", 9e6, annotation=True)]) == 9.0


def test_all_programs_are_given_the_device_and_the_processes_that_load(options, monkeypatch):
    given = []

    def run_program(_: str, arguments: list[object], log: Path) -> None:
        given.append(arguments)
        (options.out / "improved").mkdir(parents=True, exist_ok=True)
        (options.out / "improved/log.csv").write_text("epoch,seconds\n1,60\n")

    (options.data_dir / "boxes.json").write_text("{}")
    monkeypatch.setattr(gpu, "run_program", run_program)
    monkeypatch.setattr(gpu, "read_annotations", lambda _: None)
    monkeypatch.setattr(gpu, "read_run", lambda _: argparse.Namespace(maps=None))
    monkeypatch.setattr(gpu, "score_run", lambda *_: None)
    monkeypatch.setattr(gpu, "summary", lambda _: {"iou_at_0.5": 0.7})
    assert gpu.time_to_iou(options)["minutes"] == 1.0
    assert len(given) == 2
    for arguments in given:
        assert arguments[arguments.index("--num_threads") + 1] == 1
        assert arguments[arguments.index("--device") + 1] == "cpu"


def test_its_figures_are_printed_and_saved(options, in_this_process, monkeypatch, capsys):
    monkeypatch.setattr(gpu, "largest_batch", lambda *_: 64)
    monkeypatch.setattr(gpu, "time_to_iou", lambda _: {"minutes": 1.5, "epochs": []})
    gpu.benchmark(options)
    results = json.loads(options.json.read_text())
    for name, found in results["steps"].items():
        assert found["samples_per_second"] > 0 and found["times_plain"] > 0 and found["busy"] == 0, name
        assert 0.1 < found["peak_gigabytes"] < 10 and len(found["runs"]) == 1, name
    assert results["steps"]["improved"]["times_networks"] > 0
    said = capsys.readouterr().out
    assert "reached after 1.50 minutes" in said and "| improved " in said


def test_without_the_device_it_says_so_at_once(tmp_path, capsys):
    if torch.cuda.is_available():
        pytest.skip("there is a GPU")
    assert gpu.main(["--data_dir", str(tmp_path)]) == 1
    assert "--device cuda" in capsys.readouterr().err
