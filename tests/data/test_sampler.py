"""An epoch's order depends on the seed and the epoch alone, and processes divide each batch among them."""

import pytest

from data.sampler import EpochSampler, Rank, RankSampler, batch_problem, shard


def test_a_shuffled_epoch_has_each_sample_once_in_an_order_of_its_own():
    orders = []
    for epoch in (7, 8):
        sampler = EpochSampler(50, seed=3, shuffle=True)
        sampler.set_epoch(epoch)
        keys = list(sampler)
        assert {key[0] for key in keys} == {epoch}
        orders.append([index for _, index in keys])
        assert sorted(orders[-1]) == list(range(50)) != orders[-1]
    assert orders[0] != orders[1]


def test_validation_has_the_same_random_order_in_all_epochs():
    sampler = EpochSampler(50, seed=3, shuffle=False)
    first = list(sampler)
    sampler.set_epoch(7)
    assert list(sampler) == first and {epoch for epoch, _ in first} == {0}
    order = [index for _, index in first]
    assert sorted(order) == list(range(50)) != order  # so that a batch holds many videos
    assert order != [index for _, index in EpochSampler(50, seed=4, shuffle=False)]


@pytest.mark.parametrize("length", [1, 11, 12, 13, 24])
@pytest.mark.parametrize("world_size", [1, 2, 3])
def test_the_parts_of_all_processes_are_the_batches_of_a_single_process(length, world_size):
    keys = list(EpochSampler(length, 3, True))
    samplers = [RankSampler(EpochSampler(length, 3, True), 6, length, Rank(n, world_size)) for n in range(world_size)]
    parts = [list(sampler) for sampler in samplers]
    assert {len(part) for part in parts} == {len(sampler) for sampler in samplers} == {len(parts[0])}
    size = 6 // world_size
    for number, count in enumerate(samplers[0].sizes()):
        batch = [key for part in parts for key in part[number * size : (number + 1) * size]]
        assert batch[:count] == keys[number * 6 : (number + 1) * 6]
        assert set(batch[count:]) <= {batch[0]}  # the first key fills up an incomplete batch
    assert sum(samplers[0].sizes()) == length


@pytest.mark.parametrize(("length", "world_size"), [(9, 1), (9, 2), (9, 20), (0, 2)])
def test_shards_are_all_indices_in_order(length, world_size):
    shards = [shard(length, Rank(rank, world_size)) for rank in range(world_size)]
    assert [index for part in shards for index in part] == list(range(length))
    assert max(map(len, shards)) - min(map(len, shards)) <= 1


@pytest.mark.parametrize(
    ("batch_size", "parts", "processes", "problem"),
    [
        (12, 2, 3, None),
        (5, 1, 2, "--batch_size 5 (the whole batch) is no multiple of 2 processes: give 4 or 6"),
        (3, 4, 1, "--batch_size 3 (the whole batch) is no multiple of --accumulate 4: give 4"),
        (
            13,
            2,
            3,
            "--batch_size 13 (the whole batch) is no multiple of --accumulate 2 times 3 processes: give 12 or 18",
        ),
    ],
)
def test_a_batch_that_cannot_be_divided_names_sizes_that_can(batch_size, parts, processes, problem):
    assert batch_problem(batch_size, parts, processes) == problem
