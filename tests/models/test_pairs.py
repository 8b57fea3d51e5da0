"""What is compared, and the losses on it: against loops over pairs in float64, and by hand."""

import itertools
import math

import numpy as np
import pytest
import torch
from scipy.optimize import linear_sum_assignment

from models.losses import LOSSES, ContrastiveLoss, CrossEntropyLoss
from models.matching import MATCHINGS, match_clusters, pair_distance, squared_distances, unmatched
from models.pairs import Comparison, compare_in_batch, compare_with_one

VIDEO = torch.tensor([0, 1, 0, 2, 1])  # two videos have two seconds in the batch


def centers(num_audio: int, num_visual: int = 3, noise: int = 2, seed: int = 0) -> tuple[torch.Tensor, torch.Tensor]:
    """Centres of five sounds, those of noise behind them, and of five pictures, in float64."""
    torch.manual_seed(seed)
    draw = {"dtype": torch.float64}
    audio = torch.randn(5 + noise, num_audio, 4, **draw) * 0.5
    return audio, torch.randn(5, num_visual, 4, **draw) * 0.5


# --- oracles: one pair, one number at a time ----------------------------------------------------------------------


def matched(audio: np.ndarray, visual: np.ndarray, matching: str) -> tuple[float, list[int]]:
    """D^2 of one sound [A, D] and one picture [V, D], and the visual cluster of each sound cluster."""
    costs = np.array([[sum((a[k] - v[k]) ** 2 for k in range(len(a))) for v in visual] for a in audio])
    if matching == "nearest":
        chosen = [int(np.argmin(row)) for row in costs]
    else:
        chosen = [int(column) for column in linear_sum_assignment(costs)[1]]
    return sum(costs[row, column] for row, column in enumerate(chosen)), chosen


def rest(audio: np.ndarray, visual: np.ndarray, matching: str) -> list[float]:
    """Squared distances of a sound's clusters to the clusters of its picture that are matched to none."""
    _, chosen = matched(audio, visual, matching)
    others = [v for v in range(len(visual)) if v not in chosen]
    return [float(((a - visual[v]) ** 2).sum()) for a in audio for v in others]


def cross_entropy_of_loop(audio, visual, video, matching, temperature, background) -> float:
    count, losses = len(visual), []
    for i in range(count):
        right = matched(audio[i], visual[i], matching)[0]
        others = [j for j in range(count) if video[j] != video[i]]
        wrong_pictures = [matched(audio[i], visual[j], matching)[0] for j in others]
        if background:
            wrong_pictures += rest(audio[i], visual[i], matching)
        heard = [*others, *range(count, len(audio))]  # the sounds of nothing are wrong for every picture
        wrong_sounds = [matched(audio[j], visual[i], matching)[0] for j in heard]
        for wrong in (wrong_pictures, wrong_sounds):
            terms = [math.exp(-value / temperature) for value in (right, *wrong)]
            losses.append(-math.log(terms[0] / sum(terms)))
    return sum(losses) / len(losses)


def contrastive_of_loop(audio, visual, video, matching, margin, background) -> float:
    count, right, wrong = len(visual), [], []
    for i in range(count):
        right.append(matched(audio[i], visual[i], matching)[0])
        others = [j for j in range(count) if video[j] != video[i]]
        wrong += [matched(audio[i], visual[j], matching)[0] for j in others]
        wrong += [matched(audio[j], visual[i], matching)[0] for j in (*others, *range(count, len(audio)))]
        if background:
            wrong += rest(audio[i], visual[i], matching)
    shortfalls = [max(0.0, margin - math.sqrt(value + 1e-9)) ** 2 for value in wrong]
    return 0.5 * (sum(right) / len(right) + sum(shortfalls) / len(shortfalls)) / 2


# --- the whole batch ----------------------------------------------------------------------------------------------


@pytest.mark.parametrize("background", [False, True])
@pytest.mark.parametrize("noise", [0, 2])
@pytest.mark.parametrize("matching", MATCHINGS)
@pytest.mark.parametrize("num_audio", [1, 2])
def test_losses_of_a_batch_are_those_of_a_loop_over_its_pairs(num_audio, matching, noise, background):
    audio, visual = centers(num_audio, noise=noise)
    pairs = compare_in_batch(audio, visual, VIDEO, matching)
    arrays = audio.numpy(), visual.numpy(), VIDEO.tolist(), matching
    expected = cross_entropy_of_loop(*arrays, 0.3, background)
    assert CrossEntropyLoss(0.3, background)(pairs).item() == pytest.approx(expected, rel=1e-9)
    expected = contrastive_of_loop(*arrays, 2.0, background)
    assert ContrastiveLoss(2.0, background)(pairs).item() == pytest.approx(expected, rel=1e-9)


