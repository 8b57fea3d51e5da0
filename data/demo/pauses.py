"""When the instruments of a demo video play, and when they rest."""

import numpy as np

from data.demo.plan import DemoSettings, Stream, VideoPlan

PLAYS = (1.0, 2.5)  # seconds, from and to
RESTS = (2.0, 3.0)  # seconds; in 2 seconds lies a whole one, as spectrograms are cut
FADE = 0.012  # seconds in which an instrument comes in and stops

Spans = list[tuple[float, float]]  # from and to, in seconds


def playing_spans(settings: DemoSettings, plan: VideoPlan) -> list[Spans]:
    """When each instrument of a video plays: always, or with pauses in turn with rests.

    One instrument begins at once, so that no video is silent. Another one begins with a rest or not.
    """
    if not settings.pauses:
        return [[(0.0, float(settings.seconds))]] * len(plan.instruments)
    random = settings.generator(Stream.PAUSES, plan.index)
    first = random.integers(len(plan.instruments))
    return [_spans(random, settings.seconds, number == first) for number in range(len(plan.instruments))]


def _spans(random: np.random.Generator, seconds: float, first: bool) -> Spans:
    plays = first or random.random() < 0.5
    time, spans = 0.0, []
    while time < seconds:
        end = time + random.uniform(*(PLAYS if plays else RESTS))
        if plays:
            spans.append((time, end))
        time, plays = end, not plays
    return spans


def plays_at(spans: Spans, time: float) -> bool:
    """Whether an instrument plays at a time in seconds."""
    return any(start <= time < end for start, end in spans)


def envelope(spans: Spans, samples: int, rate: int) -> np.ndarray:
    """1 where an instrument plays, 0 where it rests, with short fades while it plays: [samples]."""
    times = np.arange(samples) / rate
    gates = [np.clip(np.minimum(times - start, end - times) / FADE, 0, 1) for start, end in spans]
    return np.max(gates, axis=0, initial=0)
