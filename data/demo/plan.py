"""Plans the videos of the demo data set: names, instruments, backgrounds, frame rates, audio formats.

Every random choice depends on the settings and on the index of the video, not on the number of videos or processes.
So the first 20 videos of a set of 210 are the videos of a set of 20.
"""

import enum
import string
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from fractions import Fraction
from typing import TypeVar

import numpy as np

from data.demo.backgrounds import BACKGROUNDS
from data.demo.drawings import DISTRACTOR_DRAWINGS, INSTRUMENT_DRAWINGS

VERSION = 2  # raise it when the same settings make other videos

INSTRUMENTS = tuple(INSTRUMENT_DRAWINGS)
DISTRACTORS = tuple(DISTRACTOR_DRAWINGS)
CATEGORY_IDS = {name: number for number, name in enumerate(INSTRUMENTS, start=1)}

FRAME_RATES = (Fraction(24), Fraction(25), Fraction(30000, 1001), Fraction(30))
AUDIO_FORMATS = ((44100, 1), (44100, 2), (48000, 1), (48000, 2))  # sample rate, channels

NAME_LENGTH = 11  # like the ids of YouTube
NAME_CHARACTERS = string.ascii_letters + string.digits + "_-"
ADDITIONS = ("stems", "pauses")  # settings that are 0 in earlier sets
DASH_EVERY = 8  # one name in 8 starts with a dash, because programs may take such a name for an option

Choice = TypeVar("Choice")


# Independent streams of random numbers: a change to one choice leaves the others as they were.
Stream = enum.IntEnum(
    "Stream",
    "NAME INSTRUMENTS DISTRACTORS FRAME_RATE AUDIO_FORMAT BACKGROUND_KIND BACKGROUND SCENE AUDIO PAUSES",
    start=0,
)


@dataclass(frozen=True)
class DemoSettings:
    """The options that decide the content of a demo data set."""

    videos: int
    seconds: int  # length of each video
    sources: int  # sounding objects in each video, 1 or 2
    distractors: int  # silent objects in each video
    seed: int
    stems: int = 0  # 1 adds the audio of each instrument alone
    pauses: int = 0  # 1 lets the instruments rest in turn

    def generator(self, stream: Stream, index: int) -> np.random.Generator:
        """Random numbers for one choice of one video (or round of videos).

        Solo, duet and distractor sets get different numbers, so that one set can test a network trained on another.
        With stems or pauses a set has the frames and notes that it has without.
        """
        return np.random.default_rng([self.seed, index, stream, self.seconds, self.sources, self.distractors, VERSION])

    def description(self) -> dict[str, int]:
        """The settings in demo.json, without additions that the set does not have: earlier sets do not name them."""
        settings = {name: value for name, value in asdict(self).items() if value or name not in ADDITIONS}
        return {**settings, "version": VERSION}


@dataclass(frozen=True)
class VideoPlan:
    """Content and format of one video."""

    index: int
    name: str  # of the file, without its suffix
    instruments: tuple[str, ...]  # in alphabetical order
    distractors: tuple[str, ...]
    background: str  # a key of `BACKGROUNDS`
    frame_rate: Fraction
    frames: int
    sample_rate: int
    channels: int


def plan_videos(settings: DemoSettings) -> list[VideoPlan]:
    """The videos of a data set, in order."""
    return [_plan_video(settings, index) for index in range(settings.videos)]


def _plan_video(settings: DemoSettings, index: int) -> VideoPlan:
    places = range(index * settings.sources, (index + 1) * settings.sources)
    distractors = settings.generator(Stream.DISTRACTORS, index).permutation(DISTRACTORS)[: settings.distractors]
    rate = _deal(FRAME_RATES, settings, Stream.FRAME_RATE, index)
    sample_rate, channels = _deal(AUDIO_FORMATS, settings, Stream.AUDIO_FORMAT, index)
    return VideoPlan(
        index=index,
        name=_name(settings, index),
        instruments=tuple(sorted(_deal(INSTRUMENTS, settings, Stream.INSTRUMENTS, place) for place in places)),
        distractors=tuple(distractors.tolist()),
        background=_deal(sorted(BACKGROUNDS), settings, Stream.BACKGROUND_KIND, index),
        frame_rate=rate,
        frames=round(settings.seconds * rate),
        sample_rate=sample_rate,
        channels=channels,
    )


def _deal(choices: Sequence[Choice], settings: DemoSettings, stream: Stream, index: int) -> Choice:
    """Deal out `choices` equally often: each round has all of them in a new random order."""
    number, place = divmod(index, len(choices))
    return choices[settings.generator(stream, number).permutation(len(choices))[place]]


def _name(settings: DemoSettings, index: int) -> str:
    characters = settings.generator(Stream.NAME, index).choice(list(NAME_CHARACTERS), NAME_LENGTH)
    if _deal([True] + [False] * (DASH_EVERY - 1), settings, Stream.NAME, index):
        characters[0] = "-"
    return "".join(characters)
