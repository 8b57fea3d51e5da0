"""Draws a picture's clusters towards the sounds that they are matched to: the sound has a say in what is one thing."""

import torch

from models.clustering import weights_of
from models.dmc import Clusters
from models.matching import match_all, squared_distances

SOUND_SHARE = 0.2  # of the way to its sound cluster that a visual cluster's center is drawn


def joint_clusters(sounds: torch.Tensor, pictures: Clusters, beta: float, rounds: int) -> Clusters:
    """Go on clustering pictures, their matched clusters drawn towards the sounds.

    Where more things are in a picture than it has clusters, some share one: those that are nothing like the sound then
    go over to another.

    Args:
        sounds: centers of the sounds' clusters, [B, A, D], finite numbers.
        pictures: clusters of as many pictures, V of each, A at most V.
        beta: hardness of the clusters.
        rounds: how often to match, to draw, to assign and to move; 0 leaves all as it is.

    Returns:
        The pictures' clusters: each center is the mean of its vectors, as before.
    """
    vectors, shape = pictures.vectors, pictures.assignment.shape[2:]
    for _ in range(rounds):
        orders = match_all(squared_distances(sounds, pictures.centers)).to(vectors.device)  # [B, V]
        places = orders[:, : sounds.shape[1], None].expand(-1, -1, vectors.shape[-1])  # [B, A, D]
        drawn = torch.lerp(pictures.centers.gather(1, places), sounds, SOUND_SHARE)
        distances = torch.cdist(pictures.centers.scatter(1, places, drawn), vectors)  # [B, V, N]
        assignment = torch.softmax(-beta * distances, dim=1)
        pictures = Clusters(weights_of(assignment) @ vectors, assignment.unflatten(2, shape), vectors)
    return pictures
