"""Random melodies and rhythms for the demo videos: which note sounds when, how long, how loud."""

from dataclasses import dataclass

import numpy as np

SCALES = (
    (0, 2, 4, 5, 7, 9, 11),  # major
    (0, 2, 3, 5, 7, 8, 10),  # minor
    (0, 2, 3, 5, 7, 9, 10),  # Dorian
    (0, 2, 4, 5, 7, 9, 10),  # Mixolydian
    (0, 2, 4, 7, 9),  # pentatonic
    (0, 3, 5, 6, 7, 10),  # blues
)
STEPS = (-3, -2, -2, -1, -1, -1, 0, 1, 1, 1, 2, 2, 3)  # from one note of a melody to the next, in notes of the scale
FIRST_SOUND = 0.02  # seconds

KICK, SNARE, TOM, HAT = range(4)


@dataclass(frozen=True)
class Note:
    """One note, or one stroke of a drum.

    Attributes:
        start: seconds from the beginning of the video.
        seconds: how long it is held.
        pitch: frequency in Hz; for a drum KICK, SNARE, TOM or HAT.
        loudness: amplitude, 0 to 1.
    """

    start: float
    seconds: float
    pitch: float
    loudness: float


@dataclass(frozen=True)
class PlayingStyle:
    """How an instrument plays.

    Attributes:
        low, high: its range in MIDI numbers; a melody takes a part of it.
        beats: lengths of its notes.
        voices: how many notes sound together.
        tempo: beats a minute, from and to.
    """

    low: int
    high: int
    beats: tuple[float, ...]
    voices: int = 1
    tempo: tuple[float, float] = (88, 152)


def melody(manner: PlayingStyle, random: np.random.Generator, seconds: float) -> list[Note]:
    """Notes without rests until the end: a motif of a few notes, repeated higher and lower, in a random key."""
    ladder = _ladder(manner, random)
    beat = 60 / random.uniform(*manner.tempo)
    length = int(random.integers(4, 8))
    motif = list(zip(random.choice(STEPS, length), random.choice(manner.beats, length), strict=True))
    notes: list[Note] = []
    time = FIRST_SOUND
    while time < seconds:
        place = int(random.integers(len(ladder)))
        for step, beats in motif:
            place = _reflected(place + int(step), len(ladder))
            loudness = random.uniform(0.65, 1)
            for voice in range(manner.voices):  # in thirds, as a scale builds chords
                pitch = ladder[_reflected(place + 2 * voice, len(ladder))]
                notes.append(Note(time, beat * beats, pitch, loudness * 0.85**voice))
            time += beat * beats
    return [note for note in notes if note.start < seconds - 0.02]


def _ladder(manner: PlayingStyle, random: np.random.Generator) -> list[float]:
    """Frequencies of a random scale within a random part of the range, some 14 semitones, ascending."""
    width = min(14, manner.high - manner.low)
    low = int(random.integers(manner.low, manner.high - width + 1))
    key, scale = int(random.integers(12)), SCALES[random.integers(len(SCALES))]
    tuning = random.uniform(-0.3, 0.3)
    numbers = [number for number in range(low, low + width + 1) if (number - key) % 12 in scale]
    return [440 * 2 ** ((number + tuning - 69) / 12) for number in numbers]


def _reflected(place: int, count: int) -> int:
    """A place below 0 or beyond the last one turned back at the end it has passed."""
    place %= 2 * count - 2
    return place if place < count else 2 * count - 2 - place


def rhythm(random: np.random.Generator, seconds: float) -> list[Note]:
    """Strokes of a drum: a bar of 16 sixteenths, random but with a pulse, repeated with changes."""
    sixteenth = 15 / random.uniform(84, 138)
    strokes = random.choice((KICK, SNARE, TOM, HAT), 16, p=(0.25, 0.3, 0.25, 0.2))
    strokes[::8], strokes[4::8] = KICK, SNARE
    struck = random.random(16) < random.uniform(0.55, 0.8)
    struck[::2] |= random.random(8) < 0.6
    struck[::4] = True
    notes = []
    for number in range(int(np.ceil(seconds / sixteenth))):
        place = number % 16
        start = FIRST_SOUND + number * sixteenth + random.uniform(0, 0.006)
        if (struck[place] or random.random() < 0.08) and start < seconds - 0.02:
            loudness = (1.0 if place % 4 == 0 else 0.7) * random.uniform(0.75, 1)
            notes.append(Note(start, 4 * sixteenth, float(strokes[place]), loudness))
    return notes
