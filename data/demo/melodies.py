"""Random melodies and rhythms for the demo videos: start, length, pitch and loudness of each note."""

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
FIRST_NOTE = 0.02  # seconds
SHORTEST = 0.02  # seconds of the last note before the end of the video

KICK, SNARE, TOM, HAT = range(4)


@dataclass(frozen=True)
class Note:
    """One note of a melody, or one stroke of a drum."""

    start: float  # seconds from the beginning of the video
    seconds: float
    pitch: float  # Hz; for a drum KICK, SNARE, TOM or HAT
    loudness: float  # amplitude, 0 to 1


@dataclass(frozen=True)
class PlayingStyle:
    """How an instrument plays melodies."""

    low: int  # lowest and highest note as MIDI numbers; a melody uses a part of this range
    high: int
    beats: tuple[float, ...]  # possible lengths of a note
    voices: int = 1  # notes that sound together
    tempo: tuple[float, float] = (88, 152)  # beats a minute, from and to


def melody(style: PlayingStyle, random: np.random.Generator, seconds: float) -> list[Note]:
    """A motif of a few notes in a random key, repeated higher and lower without rests until the end."""
    pitches = _random_scale(style, random)
    beat = 60 / random.uniform(*style.tempo)
    length = int(random.integers(4, 8))
    motif = list(zip(random.choice(STEPS, length), random.choice(style.beats, length), strict=True))
    notes: list[Note] = []
    time = FIRST_NOTE
    while time < seconds:
        place = int(random.integers(len(pitches)))
        for step, beats in motif:
            place = _reflect(place + int(step), len(pitches))
            loudness = random.uniform(0.65, 1)
            for voice in range(style.voices):  # a chord of thirds
                pitch = pitches[_reflect(place + 2 * voice, len(pitches))]
                notes.append(Note(time, beat * beats, pitch, loudness * 0.85**voice))
            time += beat * beats
    return [note for note in notes if note.start < seconds - SHORTEST]


def _random_scale(style: PlayingStyle, random: np.random.Generator) -> list[float]:
    """Ascending frequencies of a random scale within 14 semitones of the instrument's range."""
    width = min(14, style.high - style.low)
    low = int(random.integers(style.low, style.high - width + 1))
    key, scale = int(random.integers(12)), SCALES[random.integers(len(SCALES))]
    tuning = random.uniform(-0.3, 0.3)
    numbers = [number for number in range(low, low + width + 1) if (number - key) % 12 in scale]
    return [440 * 2 ** ((number + tuning - 69) / 12) for number in numbers]


def _reflect(place: int, count: int) -> int:
    """Reflect a place outside 0 .. count - 1 at the end that it has passed."""
    place %= 2 * count - 2
    return place if place < count else 2 * count - 2 - place


def rhythm(random: np.random.Generator, seconds: float) -> list[Note]:
    """Strokes of a drum: a random bar of 16 sixteenths with a pulse, repeated with changes."""
    sixteenth = 15 / random.uniform(84, 138)
    strokes = random.choice((KICK, SNARE, TOM, HAT), 16, p=(0.25, 0.3, 0.25, 0.2))
    strokes[::8], strokes[4::8] = KICK, SNARE
    struck = random.random(16) < random.uniform(0.55, 0.8)
    struck[::2] |= random.random(8) < 0.6
    struck[::4] = True
    notes = []
    for number in range(int(np.ceil(seconds / sixteenth))):
        place = number % 16
        start = FIRST_NOTE + number * sixteenth + random.uniform(0, 0.006)
        if (struck[place] or random.random() < 0.08) and start < seconds - SHORTEST:
            loudness = (1.0 if place % 4 == 0 else 0.7) * random.uniform(0.75, 1)
            notes.append(Note(start, 4 * sixteenth, float(strokes[place]), loudness))
    return notes
