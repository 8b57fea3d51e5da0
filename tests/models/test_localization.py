"""Joint clustering: what is matched to a sound is drawn towards it, and lets go of what is unlike it."""

import torch
from torch.nn import functional

from models.clustering import soft_kmeans
from models.dmc import Clusters
from models.joint import SOUND_SHARE, joint_clusters
from models.matching import match_all, squared_distances

BETA = 7.5
# Directions of things in a picture of 4 x 4 places; a bird before the wall is as much like the one as like the trumpet.
WALL, TRUMPET, BIRD, DRUM = functional.normalize(
    torch.tensor([[1.0, 0, 0, 0], [0, 1, 0, 0], [0.7, 0.7, 0.3, 0], [0, 0, 0, 1]]), dim=-1
)
PICTURE = torch.stack([WALL] * 8 + [TRUMPET] * 5 + [BIRD] * 3)


def clusters(vectors: torch.Tensor, count: int) -> Clusters:
    centers, assignment = soft_kmeans(vectors[None], count, BETA, 6, "farthest")
    return Clusters(centers, assignment.unflatten(2, (4, 4)), vectors[None])


def maps(sounds: torch.Tensor, pictures: Clusters) -> torch.Tensor:
    """Those that are matched to the sounds come first, [V, 16]."""
    return pictures.assignment[0, match_all(squared_distances(sounds, pictures.centers))[0]].flatten(1)


def heat(sound: torch.Tensor, pictures: Clusters) -> torch.Tensor:
    """Map of what is matched to the only sound, [16]."""
    return maps(sound, pictures)[0]


def test_what_shares_the_cluster_but_is_unlike_the_sound_begins_to_leave_it():
    sounds, before = TRUMPET[None, None], clusters(PICTURE, 2)
    after = joint_clusters(sounds, before, BETA, 4)
    wall, trumpet, bird = (
        torch.stack([heat(sounds, found)[place] for found in (before, after)]) for place in (0, 8, 13)
    )
    assert bird[0] > 0.8 and bird[1] < bird[0] - 0.1
    assert trumpet.min() > 0.99 and wall.max() < 0.01


def test_no_round_changes_nothing_and_all_rounds_leave_clusters():
    sounds, before = TRUMPET[None, None], clusters(PICTURE, 3)
    assert joint_clusters(sounds, before, BETA, 0) is before
    after = joint_clusters(sounds, before, BETA, 3)
    torch.testing.assert_close(after.assignment.sum(1), torch.ones(1, 4, 4))
    weights = after.assignment.flatten(2) / after.assignment.sum((2, 3))[..., None]
    torch.testing.assert_close(after.centers, weights @ PICTURE)


def test_one_round_by_hand():
    vectors = torch.tensor([[[0.0], [4.0]]])
    before = Clusters(centers=vectors, assignment=torch.tensor([[[[1.0, 0.0]], [[0.0, 1.0]]]]), vectors=vectors)
    after = joint_clusters(torch.tensor([[[9.0]]]), before, 1.0, 1)  # the sound at 9 is matched to the center at 4
    moved = 4 + 5 * SOUND_SHARE
    first = torch.sigmoid(torch.tensor([moved, abs(moved - 4) - 4]))  # of the first cluster, at 0 and at 4
    torch.testing.assert_close(after.assignment[0, 0, 0], first)


def test_each_of_two_sounds_draws_a_cluster_of_its_own():
    picture = torch.stack([WALL] * 6 + [TRUMPET] * 5 + [DRUM] * 5)
    sounds = torch.stack([DRUM, TRUMPET])[None]
    after = joint_clusters(sounds, clusters(picture, 3), BETA, 4)
    drum, trumpet = maps(sounds, after)[:2]
    assert drum[11:].min() > 0.9 and trumpet[6:11].min() > 0.9
    assert drum[:11].max() < 0.1 and trumpet[:6].max() < 0.1 and trumpet[11:].max() < 0.1
