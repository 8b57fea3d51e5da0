"""The recipes: named sets of defaults for how a network is built and trained.

`original` is the published simplified DMC. `improved` keeps its heart, the clustering of both streams and the matching
of clusters, and changes what made it match sounds to the background; README.md shows what each change brings.
"""

from typing import Any

RECIPES: dict[str, dict[str, Any]] = {
    "original": {
        "loss": "contrastive",
        "negatives": "one",
        "background_negatives": 0,
        "noise_negatives": 0,
        "temperature": 0.1,
        "matching": "nearest",
        "cluster_start": "strided",
        "beta": 30.0,
        "test_beta": 30.0,
        "test_flip": 0,
        "normalize": 0,
        "visual_layer": "layer4",
        "center_features": 0,
        "padding": "zeros",
        "spectrogram_scaling": "none",
        "audio_pooling": 1,
        "n_fft": 160,
        "augmentation": "published",
        "image_size": 224,
        "test_scale": 1.0,
        "learning_rate": 1e-4,
        "schedule": "constant",
        "warmup": 0,
        "epoch": 100,
        "precision": "fp32",
    },
    "improved": {
        "loss": "cross_entropy",
        "negatives": "batch",
        "background_negatives": 1,
        "noise_negatives": 2,
        "temperature": 0.1,
        "matching": "one_to_one",
        "cluster_start": "farthest",
        "beta": 10.0,
        "test_beta": 7.5,
        "test_flip": 1,
        "normalize": 1,
        "visual_layer": "layer3",
        "center_features": 1,
        "padding": "replicate",
        "spectrogram_scaling": "second",
        "audio_pooling": 4,
        "n_fft": 160,
        "augmentation": "strong",
        "image_size": 96,
        "test_scale": 1.5,
        "learning_rate": 5e-4,
        "schedule": "cosine",
        "warmup": 30,
        "epoch": 16,
        "precision": "auto",
    },
}
DEFAULT_RECIPE = "original"