@pytest.mark.parametrize("matching", MATCHINGS)
def test_a_picture_of_another_video_is_compared_as_in_a_loop(matching):
    audio, visual = centers(2)
    other = torch.randn(5, 3, 4, dtype=torch.float64)
    pairs = compare_with_one(audio, visual, other, matching)
    for i in range(5):
        assert pairs.right[i].item() == pytest.approx(matched(audio[i].numpy(), visual[i].numpy(), matching)[0])
        expected = matched(audio[i].numpy(), other[i].numpy(), matching)[0]
        assert pairs.wrong_pictures[i].tolist() == pytest.approx([expected])
        expected = [matched(audio[j].numpy(), visual[i].numpy(), matching)[0] for j in (5, 6)]
        assert pairs.wrong_sounds[i].tolist() == pytest.approx(expected)
        finite = pairs.background[i][pairs.background[i].isfinite()]
        assert finite.tolist() == pytest.approx(rest(audio[i].numpy(), visual[i].numpy(), matching))


def test_other_seconds_of_the_same_video_are_compared_in_neither_direction():
    pairs = compare_in_batch(*centers(1, noise=2), VIDEO, "nearest")
    same = VIDEO[:, None] == VIDEO[None]
    assert torch.equal(pairs.wrong_pictures.isinf(), same)
    assert torch.equal(pairs.wrong_sounds.isinf(), torch.cat([same, torch.zeros(5, 2, dtype=torch.bool)], 1))
    assert pairs.wrong_sounds[0, 1] == pairs.wrong_pictures[1, 0]  # sound 1 with picture 0


def test_accuracy_counts_only_what_is_compared():
    inf = math.inf
    wrong = torch.tensor([[inf, 5.0, 0.5], [2.0, inf, inf]])
    pairs = Comparison(torch.tensor([1.0, 1.0]), wrong, wrong, wrong)
    assert pairs.accuracy().item() == pytest.approx(2 / 3)


@pytest.mark.parametrize("matching", MATCHINGS)
@pytest.mark.parametrize("num_audio", [1, 2])
def test_the_sounds_most_like_one_are_skipped_in_both_directions_and_still_count_for_accuracy(num_audio, matching):
    audio, visual = centers(num_audio)
    video = torch.tensor([0, 1, 0, 2, 3])
    pairs = compare_in_batch(audio, visual, video, matching, skip_alike=0.2)  # one of five
    expected = np.zeros((5, 5), bool)
    for i in range(5):
        others = [j for j in range(5) if video[j] != video[i]]
        j = min(others, key=lambda j: matched(audio[i].numpy(), audio[j].numpy(), matching)[0])
        expected[i, j] = True
    if matching == "one_to_one" or num_audio == 1:  # else how alike they are depends on which of them is asked
        expected |= expected.T
        assert torch.equal(pairs.skipped.isfinite(), torch.from_numpy(expected))
    whole = compare_in_batch(audio, visual, video, matching)
    skipped = pairs.skipped.isfinite()
    assert torch.equal(skipped, skipped.T) and 5 <= skipped.sum() <= 10
    assert torch.equal(pairs.wrong_pictures, whole.wrong_pictures.masked_fill(skipped, torch.inf))
    assert torch.equal(pairs.wrong_sounds[:, :5], whole.wrong_sounds[:, :5].masked_fill(skipped, torch.inf))
    assert torch.equal(pairs.wrong_sounds[:, 5:], whole.wrong_sounds[:, 5:])  # noise is like nothing
    assert torch.equal(pairs.all_wrong_pictures, whole.wrong_pictures) and pairs.accuracy() == whole.accuracy()


@pytest.mark.parametrize("background", [False, True])
@pytest.mark.parametrize("loss", [ContrastiveLoss, CrossEntropyLoss])
def test_what_is_not_compared_gives_no_gradient_and_no_nan(loss, background):
    audio, visual = (value.float().requires_grad_() for value in centers(1))
    loss(background=background)(compare_in_batch(audio, visual, VIDEO, "nearest")).backward()
    assert audio.grad.isfinite().all() and visual.grad.isfinite().all()
    assert audio.grad.abs().amax((1, 2)).min() > 0  # every sound, those of nothing too, learns


