"""How the instruments of the demo videos sound: synthesised notes, and whole sound tracks made of them."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
from scipy.signal import butter, fftconvolve, lfilter

from data.demo.melodies import HAT, KICK, SNARE, Note, PlayingStyle, melody, rhythm

HIGHEST = 10_000  # Hz, no harmonics are made above
FADE = 0.012  # seconds in which a held note stops

Voice = Callable[[Note, int, "Character", np.random.Generator], np.ndarray]


@dataclass(frozen=True)
class Character:
    """What makes two instruments of one kind differ, drawn once a video.

    Attributes:
        brightness: multiplies the strength of high partials, about 1.
        vibrato_hz, vibrato_cents: its speed and depth.
        decay: multiplies the time in which a struck or plucked note fades, about 1.
        noise: multiplies breath, bow and mallet noise, about 1.
        detune: multiplies how far reeds that sound together are apart, about 1.
    """

    brightness: float
    vibrato_hz: float
    vibrato_cents: float
    decay: float
    noise: float
    detune: float


@dataclass(frozen=True)
class Instrument:
    """An instrument's voice, and how it plays; no manner: it plays rhythms."""

    voice: Voice
    manner: PlayingStyle | None


def random_character(random: np.random.Generator) -> Character:
    """Another instrument of the same kind."""
    values = random.uniform((0.85, 4.8, 8, 0.75, 0.6, 0.7), (1.15, 6.4, 22, 1.3, 1.5, 1.4))
    return Character(*values.tolist())


def perform(name: str, random: np.random.Generator, seconds: float, rate: int) -> np.ndarray:
    """The instrument `name` plays for some seconds: float64 [samples], at an RMS of 1."""
    instrument = INSTRUMENTS[name]
    character = random_character(random)
    notes = melody(instrument.manner, random, seconds) if instrument.manner else rhythm(random, seconds)
    track = np.zeros(round(seconds * rate))
    for note in notes:
        sound = instrument.voice(note, rate, character, random)
        start = round(note.start * rate)
        end = min(len(track), start + len(sound))
        track[start:end] += note.loudness * sound[: end - start]
    return track / np.sqrt(np.mean(track**2))


def _times(seconds: float, rate: int) -> np.ndarray:
    return np.arange(max(1, round(seconds * rate))) / rate


def _held(times: np.ndarray, attack: float) -> np.ndarray:
    """Envelope of a note that sounds as long as it is played: soft start, short end."""
    return np.minimum(1, times / attack) ** 0.8 * np.clip((times[-1] - times) / FADE, 0, 1)


def _phase(pitch: np.ndarray, rate: int) -> np.ndarray:
    return 2 * np.pi * np.cumsum(pitch) / rate


def _vibrato(times: np.ndarray, pitch: float, character: Character, depth: float = 1) -> np.ndarray:
    """The pitch at each time; the vibrato sets in as the note goes on."""
    onset = np.clip((times - 0.08) / 0.2, 0, 1)
    cents = depth * character.vibrato_cents * onset * np.sin(2 * np.pi * character.vibrato_hz * times)
    return pitch * 2 ** (cents / 1200)


def _harmonics(phase: np.ndarray, weights: np.ndarray, rolloff: float | np.ndarray = 1.0) -> np.ndarray:
    """Sum over k of weights[k - 1] rolloff**k sin(k phase); the rolloff may vary over time."""
    turn = rolloff * np.exp(1j * phase)
    power = np.ones_like(turn)
    total = np.zeros(len(phase))
    for weight in weights:
        power *= turn
        total += weight * power.imag
    return total


def _numbers(pitch: float, rate: int, most: int = 40) -> np.ndarray:
    """1, 2, ... as far as harmonics of the pitch are made."""
    return np.arange(1, max(2, min(most, int(min(HIGHEST, 0.45 * rate) / pitch))) + 1)


def _resonances(frequencies: np.ndarray, peaks: Sequence[tuple[float, float, float]], floor: float) -> np.ndarray:
    """Gain of a body with peaks (centre in Hz, width in octaves, height) above a floor."""
    octaves = np.log2(frequencies)
    gain = np.full(frequencies.shape, floor)
    for centre, width, height in peaks:
        gain += height * np.exp(-(((octaves - np.log2(centre)) / width) ** 2))
    return gain


