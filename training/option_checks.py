"""What is wrong with options together, and which of them have no effect."""

import argparse
import math
from pathlib import Path
from typing import Any

from data.read import SPECTROGRAM_SHAPES
from data.sampler import batch_problem
from models.backbone import feature_size
from models.recipes import NEAREST, ONE_TO_ONE, Recipe
from training.distributed import world_size
from training.options import given_settings

MOST_MATCHINGS = 1000  # ways to match the clusters of audio and frame that training goes through


def check_options(options: argparse.Namespace) -> str | None:
    """What is wrong with the options together; None if nothing is."""
    return (
        _task_problem(options)
        or _network_problem(options)
        or (None if options.evaluate else _training_problem(options))
    )


def _task_problem(options: argparse.Namespace) -> str | None:
    if options.ckpt_file and not (
        options.evaluate or options.use_pretrain or options.resume or options.export_published
    ):
        return "--ckpt_file goes with --use_pretrain 1 (train on from it) or --evaluate 1 (evaluate it)"
    if options.export_published and options.recipe.visual_net != "resnet18":
        return f"--export_published: the published program has no visual_net={options.recipe.visual_net}"
    if options.audio != "own" and not options.evaluate:
        return f"--audio {options.audio} goes with --evaluate 1: training takes each frame's own audio"
    if options.log != "csv" and options.evaluate:
        return f"--log {options.log} is for a training, and --evaluate 1 does not train"
    if Path(options.dmc_pkl).suffix == ".csv":
        return "--dmc_pkl cannot end with .csv, as the distances go to the file of that name"
    return None


def _network_problem(options: argparse.Namespace) -> str | None:
    recipe = options.recipe
    if problem := _clustering_problem(recipe):
        return problem
    if options.a_cluster > options.v_cluster and (recipe.matching, recipe.readout) != (NEAREST, "clusters"):
        return (
            "--a_cluster is larger than --v_cluster, but each audio cluster needs a visual cluster, unless loss is "
            "contrastive and readout is clusters"
        )
    size = recipe.image_size
    if options.v_cluster > math.prod(feature_size(size, size)):
        return f"--set image_size={size} gives too few features for --v_cluster {options.v_cluster}"
    columns, bands = min(SPECTROGRAM_SHAPES)
    if options.a_cluster > math.prod(feature_size(columns // recipe.audio_pooling, bands)):
        return f"--set audio_pooling={recipe.audio_pooling} gives too few features for --a_cluster {options.a_cluster}"
    return None


def _clustering_problem(recipe: Recipe) -> str | None:
    if recipe.clustering == "kmeans":
        return None
    needed = {"readout": "clusters", "visual_net": "vgg16"}
    wrong = [f"{name}={value}" for name, value in needed.items() if getattr(recipe, name) != value]
    return f"clustering=capsules goes with {' and '.join(wrong)}" if wrong else None


def _training_problem(options: argparse.Namespace) -> str | None:
    recipe = options.recipe
    if recipe.matching == ONE_TO_ONE and math.perm(options.v_cluster, options.a_cluster) > MOST_MATCHINGS:
        return "loss=cross_entropy is too slow with so many clusters: lower --v_cluster or --a_cluster"
    if problem := batch_problem(options.batch_size, options.accumulate, world_size()):
        return problem
    if recipe.in_batch and options.batch_size == options.accumulate:
        beside = f" and --accumulate {options.accumulate}" if options.accumulate > 1 else ""
        return f"--batch_size {options.batch_size}{beside} leaves no negative pairs with loss=cross_entropy"
    return None


def without_effect(options: argparse.Namespace, given: dict[str, Any]) -> list[str]:
    """A sentence on each setting that is given for a training and changes nothing."""
    if options.evaluate:
        return []
    of_kmeans = "" if options.recipe.clustering == "kmeans" else "clustering=kmeans"
    useless = {
        "noise_negatives": not options.recipe.in_batch and "loss=cross_entropy",
        "mixup": not options.recipe.in_batch and "loss=cross_entropy",
        "beta": of_kmeans,
        "normalize": of_kmeans,
        "cluster_start": of_kmeans,
        "margin": options.recipe.in_batch and "loss=contrastive or max_margin",
        "width": options.recipe.visual_net != "vgg16" and "visual_net=vgg16",
    }
    return [
        f"--set {key}={value} has no effect: it goes with {useless[key]}"
        for key, value in given_settings(given).items()
        if useless.get(key)
    ]
