"""A training step: in every precision, compiled or not, and as the benchmark takes it apart."""

import copy
import functools
import gc
import json
import multiprocessing
import subprocess
import sys
import weakref
from contextlib import closing
from pathlib import Path

import pytest
import torch

import location_dmc
from benchmarks import loading, training
from benchmarks.peak_memory import peak_of_process
from benchmarks.plain import PlainDMC, PlainTraining
from benchmarks.steps import PARTS, OwnTraining
from data.index import index_seconds
from data.lists import read_list
from models.dmc import DMC
from models.losses import CrossEntropyLoss
from models.matching import pair_distance, squared_distances
from tests.fixtures.sample_set import add_negatives, make_set
from training.micro_batches import step_parts
from training.optim import build_optimizer, build_scaler
from training.options import merge_options

CPU = torch.device("cpu")
ROOT = Path(__file__).resolve().parents[2]


@pytest.fixture(scope="module")
def data_dir(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("set")
    make_set(folder, train=6, val=2, test=2, seconds=2, size=64)
    add_negatives(folder)
    return folder


def own(data_dir: Path, recipe: str, precision: str = "fp32", **others: object) -> OwnTraining:
    given = {"recipe": recipe, "precision": precision, "data_dir": str(data_dir), "v_cluster": 2, "a_cluster": 1}
    sizes = {"image_size": 64, "batch_size": 6, "num_threads": 0, "cache": 0}
    return OwnTraining({**given, **sizes, **others}, CPU)


def gradient(trained: OwnTraining) -> tuple[float, torch.Tensor]:
    """Loss of the first batch, and the gradient of all weights, less the scale that float16 gives it."""
    if trained.scaler.is_enabled():  # from where a training would have come after some steps left out
        trained.scaler.scale(torch.ones(()))
        trained.scaler.update(64.0)
    batch = next(trained.batches)
    loss = trained.criterion(location_dmc.compare(trained.model, batch, trained.options, trained.noise))
    trained.scaler.scale(loss).backward()
    gradients = torch.cat([weight.grad.flatten() for weight in trained.model.parameters()])
    return loss.item(), gradients / (trained.scaler.get_scale() if trained.scaler.is_enabled() else 1)


@pytest.mark.parametrize("recipe", ["original", "improved"])
@pytest.mark.parametrize(("precision", "of_loss", "cosine"), [("bf16", 0.05, 0.9), ("fp16", 0.01, 0.98)])
def test_every_precision_gives_the_loss_and_the_direction_of_float32(data_dir, recipe, precision, of_loss, cosine):
    # Low beta: rounding must not send whole features to another cluster.
    expected_loss, expected = gradient(own(data_dir, recipe, beta=1.0))
    loss, found = gradient(own(data_dir, recipe, precision, beta=1.0))
    assert loss != expected_loss
    assert loss == pytest.approx(expected_loss, rel=of_loss)
    assert torch.nn.functional.cosine_similarity(found, expected, dim=0) > cosine


def test_a_sound_once_through_the_network_gives_loss_gradient_and_statistics_of_one_that_goes_twice(data_dir):
    trained = own(data_dir, "original", beta=1.0)
    twice = copy.deepcopy(trained.model).double()
    once = trained.model.double()
    batch = next(trained.batches)
    batch["spectrogram"] = batch["spectrogram"].double()
    loss = trained.criterion(location_dmc.compare(once, batch, trained.options))
    loss.backward()

    count = len(batch["spectrogram"])
    frames = torch.cat([batch["frame"], batch["negative_frame"]])
    audio, visual = twice(batch["spectrogram"].repeat(2, 1, 1, 1), frames)
    distances = pair_distance(squared_distances(audio, visual), "nearest")
    right, wrong = distances[:count], distances[count:]
    expected = 0.5 * torch.cat([right, (5 - (wrong + 1e-9).sqrt()).clamp(min=0) ** 2]).mean()
    expected.backward()

    assert loss.item() == pytest.approx(expected.item(), rel=1e-10)
    for (name, weight), of_twice in zip(once.named_parameters(), twice.parameters(), strict=True):
        torch.testing.assert_close(weight.grad, of_twice.grad, rtol=1e-6, atol=1e-9, msg=name)
    for (name, kept), of_twice in zip(once.named_buffers(), twice.buffers(), strict=True):
        # Twice as many values have the same mean; n / (n - 1) of their variance differs a little.
        tolerance = 0.01 if name.endswith("running_var") else 1e-10
        torch.testing.assert_close(kept, of_twice, rtol=tolerance, atol=1e-12, msg=name)


def test_parts_of_a_batch_give_the_gradient_of_the_whole_and_one_step_at_their_end(data_dir):
    # Without statistics of a part, and with one wrong picture for each sound, nothing tells parts from the whole.
    trained = own(data_dir, "original", negatives="one")
    model, options, optimizer = trained.model.double().eval(), trained.options, trained.optimizer
    batch = next(trained.batches)
    batch = {name: batch[name] for name in ("spectrogram", "frame", "negative_frame", "video")}
    batch["spectrogram"] = batch["spectrogram"].double()
    sizes = [4, 2]
    cut = [dict(zip(batch, rows, strict=True)) for rows in zip(*(v.split(sizes) for v in batch.values()), strict=True)]
    before = copy.deepcopy(model.state_dict())
    expected_loss = trained.criterion(location_dmc.compare(model, batch, options))
    expected = torch.autograd.grad(expected_loss, list(model.parameters()))

    for weight in model.parameters():
        weight.grad = torch.ones_like(weight)  # of an earlier step
    losses = []
    for number, part in enumerate(step_parts(model, cut, sizes, accumulate=2)):
        assert not optimizer.state  # it has not stepped
        assert all(torch.equal(value, before[name]) for name, value in model.state_dict().items())
        loss, _ = location_dmc.train_step(
            model, trained.criterion, optimizer, trained.scaler, part, options, trained.noise
        )
        losses.append(loss.item() * sizes[number] / 6)
    assert sum(losses) == pytest.approx(expected_loss.item(), rel=1e-10)
    for (name, weight), of_whole in zip(model.named_parameters(), expected, strict=True):
        assert (weight.grad - of_whole).norm() <= 1e-10 * of_whole.norm(), name
        assert not torch.equal(weight, before[name]), name
        assert optimizer.state[weight]["step"] == 1


def test_in_float16_a_step_whose_gradients_overflow_is_left_out_and_the_scale_halved():
    model = torch.nn.Linear(2, 1)
    optimizer = build_optimizer(model.parameters(), merge_options({}, {}))
    scaler = build_scaler(optimizer, torch.float16, CPU)
    before, scale = copy.deepcopy(model.state_dict()), scaler.get_scale()
    assert scale > 1000
    for value, changes in ((torch.inf, False), (1.0, True)):
        optimizer.zero_grad()
        scaler.scale(model(torch.full((1, 2), value)).sum()).backward()
        scaler.step(optimizer)
        scaler.update()
        assert scaler.get_scale() == scale / 2
        assert changes == (not torch.equal(model.weight, before["weight"]))


def test_the_scale_of_float16_is_saved_with_the_optimizer_and_other_precisions_have_none():
    model = torch.nn.Linear(2, 1)
    states = {}
    for precision in (torch.float16, torch.float32):
        optimizer = build_optimizer(model.parameters(), merge_options({}, {}))
        scaler = build_scaler(optimizer, precision, CPU)
        if scaler.is_enabled():
            scaler.scale(torch.ones(()))
            scaler.update(64.0)
        states[precision] = optimizer.state_dict()
    assert "scaler" not in states[torch.float32]
    for saved in states.values():  # a checkpoint of either goes on in either
        for precision in (torch.float16, torch.float32):
            optimizer = build_optimizer(model.parameters(), merge_options({}, {}))
            scaler = build_scaler(optimizer, precision, CPU)
            optimizer.load_state_dict(saved)
            if scaler.is_enabled():
                assert (scaler.get_scale() == 64) == ("scaler" in saved)


@pytest.mark.parametrize(
    "others", [{}, {"padding": "replicate", "visual_layer": "layer3_local", "center_features": True}]
)
def test_a_compiled_network_trains_as_an_uncompiled_one_and_keeps_its_names(monkeypatch, others):
    # Traced and differentiated as always, but no machine code is made of it, which takes a minute and a compiler.
    monkeypatch.setattr(torch, "compile", functools.partial(torch.compile, backend="aot_eager"))
    torch.manual_seed(0)
    plain = DMC(2, 1, **others).train()
    compiled = DMC(2, 1, **others).train()
    compiled.load_state_dict(plain.state_dict())
    compiled.compile_training()
    assert compiled.state_dict().keys() == plain.state_dict().keys()
    sounds, pictures = torch.randn(4, 1, 201, 64), torch.randint(256, (4, 3, 64, 48), dtype=torch.uint8)
    results = []
    for model in (plain, compiled):
        heard, seen = model.listen(sounds).centers, model.see(pictures).centers
        (heard.square().sum() + seen.square().sum()).backward()
        gradients = [network.conv1.weight.grad for network in (model.audio_net, model.visual_net)]
        results.append((heard.detach(), seen.detach(), *gradients))
    for found, expected in zip(results[1], results[0], strict=True):
        torch.testing.assert_close(found, expected, rtol=1e-2, atol=1e-2 * expected.abs().max().item())


def test_weights_lie_as_convolutions_are_fastest_and_are_changed_by_one_kernel(data_dir):
    trained = own(data_dir, "improved")
    weights = [module.weight for module in trained.model.modules() if isinstance(module, torch.nn.Conv2d)]
    assert weights and all(weight.is_contiguous(memory_format=torch.channels_last) for weight in weights)
    assert trained.optimizer.defaults["fused"]
    seen = []
    trained.model.visual_net.layer1.register_forward_hook(lambda *arguments: seen.append(arguments[2]))
    trained.step()
    assert seen[0].is_contiguous(memory_format=torch.channels_last) and not seen[0].is_contiguous()


@pytest.mark.parametrize("device", ["cpu", "cuda"])
def test_batches_for_a_gpu_lie_in_pinned_memory_and_their_colours_are_left_to_it(data_dir, device):
    options = merge_options({"data_dir": str(data_dir), "batch_size": 6, "cache": 0}, {})
    loader = location_dmc.build_pair_loader(options, "train", torch.device(device)).loader
    assert loader.pin_memory == loader.dataset.jitter_later == (device == "cuda")
    assert location_dmc.build_test_loader(options, torch.device(device)).loader.pin_memory == (device == "cuda")


def test_accumulate_bounds_what_is_computed_at_a_time_in_validation_and_evaluation_too(data_dir):
    sizes = {"batch_size": 6, "accumulate": 3, "cache": 0, "num_threads": 0, "image_size": 32}
    options = merge_options({"data_dir": str(data_dir), **sizes}, {})
    pairs = [location_dmc.build_pair_loader(options, name, CPU) for name in ("train", "val")]
    assert [max(len(batch["frame"]) for batch in loader) for loader in pairs] == [2, 2]
    tests = location_dmc.build_test_loader(options, CPU)
    assert {len(batch["keys"]) for batch in tests} == {4}  # of one second, which stays together


@pytest.mark.parametrize("recipe", ["original", "improved"])
def test_a_step_in_parts_is_the_step(data_dir, recipe):
    whole, parts = own(data_dir, recipe), own(data_dir, recipe)
    location_dmc.seed_everything(1)  # of the noise
    whole.step()
    location_dmc.seed_everything(1)
    seconds = parts.step_in_parts()
    assert tuple(seconds) == PARTS and all(value > 0 for value in seconds.values())
    found, expected = (
        torch.cat([weight.grad.flatten() for weight in one.model.parameters()]) for one in (parts, whole)
    )
    assert (found - expected).norm() < 1e-3 * expected.norm()
    changed = own(data_dir, recipe).model.visual_projection.weight - parts.model.visual_projection.weight
    assert (changed != 0).all()  # the weights have moved


def test_the_plain_loop_is_the_original_recipe():
    torch.manual_seed(0)
    ours, plain = DMC(2, 1).double().eval(), PlainDMC(2, 1).double().eval()
    theirs = [*plain.visual_net.state_dict().values(), *plain.audio_net.state_dict().values()]
    own_values = [*ours.visual_net.state_dict().values(), *ours.audio_net.state_dict().values()]
    for target, value in zip(theirs, own_values, strict=True):
        target.copy_(value)
    plain.fc_v.load_state_dict(ours.visual_projection.state_dict())
    plain.fc_a.load_state_dict(ours.audio_projection.state_dict())
    pictures = torch.randint(0, 256, (3, 3, 64, 64), dtype=torch.uint8)
    sounds = torch.randn(3, 1, 201, 64, dtype=torch.float64) * 20
    with torch.no_grad():
        expected = plain(sounds, (pictures / 255 - ours.mean) / ours.std)
        found = pair_distance(squared_distances(ours.listen(sounds).centers, ours.see(pictures).centers))
    torch.testing.assert_close(found, expected, rtol=1e-6, atol=1e-8)


def test_the_plain_loop_trains(data_dir):
    seconds = index_seconds(data_dir, read_list(data_dir / "train.txt"))
    plain = PlainTraining(seconds, 64, 6, 0, CPU)
    before = copy.deepcopy(plain.model.state_dict())
    assert plain.step() > 0
    assert not torch.equal(plain.model.fc_v.weight, before["fc_v.weight"])


@pytest.fixture
def no_collection():
    """Only what nothing refers to any more is freed."""
    gc.collect()
    gc.disable()
    yield
    gc.enable()


@pytest.mark.parametrize("recipe", ["plain", "original", "improved"])
def test_a_closed_training_ends_its_processes_and_is_freed_at_once(data_dir, recipe, no_collection):
    def a_step() -> list[weakref.ref]:
        if recipe == "plain":
            new = PlainTraining(index_seconds(data_dir, read_list(data_dir / "train.txt")), 32, 6, 1, CPU)
        else:
            new = own(data_dir, recipe, image_size=32, num_threads=1)
        with closing(new) as trained:
            trained.step()
            assert len(multiprocessing.active_children()) == 1
        assert multiprocessing.active_children() == []
        return [weakref.ref(part) for part in (trained, trained.model, trained.optimizer)]

    assert [alive() for alive in a_step()] == [None] * 3


def test_of_the_trainings_that_are_timed_nothing_is_left_when_memory_is_measured(data_dir, no_collection):
    small = ["--image_size", "32", "--batch_size", "4", "--steps", "1", "--warm_up", "1", "--num_threads", "1"]
    which = ["--recipes", "improved", "--precisions", "fp32"]
    seconds, parts = training.timed(training.parse(["--data_dir", str(data_dir), *which, *small]))
    assert set(seconds) == {"plain loop", *parts} == {"plain loop", "improved fp32"}
    assert [left for left in gc.get_objects() if type(left) in (OwnTraining, PlainTraining)] == []
    assert multiprocessing.active_children() == []


def test_the_benchmark_of_training_prints_a_table_and_saves_all_figures(data_dir, tmp_path, capsys, monkeypatch):
    monkeypatch.setattr(training, "in_own_process", lambda work, *arguments: work(*arguments))  # takes long to start
    small = ["--image_size", "32", "--batch_size", "4", "--steps", "2", "--warm_up", "1", "--num_threads", "1"]
    arguments = ["--recipes", "improved", "--precisions", "fp32", "--json", str(tmp_path / "out.json")]
    assert training.main(["--data_dir", str(data_dir), *small, *arguments]) == 0
    results = json.loads((tmp_path / "out.json").read_text())
    assert results["seconds"].keys() == {"plain loop", "improved fp32"} == results["peak_memory"].keys()
    assert all(len(times) == 2 for times in results["all_seconds"].values())
    assert results["parts"].keys() == {"improved fp32"}
    assert results["machine"]["cores"] >= 1 and results["date"]
    table = [line for line in capsys.readouterr().out.splitlines() if line.startswith("|")]
    cells = [cell.strip() for cell in table[-1].split("|")[1:-1]]
    ratio = results["seconds"]["plain loop"] / results["seconds"]["improved fp32"]
    assert cells[0] == "improved fp32" and float(cells[2]) == pytest.approx(ratio, abs=0.051)
    assert sum(float(cell.rstrip("%")) for cell in cells[4:]) == pytest.approx(100, abs=0.5)


def test_the_benchmark_of_loading_times_each_number_of_workers_with_and_without_cache(data_dir, tmp_path, capsys):
    arguments = ["--workers", "0", "1", "--recipes", "original", "--epochs", "1", "--image_size", "32"]
    out = tmp_path / "out.json"
    assert loading.main(["--data_dir", str(data_dir), *arguments, "--batch_size", "4", "--json", str(out)]) == 0
    found = json.loads(out.read_text())["samples_per_second"]
    assert [(entry["workers"], entry["cache"]) for entry in found] == [(0, False), (0, True), (1, False), (1, True)]
    assert all(entry["samples_per_second"] > 0 for entry in found)
    assert capsys.readouterr().out.count("| original") == 4


@pytest.mark.skipif(not Path("/proc/self/status").exists(), reason="Linux tells it there")
def test_the_peak_memory_is_that_of_the_process_itself_not_of_the_one_that_started_it():
    block = torch.ones(3_000_000_000, dtype=torch.uint8)
    code = "from benchmarks.peak_memory import peak_of_process; print(peak_of_process())"
    done = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=True)
    assert 10e6 < int(done.stdout) < 2e9 < len(block) < peak_of_process()


@pytest.mark.parametrize("program", [training, loading])
def test_a_benchmark_without_a_data_set_says_so(program, tmp_path, capsys):
    assert program.main(["--data_dir", str(tmp_path / "absent")]) == 1
    assert "absent" in capsys.readouterr().err


def test_losses_are_averaged_over_sounds_whatever_the_batches():
    average = location_dmc.Average()
    distances = location_dmc.compare_in_batch
    torch.manual_seed(0)
    expected = []
    for count in (5, 3):
        pairs = distances(torch.randn(count, 1, 4), torch.randn(count, 2, 4), torch.arange(count), "nearest")
        loss = CrossEntropyLoss()(pairs)
        average.add(loss, pairs)
        expected.append((loss.item(), pairs.accuracy().item(), count))
    assert average.loss == pytest.approx(sum(loss * n for loss, _, n in expected) / 8, rel=1e-6)
    assert average.accuracy == pytest.approx(sum(accuracy * n for _, accuracy, n in expected) / 8, rel=1e-6)