def _band_noise(count: int, low: float, high: float, rate: int, random: np.random.Generator) -> np.ndarray:
    """Noise between two frequencies at an RMS of 1, [count]."""
    numerator, denominator = butter(2, (low, min(high, 0.45 * rate)), "bandpass", fs=rate)
    noise = lfilter(numerator, denominator, random.standard_normal(count))
    return noise / np.sqrt(np.mean(noise**2) + 1e-12)


def _guitar(note: Note, rate: int, character: Character, random: np.random.Generator) -> np.ndarray:
    """A plucked string after Karplus and Strong: noise running round a loop that dulls it."""
    period = rate / note.pitch - 0.5  # half a sample is lost in the averaging of neighbours
    whole = int(period)
    part = period - whole
    count = round((note.seconds + 0.6) * rate)
    pluck = np.zeros(count)
    burst = lfilter([0.6 * character.brightness], [1, 0.6 * character.brightness - 1], random.standard_normal(whole))
    pluck[:whole] = burst - burst.mean()
    pluck -= 0.9 * np.roll(pluck, whole // 5)  # plucked at a fifth of its length: every fifth harmonic is weak
    keep = 0.001 ** (1 / (note.pitch * 2.2 * character.decay))
    loop = np.zeros(whole + 3)
    loop[0] = 1
    loop[whole : whole + 3] = -keep * np.convolve([0.5, 0.5], [1 - part, part])
    string = lfilter([1.0], loop, pluck)
    times = np.arange(count) / rate
    damped = np.where(times < note.seconds, 1, np.exp(-(times - note.seconds) / 0.12))
    return string / np.abs(string).max() * damped


def _violin(note: Note, rate: int, character: Character, random: np.random.Generator) -> np.ndarray:
    """A bowed string: a sawtooth through the resonances of a wooden box, vibrato, the hiss of the bow."""
    times = _times(note.seconds, rate)
    pitch = _vibrato(times, note.pitch, character, depth=1.6)
    number = _numbers(note.pitch, rate)
    peaks = ((480, 0.35, 1), (1100, 0.3, 0.8), (2700, 0.5, 2.4 * character.brightness))
    body = _resonances(number * note.pitch, peaks, 0.25)
    tone = _harmonics(_phase(pitch, rate), body / number**0.9)
    bow = 0.05 * character.noise * _band_noise(len(times), 2000, 7000, rate, random)
    shiver = 1 + 0.12 * np.sin(2 * np.pi * character.vibrato_hz * times + 1)
    return (0.5 * tone * shiver + bow) * _held(times, 0.07)


def _flute(note: Note, rate: int, character: Character, random: np.random.Generator) -> np.ndarray:
    """An air column: hardly more than two harmonics, a puff at the start, breath all along."""
    times = _times(note.seconds, rate)
    wave = np.sin(2 * np.pi * character.vibrato_hz * times)
    tone = _harmonics(_phase(_vibrato(times, note.pitch, character, 0.4), rate), np.array([1, 0.22, 0.07, 0.015]))
    breath = _band_noise(len(times), max(500, 0.7 * note.pitch), 6500, rate, random)
    puff = 0.11 * character.noise * (1 + 2.5 * np.exp(-times / 0.05))
    return (tone * (1 + 0.2 * wave) + puff * breath) * _held(times, 0.05)


def _trumpet(note: Note, rate: int, character: Character, random: np.random.Generator) -> np.ndarray:
    """Brass: the louder, the brighter; the sound opens at the start and the pitch slides up to its place."""
    times = _times(note.seconds, rate)
    swell = np.minimum(1, times / 0.06) * (0.72 + 0.28 * np.exp(-times / 0.15))
    pitch = _vibrato(times, note.pitch, character, 0.5) * (1 - 0.03 * np.exp(-times / 0.02))
    number = _numbers(note.pitch, rate)
    bell = _resonances(number * note.pitch, ((1300, 0.8, 1.6),), 0.35)
    rolloff = np.exp(-0.24 / (character.brightness * note.loudness * np.maximum(swell, 0.05)))
    tone = _harmonics(_phase(pitch, rate), bell, rolloff)
    return tone * swell * _held(times, 0.015)


def _saxophone(note: Note, rate: int, character: Character, random: np.random.Generator) -> np.ndarray:
    """A reed on a cone: nasal resonances, a buzz of noise that comes and goes with each opening of the reed."""
    times = _times(note.seconds, rate)
    bend = 1 - 0.05 * np.exp(-times / 0.05)
    phase = _phase(_vibrato(times, note.pitch, character, 1.3) * bend, rate)
    number = _numbers(note.pitch, rate, most=26)
    horn = _resonances(number * note.pitch, ((620, 0.45, 2), (1500, 0.35, 1.3 * character.brightness)), 0.12)
    tone = _harmonics(phase, horn / number**0.6)
    reed = _band_noise(len(times), 1200, 5000, rate, random) * np.maximum(0, np.sin(phase)) ** 4
    growl = 1 + 0.25 * np.sin(2 * np.pi * 27 * times)
    return (0.4 * tone * growl + 0.35 * character.noise * reed) * _held(times, 0.03)


def _bell(note: Note, rate: int, character: Character, random: np.random.Generator) -> np.ndarray:
    """Cast bronze: partials that are no harmonics, the higher the sooner gone."""
    times = _times(2.5, rate)
    ratios = np.array([0.5, 1, 1.183, 1.506, 2, 2.514, 2.662, 3.011, 4.166, 5.433, 6.8, 8.2])
    weights = np.array([0.35, 0.5, 0.8, 0.3, 1, 0.25, 0.3, 0.45, 0.5, 0.35, 0.25, 0.2])
    weights = weights * random.uniform(0.8, 1.2, len(ratios)) * character.brightness ** np.arange(len(ratios))
    fades = 1.5 * character.decay / ratios**0.8
    frequencies = note.pitch * ratios * (1 + 0.0008 * random.standard_normal(len(ratios)))
    sound = np.zeros(len(times))
    for frequency, weight, fade in zip(frequencies, weights, fades, strict=True):
        if frequency < HIGHEST:
            sound += weight * np.exp(-times / fade) * np.sin(2 * np.pi * frequency * times)
    strike = _band_noise(len(times), 3000, 9000, rate, random) * np.exp(-times / 0.008)
    return 0.3 * (sound + 0.6 * character.noise * strike)


def _drum(note: Note, rate: int, character: Character, random: np.random.Generator) -> np.ndarray:
    """A struck skin: a tone that drops in pitch, and the rattle of the snares."""
    times = _times(min(0.5, 2 * note.seconds), rate)
    noise = random.standard_normal(len(times))
    if note.pitch == HAT:  # the stick on the rim
        return 0.5 * _band_noise(len(times), 4000, 9500, rate, random) * np.exp(-times / (0.03 * character.decay))
    pitch, drop, fade = {KICK: (52, 90, 0.16), SNARE: (180, 60, 0.09)}.get(note.pitch, (105, 60, 0.16))
    sweep = _phase(character.brightness * (pitch + drop * np.exp(-times / 0.03)), rate)
    skin = np.sin(sweep) * np.exp(-times / (fade * character.decay))
    stick = 0.5 * noise * np.exp(-times / 0.005)
    if note.pitch != SNARE:
        return skin + stick
    snares = _band_noise(len(times), 900, 8500, rate, random) * np.exp(-times / (0.1 * character.decay))
    return 0.7 * skin + stick + 0.45 * character.noise**0.5 * snares


def _organ(note: Note, rate: int, character: Character, random: np.random.Generator) -> np.ndarray:
    """Pipes on drawbars: pure tones at fixed ratios, on and off like a switch, steady in between."""
    times = _times(note.seconds, rate)
    bars = np.array([0.5, 1.5, 1, 2, 3, 4, 5, 6, 8])
    weights = np.array([0.7, 0.5, 1, 0.75, 0.5, 0.45, 0.2, 0.25, 0.35]) ** (1 / character.brightness)
    tone = sum(
        weight * np.sin(2 * np.pi * note.pitch * ratio * times)
        for weight, ratio in zip(weights, bars, strict=True)
        if note.pitch * ratio < HIGHEST
    )
    click = 0.12 * character.noise * _band_noise(len(times), 1500, 6000, rate, random) * np.exp(-times / 0.006)
    return (0.3 * tone + click) * _held(times, 0.008)


def _marimba(note: Note, rate: int, character: Character, random: np.random.Generator) -> np.ndarray:
    """A wooden bar over a tube: the fundamental, its fourth and tenth harmonic, a knock; soon over."""
    times = _times(0.7, rate)
    fade = 0.16 * character.decay * (440 / note.pitch) ** 0.4
    sound = np.zeros(len(times))
    for ratio, weight, share in ((1, 1, 1), (3.93, 0.35 * character.brightness, 0.35), (9.6, 0.15, 0.15)):
        if note.pitch * ratio < HIGHEST:
            sound += weight * np.exp(-times / (fade * share)) * np.sin(2 * np.pi * note.pitch * ratio * times)
    knock = _band_noise(len(times), 200, 1500, rate, random) * np.exp(-times / 0.007)
    return sound + 0.4 * character.noise * knock


def _accordion(note: Note, rate: int, character: Character, random: np.random.Generator) -> np.ndarray:
    """Three metal reeds a little apart, so that they beat; the bellows push and pull."""
    times = _times(note.seconds, rate)
    number = _numbers(note.pitch, rate, most=24)
    weights = _resonances(number * note.pitch, ((2000, 0.9, 0.9 * character.brightness),), 0.5) / number**0.7
    apart = 5 * character.detune / note.pitch  # Hz between neighbours, whatever the pitch
    starts = random.uniform(0, 2 * np.pi, 3)
    tone = sum(
        _harmonics(2 * np.pi * note.pitch * (1 + place * apart) * times + start, weights)
        for place, start in zip((-1, 0, 1), starts, strict=True)
    )
    bellows = 1 + 0.15 * np.sin(2 * np.pi * 1.1 * (times + note.start))
    return 0.25 * tone * bellows * _held(times, 0.04)


INSTRUMENTS: dict[str, Instrument] = {
    "accordion": Instrument(_accordion, PlayingStyle(55, 79, (0.5, 1, 1, 1.5), voices=2)),
    "bell": Instrument(_bell, PlayingStyle(64, 84, (1, 1, 1, 2), tempo=(100, 150))),
    "drum": Instrument(_drum, None),
    "flute": Instrument(_flute, PlayingStyle(67, 93, (0.5, 0.5, 1, 1.5))),
    "guitar": Instrument(_guitar, PlayingStyle(45, 71, (0.5, 0.5, 0.5, 1))),
    "marimba": Instrument(_marimba, PlayingStyle(55, 84, (0.25, 0.25, 0.5))),
    "organ": Instrument(_organ, PlayingStyle(48, 74, (1, 1, 2), voices=3)),
    "saxophone": Instrument(_saxophone, PlayingStyle(50, 74, (0.5, 0.5, 1, 1.5))),
    "trumpet": Instrument(_trumpet, PlayingStyle(55, 79, (0.5, 0.5, 1, 1.5))),
    "violin": Instrument(_violin, PlayingStyle(57, 88, (0.5, 1, 1, 2))),
}


def in_a_room(track: np.ndarray, random: np.random.Generator, rate: int) -> np.ndarray:
    """A track at an RMS of 1 with a little echo and the quiet noise of a room, [samples]."""
    fade = random.uniform(0.05, 0.12)
    times = _times(4 * fade, rate)
    echo = random.standard_normal(len(times)) * np.exp(-times / fade)
    echo *= random.uniform(0.1, 0.25) / np.sqrt(np.sum(echo**2))
    noise = 10 ** (random.uniform(-50, -42) / 20) * _band_noise(len(track), 60, 6000, rate, random)
    return track + fftconvolve(track, echo)[: len(track)] + noise