@pytest.mark.parametrize("loss", [ContrastiveLoss, CrossEntropyLoss])
def test_a_batch_of_a_single_video_has_a_finite_loss(loss):
    # As the last batch of the validation list may be: there is nothing to tell it from.
    audio, visual = centers(1, noise=0)
    pairs = compare_in_batch(audio.requires_grad_(), visual, torch.zeros(5, dtype=torch.int64), "nearest")
    value = loss()(pairs)
    value.backward()
    assert value.isfinite() and audio.grad.isfinite().all()


def test_centres_that_coincide_have_a_finite_gradient():
    audio = torch.ones(4, 1, 3, requires_grad=True)
    visual = torch.ones(4, 2, 3)
    for loss in (ContrastiveLoss(background=True), CrossEntropyLoss(background=True)):
        loss(compare_in_batch(audio, visual, torch.arange(4), "nearest")).backward()
    assert audio.grad.isfinite().all()


@pytest.mark.parametrize("matching", MATCHINGS)
@pytest.mark.parametrize("loss", [ContrastiveLoss(2.0, True), CrossEntropyLoss(0.3, True)])
def test_gradcheck_of_a_whole_batch(loss, matching):
    audio, visual = (value[:, :, :3].clone() for value in centers(2, noise=1))

    def value(sounds: torch.Tensor, pictures: torch.Tensor) -> torch.Tensor:
        return loss(compare_in_batch(sounds, pictures, VIDEO, matching))

    assert torch.autograd.gradcheck(value, (audio.requires_grad_(), visual.requires_grad_()))


# --- contrastive --------------------------------------------------------------------------------------------------


def one_wrong(right: list[float], wrong: list[float]) -> Comparison:
    """One wrong picture a sound, no noise, as published."""
    wrong_pictures = torch.tensor(wrong, dtype=torch.float64)[:, None]
    nothing = wrong_pictures[:, :0]
    return Comparison(torch.tensor(right, dtype=torch.float64), wrong_pictures, nothing, nothing)


@pytest.mark.parametrize("matching", MATCHINGS)
@pytest.mark.parametrize("loss", [ContrastiveLoss(background=True), CrossEntropyLoss(background=True)])
def test_nothing_looks_into_values_for_which_a_gpu_would_have_to_be_waited_for(loss, matching):
    centers = [torch.empty(count, clusters, 8, device="meta") for count, clusters in ((7, 2), (5, 3), (5, 3))]
    video = torch.empty(5, dtype=torch.int64, device="meta")  # has no values: looking into them is an error
    for pairs in (compare_in_batch(*centers[:2], video, matching, 0.3), compare_with_one(*centers, matching)):
        assert loss(pairs).shape == pairs.accuracy().shape == ()


def test_matching_one_to_one_can_be_trained_with_after_it_was_first_used_in_inference():
    between = torch.rand(4, 2, 5, requires_grad=True)
    with torch.inference_mode():
        pair_distance(between, "one_to_one")
    pair_distance(between, "one_to_one").sum().backward()
    assert between.grad.sum() == 4 * 2


def test_the_contrastive_loss_by_hand():
    expected = (0.5 * 4 + 0 + 0.5 * (5 - 3) ** 2 + 0) / 4  # D = 2, 0 of right pairs and 3, 10 of wrong ones
    assert ContrastiveLoss()(one_wrong([4, 0], [9, 100])).item() == pytest.approx(expected, rel=1e-6)


def test_with_one_wrong_picture_it_is_the_published_mean_over_all_2b_pairs():
    rng = np.random.default_rng(0)
    right, wrong = rng.uniform(0, 40, 7), rng.uniform(0, 40, 7)
    pairs = [(value, 1) for value in right] + [(value, 0) for value in wrong]
    terms = [0.5 * (y * d + (1 - y) * max(0, 5 - math.sqrt(d + 1e-9)) ** 2) for d, y in pairs]
    found = ContrastiveLoss()(one_wrong(right.tolist(), wrong.tolist()))
    assert found.item() == pytest.approx(sum(terms) / 14, rel=1e-12)


def test_right_and_wrong_pairs_weigh_the_same_however_many_wrong_ones_there_are():
    right = torch.tensor([4.0, 4.0, 4.0])
    few, many = torch.full((3, 1), 9.0), torch.full((3, 50), 9.0)
    few, many = (ContrastiveLoss()(Comparison(right, wrong, wrong, wrong[:, :0])) for wrong in (few, many))
    assert few.item() == pytest.approx(0.5 * (4 + (5 - 3) ** 2) / 2) and many.item() == pytest.approx(few.item())


