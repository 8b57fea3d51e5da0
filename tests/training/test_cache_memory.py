"""The cached frames of training and validation share the free memory."""

import pytest
import torch

from tests.fixtures.sample_set import make_set
from training import batches
from training.options import merge_options


@pytest.mark.parametrize(("spare", "val_is_cached"), [(0, True), (-1, False)])
def test_memory_for_training_frames_is_not_free_for_validation_frames(
    tmp_path, monkeypatch, capsys, spare, val_is_cached
):
    make_set(tmp_path, train=3, val=2, test=1, seconds=1)
    given = {"data_dir": str(tmp_path), "batch_size": 2, "num_threads": 0, "cache": 1, "set": ["image_size=32"]}
    options = merge_options(given, {})
    options.enable_img_augmentation = 0  # so that a frame takes 3 * 32 * 32 bytes in both lists
    monkeypatch.setattr(batches, "memory_to_spend", lambda: (3 + 2) * 4 * 3 * 32 * 32 + spare)
    train, val = batches.train_and_val_loaders(options, torch.device("cpu"))
    assert train.loader.dataset.cache is not None
    assert (val.loader.dataset.cache is not None) == val_is_cached
    assert capsys.readouterr().out.count("do not fit") == (not val_is_cached)


def test_without_the_cache_no_memory_is_taken(tmp_path):
    make_set(tmp_path, train=2, val=2, test=1, seconds=1)
    options = merge_options({"data_dir": str(tmp_path), "batch_size": 2, "num_threads": 0, "cache": 0}, {})
    loaders = batches.train_and_val_loaders(options, torch.device("cpu"))
    assert [loader.loader.dataset.cache for loader in loaders] == [None, None]
