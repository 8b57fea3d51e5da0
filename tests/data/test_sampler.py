"""An epoch's order depends on the seed and the epoch alone, and processes divide each batch among them."""

import pytest

from data.sampler import Rank, RankSampler, batch_problem, shard


def order_of(epoch: int, shuffle: bool, seed: int = 3) -> list[int]:
    """The order of 50 samples, whose keys all have the same epoch: the chosen one, or 0 in validation."""
    sampler = RankSampler(50, 50, 50, seed, shuffle)
    sampler.set_epoch(epoch)
    epochs, order = zip(*sampler, strict=True)
    assert set(epochs) == {epoch if shuffle else 0}
    assert sorted(order) == list(range(50)) != list(order)
    return order


def test_a_shuffled_epoch_has_each_sample_once_in_an_order_of_its_own():
    assert len({order_of(7, True), order_of(8, True), order_of(7, True, seed=4)}) == 3


def test_validation_has_the_same_random_order_in_all_epochs():  # random, so that a batch holds many videos
    assert order_of(0, False) == order_of(7, False) != order_of(0, False, seed=4)


@pytest.mark.parametrize("length", [1, 11, 12, 13, 24])
@pytest.mark.parametrize("world_size", [1, 2, 3])
def test_the_parts_of_all_processes_are_the_batches_of_a_single_process(length, world_size):
    keys = list(RankSampler(24, 24, length, 3, True))
    samplers = [RankSampler(24, 6, length, 3, True, Rank(number, world_size)) for number in range(world_size)]
    parts = [list(sampler) for sampler in samplers]
    assert {len(part) for part in parts} == {len(sampler) for sampler in samplers} == {len(parts[0])}
    size = 6 // world_size
    for number, count in enumerate(samplers[0].sizes()):
        batch = [key for part in parts for key in part[number * size : (number + 1) * size]]
        assert batch[:count] == keys[number * 6 : (number + 1) * 6]
        assert set(batch[count:]) <= {batch[0]}  # the first key fills up an incomplete batch
    assert sum(samplers[0].sizes()) == length == len(keys)


@pytest.mark.parametrize(("length", "world_size"), [(9, 1), (9, 2), (9, 20), (0, 2)])
def test_shards_are_all_indices_in_order(length, world_size):
    shards = [shard(length, Rank(rank, world_size)) for rank in range(world_size)]
    assert [index for part in shards for index in part] == list(range(length))
    assert max(map(len, shards)) - min(map(len, shards)) <= 1


@pytest.mark.parametrize(
    ("batch_size", "parts", "processes", "problem"),
    [
        (5, 1, 2, "2 processes: give 4 or 6"),
        (3, 4, 1, "--accumulate 4: give 4"),
        (13, 2, 3, "--accumulate 2 times 3 processes: give 12 or 18"),
    ],
)
def test_a_batch_that_cannot_be_divided_names_sizes_that_can(batch_size, parts, processes, problem):
    expected = f"--batch_size {batch_size} (the whole batch) is no multiple of {problem}"
    assert batch_problem(batch_size, parts, processes) == expected
    assert batch_problem(parts * processes * 2, parts, processes) is None
