"""The distances of the validation list: when a video counts as unlike the training's."""

import pytest

from training.checkpoints.reference_distances import ReferenceDistances, read_reference

REFERENCE = ReferenceDistances(own=0.6, other=1.0)


@pytest.mark.parametrize(
    ("distances", "unfamiliar"), [([0.6, 0.85, 2.0], False), ([0.6, 0.95, 0.95], True), ([], False)]
)
def test_a_video_is_unfamiliar_if_its_median_distance_is_near_that_of_wrong_audio(distances, unfamiliar):
    assert REFERENCE.unfamiliar(distances) is unfamiliar
    assert (REFERENCE.warning(distances) is not None) is unfamiliar


def test_the_warning_names_all_three_distances():
    warning = REFERENCE.warning([1.25])
    assert "has not heard anything like this" in warning
    assert "1.25" in warning and "0.60 with their own" in warning and "1.00 with the audio of another" in warning


@pytest.mark.parametrize("found", [None, 3, {}, {"own": 0.5}, {"own": "near", "other": 1.0}])
def test_a_checkpoint_without_usable_distances_has_no_reference(found):
    assert read_reference({"distances": found}) is None
    assert read_reference({"distances": REFERENCE._asdict()}) == REFERENCE
