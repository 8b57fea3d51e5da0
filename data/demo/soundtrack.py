"""The sound track of a demo video: its instruments mixed, in a room, at a random level."""

import numpy as np

from data.demo.plan import DemoSettings, Stream, VideoPlan
from data.demo.synthesizer import in_a_room, perform

LEVEL = (-24.0, -16.0)  # RMS of a track in dB of full scale, from and to
BALANCE = 2.0  # dB by which an instrument of a duet may be louder or softer than the mean
PEAK = 0.8  # AAC overshoots a little
SPREAD = 0.5  # how far to the left and right a stereo track places its instruments, 0 to 1


def render_sound(settings: DemoSettings, plan: VideoPlan) -> np.ndarray:
    """The sound of a video, float32 [channels, samples], exactly as long as the settings say, within -1 and 1.

    The mean of two channels is the sound of one.
    """
    random = settings.generator(Stream.SOUND, plan.index)
    channels = 0.0
    for name in plan.instruments:
        track = in_a_room(perform(name, random, settings.seconds, plan.sample_rate), random, plan.sample_rate)
        side = random.uniform(-SPREAD, SPREAD)
        gains = np.array([1.0] if plan.channels == 1 else [1 - side, 1 + side])
        channels = channels + _decibels(random.uniform(-BALANCE, BALANCE)) * gains[:, None] * track
    level = _decibels(random.uniform(*LEVEL)) / np.sqrt(np.mean(channels.mean(0) ** 2))
    return (channels * min(level, PEAK / np.abs(channels).max())).astype(np.float32)


def _decibels(level: float) -> float:
    return 10 ** (level / 20)
