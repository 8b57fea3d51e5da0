"""Fills in the template of the web page of a run."""

import base64
from pathlib import Path
from typing import Any

from jinja2 import Environment, FileSystemLoader, StrictUndefined

from vis.frames import main_score
from vis.overlay import COLORMAP, STRENGTH, color_table
from vis.page.clips import MEDIA_TYPE, Second
from vis.page.gallery import Card

TEMPLATES = Path(__file__).resolve().parent / "templates"


def render(cards: list[Card], clips: dict[Second, bytes], **content: object) -> str:
    """The page, with the frames and the audio of the gallery, and `content`, the other variables of ``report.html``.

    All names on it are escaped, in the text and in the script.
    """
    environment = Environment(
        loader=FileSystemLoader(TEMPLATES),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    videos = sorted({card.frame.video for card in cards})
    labels = sorted({card.label for card in cards if card.label})
    return environment.get_template("report.html").render(
        cards=cards,
        videos=videos,
        labels=labels,
        strength=STRENGTH,
        base64=as_text,
        script=script_content(cards, clips, videos, labels),
        **content,
    )


def script_content(
    cards: list[Card], clips: dict[Second, bytes], videos: list[str], labels: list[str]
) -> dict[str, Any]:
    """The data of the page's script. It has numbers instead of names, so no name can act as code."""
    number_of = {second: number for number, second in enumerate(clips)}
    return {
        "colors": as_text(color_table(COLORMAP).tobytes()),
        "mediaType": MEDIA_TYPE,
        "clips": [as_text(clip) for clip in clips.values()],
        "cards": [
            {
                "maps": [as_text(levels.tobytes()) for levels in card.maps],
                "rows": card.maps.shape[1],
                "columns": card.maps.shape[2],
                "clip": number_of.get(card.second),
                "video": videos.index(card.frame.video),
                "label": labels.index(card.label) if card.label else None,
                "score": main_score(card.scores) if card.scores else None,
                "pointing": card.scores.get("pointing"),
                "distance": card.distance,
            }
            for card in cards
        ],
    }


def as_text(content: bytes) -> str:
    """Bytes as base64."""
    return base64.b64encode(content).decode("ascii")
