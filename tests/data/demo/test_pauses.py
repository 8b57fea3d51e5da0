"""Instruments that play and rest: the rests are silent, long enough, and all else is as without them."""

import dataclasses
import itertools

import numpy as np
import pytest

from data.demo.pauses import PLAYS, RESTS, playing_spans, plays_at
from data.demo.plan import plan_videos
from data.demo.synthesizer import render_audio, render_stems
from tests.fixtures.demo_sets import CROWDS, SOLOS

SETTINGS = [dataclasses.replace(settings, seconds=9, videos=6, pauses=1) for settings in (SOLOS, CROWDS)]


@pytest.mark.parametrize("settings", SETTINGS, ids=["solos", "duets"])
def test_each_instrument_plays_and_rests_in_turn_and_no_video_begins_silent(settings):
    for plan in plan_videos(settings):
        spans = playing_spans(settings, plan)
        assert len(spans) == settings.sources and any(plays_at(own, 0) for own in spans)
        for own in spans:
            assert own and own[-1][0] < settings.seconds
            assert all(PLAYS[0] <= end - start <= PLAYS[1] for start, end in own)
            assert all(RESTS[0] <= after[0] - before[1] <= RESTS[1] for before, after in itertools.pairwise(own))


@pytest.mark.parametrize("settings", SETTINGS, ids=["solos", "duets"])
def test_a_stem_is_silent_while_its_instrument_rests_and_only_then(settings):
    plan = plan_videos(settings)[0]
    for spans, stem in zip(playing_spans(settings, plan), render_stems(settings, plan), strict=True):
        power = (stem.mean(0).astype(float) ** 2).reshape(-1, plan.sample_rate // 10).mean(1)  # of tenths of seconds
        starts = np.arange(len(power)) / 10
        inside = [all(plays_at(spans, start + step / 50) for step in range(-5, 6)) for start in starts]
        outside = [not any(plays_at(spans, start + step / 50) for step in range(-15, 11)) for start in starts]  # echo
        decibels = 10 * np.log10(power / power.max())
        assert sum(inside) > 10 and sum(outside) > 10
        assert np.median(decibels[inside]) > -20 and decibels[outside].max() < -32  # the noise of the room


@pytest.mark.parametrize("pauses", [0, 1])
def test_the_stems_add_up_to_the_mix(pauses):
    settings = dataclasses.replace(CROWDS, pauses=pauses)
    for plan in plan_videos(settings)[:2]:
        mix, stems = render_audio(settings, plan), render_stems(settings, plan)
        assert len(stems) == 2 and (pauses or all(stem.std() > 0.1 * mix.std() for stem in stems))
        np.testing.assert_allclose(sum(stems), mix, atol=1e-6)


def test_with_pauses_a_set_has_the_plans_that_it_has_without():
    assert plan_videos(dataclasses.replace(SOLOS, pauses=1, stems=1)) == plan_videos(SOLOS)
