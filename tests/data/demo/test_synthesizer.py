"""The audio of demo videos: loud enough, without clipping, distinct instruments."""

import dataclasses
import itertools

import librosa
import numpy as np
import pytest
from sklearn.model_selection import LeaveOneOut, cross_val_score
from sklearn.neighbors import NearestCentroid

from data.demo.plan import DemoSettings, plan_videos
from data.demo.synthesizer import render_audio
from tests.fixtures.demo_sets import CROWDS, SECONDS, SOLOS


@pytest.mark.parametrize("settings", [SOLOS, CROWDS], ids=["solos", "crowds"])
def test_every_second_is_audible_and_nothing_clips(settings):
    for plan in plan_videos(settings):
        audio = render_audio(settings, plan)
        assert audio.shape == (plan.channels, SECONDS * plan.sample_rate)
        assert np.abs(audio).max() < 0.81
        seconds = audio.mean(0).reshape(SECONDS, -1)
        assert (20 * np.log10(np.sqrt((seconds**2).mean(1))) > -32).all()


def test_a_mono_mix_of_stereo_is_as_loud_as_mono():
    plan = plan_videos(SOLOS)[0]
    mono, stereo = (render_audio(SOLOS, dataclasses.replace(plan, channels=count)) for count in (1, 2))
    assert np.corrcoef(stereo.mean(0), mono[0])[0, 1] > 0.999
    assert 0.6 < np.std(stereo.mean(0)) / np.std(mono) <= 1.001  # a little softer where one side would clip


def test_instruments_are_distinct_and_no_two_videos_sound_the_same():
    settings = DemoSettings(80, SECONDS, 1, 0, 3)
    plans = plan_videos(settings)
    names = np.array([plan.instruments[0] for plan in plans])
    mels = np.stack([log_mel(render_audio(settings, plan), plan.sample_rate) for plan in plans])
    features = np.concatenate([mels.mean(2), mels.std(2)], 1)
    assert cross_val_score(NearestCentroid(), features, names, cv=LeaveOneOut()).mean() > 0.8
    for name in names:
        for one, other in itertools.combinations(mels[names == name], 2):
            assert np.abs(one - other).mean() > 2  # dB


def log_mel(audio, sample_rate):
    samples = librosa.resample(audio.mean(0), orig_sr=sample_rate, target_sr=16000)
    return librosa.power_to_db(librosa.feature.melspectrogram(y=samples, sr=16000, n_fft=512, n_mels=40), ref=np.max)
