"""What each video of the demo data set is: its name, who plays, frame rate, sound format, background.

Every random choice follows from the settings and the index of the video, never from how many videos there are or
which process makes them: the first 20 videos of 210 are the 20 videos of 20.
"""

import enum
import string
from collections.abc import Sequence
from dataclasses import dataclass
from fractions import Fraction
from typing import TypeVar

import numpy as np

from data.demo.backgrounds import BACKGROUNDS
from data.demo.drawings import INSTRUMENT_LOOKS, SILENT_LOOKS

VERSION = 1  # to be raised whenever the same settings come to make other videos

INSTRUMENTS = tuple(sorted(INSTRUMENT_LOOKS))
SILENT_THINGS = tuple(sorted(SILENT_LOOKS))
CATEGORY_IDS = {name: number for number, name in enumerate(INSTRUMENTS, start=1)}

FRAME_RATES = (Fraction(24), Fraction(25), Fraction(30000, 1001), Fraction(30))
SOUND_FORMATS = ((44100, 1), (44100, 2), (48000, 1), (48000, 2))  # samples a second, channels

NAME_LENGTH = 11  # as the ids of YouTube
NAME_CHARACTERS = string.ascii_letters + string.digits + "_-"
DASH_EVERY = 8  # one name in so many starts with a dash, as such names trip programs that take them for options

Choice = TypeVar("Choice")


class Stream(enum.IntEnum):
    """Independent sources of random numbers, so that a change to one choice leaves the others as they were."""

    NAME = 0
    INSTRUMENTS = 1
    SILENT_THINGS = 2
    FRAME_RATE = 3
    SOUND_FORMAT = 4
    BACKGROUND_KIND = 5
    BACKGROUND = 6
    SCENE = 7
    SOUND = 8


@dataclass(frozen=True)
class DemoSettings:
    """What decides the content of a demo data set.

    Attributes:
        videos: how many.
        seconds: length of each.
        sources: sounding objects in each, 1 or 2.
        distractors: silent things in each.
        seed: another seed, other videos.
    """

    videos: int
    seconds: int
    sources: int
    distractors: int
    seed: int

    def generator(self, stream: Stream, index: int) -> np.random.Generator:
        """Random numbers for one choice of one video (or round of videos).

        They differ between solo, duet and distractor sets too, so that one set can test what another has trained.
        """
        return np.random.default_rng([self.seed, index, stream, self.seconds, self.sources, self.distractors, VERSION])


@dataclass(frozen=True)
class VideoPlan:
    """One video: what is in it and how it is encoded.

    Attributes:
        index: its number in the data set.
        name: file name without the ending.
        instruments: what sounds, in alphabetical order.
        silent_things: what is seen beside it.
        background: a key of `data.demo.backgrounds.BACKGROUNDS`.
        frame_rate: frames a second.
        frames: how many.
        sample_rate: sound samples a second.
        channels: 1 or 2.
    """

    index: int
    name: str
    instruments: tuple[str, ...]
    silent_things: tuple[str, ...]
    background: str
    frame_rate: Fraction
    frames: int
    sample_rate: int
    channels: int


def plan_videos(settings: DemoSettings) -> list[VideoPlan]:
    """The videos of a data set, in order."""
    return [_plan(settings, index, name) for index, name in enumerate(video_names(settings))]


def video_names(settings: DemoSettings) -> list[str]:
    """Names of all videos in order, different even where capitals do not count (macOS, Windows)."""
    names: list[str] = []
    taken: set[str] = set()
    while len(names) < settings.videos:
        index = len(names)
        random = settings.generator(Stream.NAME, index)
        while (name := _random_name(random, _starts_with_dash(settings, index))).lower() in taken:
            pass
        names.append(name)
        taken.add(name.lower())
    return names


def _random_name(random: np.random.Generator, dash: bool) -> str:
    characters = random.choice(list(NAME_CHARACTERS), NAME_LENGTH)
    if dash:
        characters[0] = "-"
    return "".join(characters)


def _starts_with_dash(settings: DemoSettings, index: int) -> bool:
    return _in_rounds([True] + [False] * (DASH_EVERY - 1), settings, Stream.NAME, index)


def _in_rounds(choices: Sequence[Choice], settings: DemoSettings, stream: Stream, index: int) -> Choice:
    """Deal out `choices` equally often: all of them in random order, then again in another order."""
    number, place = divmod(index, len(choices))
    return choices[settings.generator(stream, number).permutation(len(choices))[place]]


def _instruments(settings: DemoSettings, index: int) -> tuple[str, ...]:
    """Solos deal the instruments out one at a time, duets two at a time: each is heard equally often."""
    places = range(index * settings.sources, (index + 1) * settings.sources)
    return tuple(sorted(_in_rounds(INSTRUMENTS, settings, Stream.INSTRUMENTS, place) for place in places))


def _plan(settings: DemoSettings, index: int, name: str) -> VideoPlan:
    random = settings.generator(Stream.SILENT_THINGS, index)
    rate = _in_rounds(FRAME_RATES, settings, Stream.FRAME_RATE, index)
    sample_rate, channels = _in_rounds(SOUND_FORMATS, settings, Stream.SOUND_FORMAT, index)
    return VideoPlan(
        index=index,
        name=name,
        instruments=_instruments(settings, index),
        silent_things=tuple(random.permutation(SILENT_THINGS)[: settings.distractors].tolist()),
        background=_in_rounds(tuple(BACKGROUNDS), settings, Stream.BACKGROUND_KIND, index),
        frame_rate=rate,
        frames=round(settings.seconds * rate),
        sample_rate=sample_rate,
        channels=channels,
    )
