"""Synthesizes the audio of the demo videos: notes of ten instruments, mixed in a room."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
from scipy.signal import butter, fftconvolve, lfilter

from data.demo.melodies import HAT, KICK, SNARE, Note, PlayingStyle, melody, rhythm
from data.demo.pauses import FADE, envelope, playing_spans
from data.demo.plan import DemoSettings, Stream, VideoPlan

HIGHEST = 10_000  # Hz, no harmonics above
LEVEL = (-24.0, -16.0)  # RMS of a video in dB of full scale, from and to
BALANCE = 2.0  # dB by which an instrument of a duet may be louder or softer
PEAK = 0.8  # AAC overshoots a little
SPREAD = 0.5  # largest distance of an instrument from the middle of a stereo mix, 0 to 1

Voice = Callable[[Note, int, "Character", np.random.Generator], np.ndarray]


@dataclass(frozen=True)
class Character:
    """The differences between two instruments of one kind. The factors are about 1."""

    brightness: float  # factor on the strength of high partials
    vibrato_hz: float
    vibrato_cents: float  # depth
    decay: float  # factor on the time in which a struck or plucked note fades
    noise: float  # factor on breath, bow and mallet noise
    detune: float  # factor on the distance of reeds that sound together


def render_audio(settings: DemoSettings, plan: VideoPlan) -> np.ndarray:
    """The audio of a video, float32 [channels, samples], within -1 and 1; the mean of two channels is the mono mix."""
    tracks, level = _play(settings, plan)
    return (sum(tracks) * level).astype(np.float32)


def render_stems(settings: DemoSettings, plan: VideoPlan) -> list[np.ndarray]:
    """The audio of each instrument alone, as `render_audio` has it in the mix, float32 [channels, samples]."""
    tracks, level = _play(settings, plan)
    return [(track * level).astype(np.float32) for track in tracks]


def _play(settings: DemoSettings, plan: VideoPlan) -> tuple[list[np.ndarray], float]:
    """The track [channels, samples] of each instrument, and the factor that gives their sum its loudness."""
    random = settings.generator(Stream.AUDIO, plan.index)
    tracks = []
    for name, spans in zip(plan.instruments, playing_spans(settings, plan), strict=True):
        track = _perform(name, random, settings.seconds, plan.sample_rate)
        if settings.pauses:
            track *= envelope(spans, len(track), plan.sample_rate)
        track = _add_room(track, random, plan.sample_rate)
        side = random.uniform(-SPREAD, SPREAD)
        gains = np.array([1.0] if plan.channels == 1 else [1 - side, 1 + side])
        tracks.append(_amplitude(random.uniform(-BALANCE, BALANCE)) * gains[:, None] * track)
    mix = sum(tracks)
    level = _amplitude(random.uniform(*LEVEL)) / np.sqrt(np.mean(mix.mean(0) ** 2))
    return tracks, min(level, PEAK / np.abs(mix).max())


def _amplitude(decibels: float) -> float:
    return 10 ** (decibels / 20)


def _perform(name: str, random: np.random.Generator, seconds: float, rate: int) -> np.ndarray:
    """One instrument alone: float64 [samples] at an RMS of 1."""
    voice, style = INSTRUMENTS[name]
    values = random.uniform((0.85, 4.8, 8, 0.75, 0.6, 0.7), (1.15, 6.4, 22, 1.3, 1.5, 1.4))
    character = Character(*values.tolist())
    notes = melody(style, random, seconds) if style else rhythm(random, seconds)
    track = np.zeros(round(seconds * rate))
    for note in notes:
        samples = voice(note, rate, character, random)
        start = round(note.start * rate)
        end = min(len(track), start + len(samples))
        track[start:end] += note.loudness * samples[: end - start]
    return track / np.sqrt(np.mean(track**2))


def _add_room(track: np.ndarray, random: np.random.Generator, rate: int) -> np.ndarray:
    """A track at an RMS of 1 with a little echo and the quiet noise of a room, [samples]."""
    fade = random.uniform(0.05, 0.12)
    times = _times(4 * fade, rate)
    echo = random.standard_normal(len(times)) * np.exp(-times / fade)
    echo *= random.uniform(0.1, 0.25) / np.sqrt(np.sum(echo**2))
    noise = _amplitude(random.uniform(-50, -42)) * _band_noise(len(track), 60, 6000, rate, random)
    return track + fftconvolve(track, echo)[: len(track)] + noise


def _times(seconds: float, rate: int) -> np.ndarray:
    return np.arange(max(1, round(seconds * rate))) / rate


def _held(times: np.ndarray, attack: float) -> np.ndarray:
    """Envelope of a held note: soft start, short end."""
    return np.minimum(1, times / attack) ** 0.8 * np.clip((times[-1] - times) / FADE, 0, 1)


def _phase(pitch: np.ndarray, rate: int) -> np.ndarray:
    return 2 * np.pi * np.cumsum(pitch) / rate


def _vibrato(times: np.ndarray, pitch: float, character: Character, depth: float = 1) -> np.ndarray:
    """The pitch at each time; the vibrato grows after the start of the note."""
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
    """The numbers 1, 2, ... of the harmonics of a pitch."""
    return np.arange(1, max(2, min(most, int(min(HIGHEST, 0.45 * rate) / pitch))) + 1)


def _resonances(frequencies: np.ndarray, peaks: Sequence[tuple[float, float, float]], floor: float) -> np.ndarray:
    """Gain of a body with peaks (center in Hz, width in octaves, height) above a floor."""
    octaves = np.log2(frequencies)
    gain = np.full(frequencies.shape, floor)
    for center, width, height in peaks:
        gain += height * np.exp(-(((octaves - np.log2(center)) / width) ** 2))
    return gain


def _band_noise(count: int, low: float, high: float, rate: int, random: np.random.Generator) -> np.ndarray:
    """Noise between two frequencies at an RMS of 1, [count]."""
    numerator, denominator = butter(2, (low, min(high, 0.45 * rate)), "bandpass", fs=rate)
    noise = lfilter(numerator, denominator, random.standard_normal(count))
    return noise / np.sqrt(np.mean(noise**2) + 1e-12)


def _guitar(note: Note, rate: int, character: Character, random: np.random.Generator) -> np.ndarray:
    """A plucked string after Karplus and Strong: noise in a loop that damps its high frequencies."""
    period = rate / note.pitch - 0.5  # averaging neighbors delays by half a sample
    whole = int(period)
    part = period - whole
    count = round((note.seconds + 0.6) * rate)
    pluck = np.zeros(count)
    burst = lfilter([0.6 * character.brightness], [1, 0.6 * character.brightness - 1], random.standard_normal(whole))
    pluck[:whole] = burst - burst.mean()
    pluck -= 0.9 * np.roll(pluck, whole // 5)  # at a fifth of its length: every fifth harmonic is weak
    keep = 0.001 ** (1 / (note.pitch * 2.2 * character.decay))
    loop = np.zeros(whole + 3)
    loop[0] = 1
    loop[whole : whole + 3] = -keep * np.convolve([0.5, 0.5], [1 - part, part])
    string = lfilter([1.0], loop, pluck)
    times = np.arange(count) / rate
    damped = np.where(times < note.seconds, 1, np.exp(-(times - note.seconds) / 0.12))
    return string / np.abs(string).max() * damped


def _violin(note: Note, rate: int, character: Character, random: np.random.Generator) -> np.ndarray:
    """A bowed string: a sawtooth through the resonances of a wooden body, with vibrato and bow noise."""
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
    """An air column: few harmonics, a puff at the start, breath noise throughout."""
    times = _times(note.seconds, rate)
    wave = np.sin(2 * np.pi * character.vibrato_hz * times)
    tone = _harmonics(_phase(_vibrato(times, note.pitch, character, 0.4), rate), np.array([1, 0.22, 0.07, 0.015]))
    breath = _band_noise(len(times), max(500, 0.7 * note.pitch), 6500, rate, random)
    puff = 0.11 * character.noise * (1 + 2.5 * np.exp(-times / 0.05))
    return (tone * (1 + 0.2 * wave) + puff * breath) * _held(times, 0.05)


def _trumpet(note: Note, rate: int, character: Character, random: np.random.Generator) -> np.ndarray:
    """Brass: louder notes are brighter; each note opens at its start and slides up to its pitch."""
    times = _times(note.seconds, rate)
    swell = np.minimum(1, times / 0.06) * (0.72 + 0.28 * np.exp(-times / 0.15))
    pitch = _vibrato(times, note.pitch, character, 0.5) * (1 - 0.03 * np.exp(-times / 0.02))
    number = _numbers(note.pitch, rate)
    bell = _resonances(number * note.pitch, ((1300, 0.8, 1.6),), 0.35)
    rolloff = np.exp(-0.24 / (character.brightness * note.loudness * np.maximum(swell, 0.05)))
    tone = _harmonics(_phase(pitch, rate), bell, rolloff)
    return tone * swell * _held(times, 0.015)


def _saxophone(note: Note, rate: int, character: Character, random: np.random.Generator) -> np.ndarray:
    """A reed on a cone: nasal resonances, and noise in step with the openings of the reed."""
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
    """Cast bronze: inharmonic partials; the higher ones fade sooner."""
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
    """A struck skin: a tone of falling pitch, and the rattle of the snares."""
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
    """Pipes on drawbars: steady pure tones at fixed ratios, with an abrupt start and end."""
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
    """A wooden bar over a tube: the fundamental, about its fourth and tenth harmonic, a knock; a short note."""
    times = _times(0.7, rate)
    fade = 0.16 * character.decay * (440 / note.pitch) ** 0.4
    sound = np.zeros(len(times))
    for ratio, weight, share in ((1, 1, 1), (3.93, 0.35 * character.brightness, 0.35), (9.6, 0.15, 0.15)):
        if note.pitch * ratio < HIGHEST:
            sound += weight * np.exp(-times / (fade * share)) * np.sin(2 * np.pi * note.pitch * ratio * times)
    knock = _band_noise(len(times), 200, 1500, rate, random) * np.exp(-times / 0.007)
    return sound + 0.4 * character.noise * knock


def _accordion(note: Note, rate: int, character: Character, random: np.random.Generator) -> np.ndarray:
    """Three detuned metal reeds that beat; the bellows modulate the loudness."""
    times = _times(note.seconds, rate)
    number = _numbers(note.pitch, rate, most=24)
    weights = _resonances(number * note.pitch, ((2000, 0.9, 0.9 * character.brightness),), 0.5) / number**0.7
    apart = 5 * character.detune / note.pitch  # times the pitch: a fixed distance in Hz
    starts = random.uniform(0, 2 * np.pi, 3)
    tone = sum(
        _harmonics(2 * np.pi * note.pitch * (1 + place * apart) * times + start, weights)
        for place, start in zip((-1, 0, 1), starts, strict=True)
    )
    bellows = 1 + 0.15 * np.sin(2 * np.pi * 1.1 * (times + note.start))
    return 0.25 * tone * bellows * _held(times, 0.04)


INSTRUMENTS: dict[str, tuple[Voice, PlayingStyle | None]] = {  # without a style it plays rhythms
    "accordion": (_accordion, PlayingStyle(55, 79, (0.5, 1, 1, 1.5), voices=2)),
    "bell": (_bell, PlayingStyle(64, 84, (1, 1, 1, 2), tempo=(100, 150))),
    "drum": (_drum, None),
    "flute": (_flute, PlayingStyle(67, 93, (0.5, 0.5, 1, 1.5))),
    "guitar": (_guitar, PlayingStyle(45, 71, (0.5, 0.5, 0.5, 1))),
    "marimba": (_marimba, PlayingStyle(55, 84, (0.25, 0.25, 0.5))),
    "organ": (_organ, PlayingStyle(48, 74, (1, 1, 2), voices=3)),
    "saxophone": (_saxophone, PlayingStyle(50, 74, (0.5, 0.5, 1, 1.5))),
    "trumpet": (_trumpet, PlayingStyle(55, 79, (0.5, 0.5, 1, 1.5))),
    "violin": (_violin, PlayingStyle(57, 88, (0.5, 1, 1, 2))),
}