def test_the_contrastive_gradient_is_finite_at_distance_0_and_pushes_apart():
    wrong = torch.zeros(2, 1, requires_grad=True)
    ContrastiveLoss()(Comparison(torch.zeros(2), wrong, wrong[:, :0], wrong[:, :0])).backward()
    assert wrong.grad.isfinite().all() and (wrong.grad < 0).all()


def test_the_margin_is_an_option():
    loss = ContrastiveLoss(margin=1.0)(one_wrong([0.0], [0.25]))
    assert loss.item() == pytest.approx(0.5 * (1 - math.sqrt(0.25 + 1e-9)) ** 2 / 2)


def test_the_background_counts_only_where_it_is_asked_for():
    pairs = one_wrong([1.0], [4.0])._replace(background=torch.tensor([[0.5, math.inf]], dtype=torch.float64))
    for loss in (ContrastiveLoss, CrossEntropyLoss):
        assert loss()(pairs) == loss()(pairs._replace(background=torch.zeros(1, 2, dtype=torch.float64)))
        assert loss(background=True)(pairs) > loss()(pairs)


def test_all_losses_that_can_be_named_are_tested_here():
    assert set(LOSSES) == {"contrastive", "cross_entropy"}


# --- matching -----------------------------------------------------------------------------------------------------


def test_a_pairs_distance_is_that_of_each_sound_cluster_to_the_nearest_visual_one():
    rng = np.random.default_rng(0)
    audio, visual = rng.normal(size=(3, 2, 4)), rng.normal(size=(3, 5, 4))
    expected = [sum(min(((a - v) ** 2).sum() for v in visual[b]) for a in audio[b]) for b in range(3)]
    between = squared_distances(torch.tensor(audio), torch.tensor(visual))
    assert between.shape == (3, 2, 5)
    np.testing.assert_allclose(pair_distance(between), expected)


@pytest.mark.parametrize(("num_audio", "num_visual"), [(1, 1), (1, 4), (2, 2), (2, 3), (3, 4), (4, 4)])
def test_one_to_one_is_scipys_linear_sum_assignment_and_unmatched_is_what_it_leaves(num_audio, num_visual):
    between = torch.rand(6, 7, num_audio, num_visual, dtype=torch.float64)
    distance = pair_distance(between, "one_to_one")
    assert distance.shape == (6, 7)
    for i, j in itertools.product(range(6), range(7)):
        rows, columns = linear_sum_assignment(between[i, j])
        assert distance[i, j].item() == pytest.approx(between[i, j].numpy()[rows, columns].sum())
        left = unmatched(between[i], "one_to_one")[j].nonzero().flatten().tolist()
        assert left == sorted(set(range(num_visual)) - set(columns.tolist()))
        # The same clusters that the evaluation chooses of these distances.
        assert match_clusters(between[i, j])[:num_audio].tolist() == columns.tolist()


def test_two_sounds_of_the_same_centre_share_a_cluster_unless_matched_one_to_one():
    between = torch.tensor([[[0.1, 0.7, 2.0], [0.1, 0.7, 2.0]]])
    assert pair_distance(between, "nearest").item() == pytest.approx(0.2)
    assert unmatched(between, "nearest").tolist() == [[False, True, True]]
    assert pair_distance(between, "one_to_one").item() == pytest.approx(0.8)
    assert unmatched(between, "one_to_one").tolist() == [[False, False, True]]


def test_unmatched_clusters_of_the_nearest_are_those_that_are_nearest_to_none():
    between = torch.rand(20, 2, 4)
    for pair, found in zip(between, unmatched(between, "nearest"), strict=True):
        assert found.tolist() == [column not in pair.argmin(1).tolist() for column in range(4)]


def test_one_sound_gets_the_nearest_cluster_and_the_others_follow_by_distance():
    assert match_clusters(torch.tensor([[3.0, 1.0, 2.0, 0.5]])).tolist() == [3, 1, 2, 0]


def test_several_sounds_get_one_cluster_each_with_the_smallest_sum():
    for seed in range(20):
        distances = np.random.default_rng(seed).uniform(0, 1, (2, 4))
        best = min(itertools.permutations(range(4), 2), key=lambda pair: distances[0, pair[0]] + distances[1, pair[1]])
        order = match_clusters(torch.tensor(distances)).tolist()
        assert tuple(order[:2]) == best
        others = sorted(set(range(4)) - set(best), key=lambda column: distances[:, column].min())
        assert order[2:] == others


def test_both_sounds_nearest_to_one_cluster_do_not_share_it():
    assert match_clusters(torch.tensor([[0.1, 1.0], [0.2, 5.0]])).tolist() == [1, 0]  # 1.0 + 0.2 < 0.1 + 5.0
