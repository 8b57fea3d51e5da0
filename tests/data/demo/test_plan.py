"""The plan of a demo data set: balanced choices, stable under the number of videos."""

import dataclasses
import itertools
from collections import Counter
from fractions import Fraction

import pytest

from data.demo.plan import INSTRUMENTS, DemoSettings, plan_videos
from tests.fixtures.demo_sets import SOLOS


@pytest.mark.parametrize("sources", [1, 2])
def test_each_instrument_plays_equally_often(sources):
    plans = plan_videos(DemoSettings(210, 6, sources, 0, 10))
    assert Counter(name for plan in plans for name in plan.instruments) == dict.fromkeys(INSTRUMENTS, 21 * sources)
    assert all(len(set(plan.instruments)) == sources for plan in plans)


def test_a_large_set_starts_with_the_videos_of_a_small_one():
    large, small = (dataclasses.replace(SOLOS, videos=videos) for videos in (210, 20))
    assert plan_videos(large)[:20] == plan_videos(small)


@pytest.mark.parametrize("change", [{"seed": 11}, {"seconds": 3}, {"sources": 2}, {"distractors": 1}])
def test_sets_of_another_seed_or_kind_have_other_videos(change):
    ours, others = (plan_videos(settings) for settings in (SOLOS, dataclasses.replace(SOLOS, **change)))
    assert not {plan.name for plan in ours} & {plan.name for plan in others}


def test_names_look_like_youtube_ids_and_differ_when_case_is_ignored():
    names = [plan.name for plan in plan_videos(DemoSettings(2000, 6, 1, 0, 10))]
    assert len({name.lower() for name in names}) == 2000
    assert all(len(name) == 11 and name.replace("-", "").replace("_", "").isalnum() for name in names)


def test_every_set_of_8_has_a_name_with_a_leading_dash_and_all_frame_rates_and_audio_formats():
    for seed in range(20):
        plans = plan_videos(DemoSettings(8, 6, 1, 0, seed))
        assert any(plan.name.startswith("-") for plan in plans)
        assert {plan.frame_rate for plan in plans} == {24, 25, Fraction(30000, 1001), 30}
        assert {(plan.sample_rate, plan.channels) for plan in plans} == {*itertools.product((44100, 48000), (1, 2))}
