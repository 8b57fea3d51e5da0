"""The protocols of scoring: fixed sets of rules, each with the publication whose figures it can stand beside.

The rules of all but `ours` are those of public scorers, with their rounding. A change of rules gets a new version.
"""

from dataclasses import dataclass, replace

from common.errors import UserError
from metrics.maps.annotations import Annotations
from metrics.maps.scores import DISC_RADIUS, SIZE

TRUTHS = {
    "music": "IoU with the union of a frame's boxes",
    "vggss": "IoU with the union of a clip's boxes",
    "flickr": "IoU is cIoU with the consensus min(1, boxes / 2)",
    "masks": "IoU with the mask; a frame with an empty mask has the share of pixels that are not predicted",
}
LEVELS = {
    "median": "the brighter half of its pixels",
    "adaptive": "as many of its brightest pixels as the truth has (this uses the truth: an upper bound)",
    "majority": "the pixels above 0.5, absolute",
}


@dataclass(frozen=True, kw_only=True)
class Protocol:
    """A fixed set of rules."""

    name: str
    version: int = 1
    comparable: str  # the publications whose figures are comparable
    formats: tuple[str, ...]  # of annotations that it is for
    figures: tuple[str, ...]  # keys of `metrics.table.FIGURES`
    threshold: float | str  # see `metrics.maps.scores.predict`
    strict: bool  # a predicted pixel is above the threshold; else it reaches it
    whole_pixels: bool = True  # edges of boxes are rounded down; else a box has the pixels whose centers lie in it
    objects: bool | None = False  # each object is scored with a map of its own; None: where maps and boxes allow it
    second: int | None = None  # of an annotated clip whose first frame is scored; None: the middle frame


OURS = Protocol(
    name="ours",
    comparable="the tables of this project",
    formats=("music", "vggss", "flickr"),
    figures=tuple("mean_iou iou_at_0.3 iou_at_0.5 auc pointing area_ratio ciou ciou_at_0.3 ciou_auc nsa".split()),
    threshold=0.5,
    strict=False,
    whole_pixels=False,
    objects=None,
)
_DSOL = "Hu et al., Discriminative Sounding Objects Localization, NeurIPS 2020"
_MUSIC_SOLO = Protocol(
    name="music-solo",
    comparable=f"{_DSOL}: MUSIC-solo",
    formats=("music",),
    figures=("iou_at_0.5", "auc"),
    threshold=0.1,
    strict=True,
)
_MUSIC_DUET = replace(
    _MUSIC_SOLO,
    name="music-duet",
    comparable=f"{_DSOL}: MUSIC-Duet",
    figures=("ciou_at_0.3", "source_ciou_at_0.3", "ciou_auc", "nsa"),
    threshold=0.2,
    objects=True,
)
_MUSIC_SYNTHETIC = replace(
    _MUSIC_DUET,
    name="music-synthetic",
    comparable=f"{_DSOL}: MUSIC-Synthetic",
    figures=("ciou_at_0.3", "ciou_auc", "nsa"),
    threshold=0.5,
)
_FLICKR = Protocol(
    name="flickr",
    comparable="EZ-VSL (Mo and Morgado, ECCV 2022) and others: Flickr-SoundNet",
    formats=("flickr",),
    figures=("mean_iou", "iou_at_0.5", "auc"),
    threshold="median",
    strict=False,
)
_VGGSS = replace(
    _FLICKR,
    name="vggss",
    comparable="EZ-VSL (Mo and Morgado, ECCV 2022), SLAVC (NeurIPS 2022) and others: VGG-SS",
    formats=("vggss",),
    second=5,
)
_AVSBENCH = Protocol(
    name="avsbench",
    comparable="Zhou et al., Audio-Visual Segmentation, ECCV 2022: S4 and MS3",
    formats=("masks",),
    figures=("mean_iou", "f_score"),
    threshold="majority",
    strict=True,
)
_ALL = (OURS, _MUSIC_SOLO, _MUSIC_DUET, _MUSIC_SYNTHETIC, _FLICKR, _VGGSS, _AVSBENCH)
PROTOCOLS = {protocol.name: protocol for protocol in _ALL}
DEFAULTS = {"music": "ours", "vggss": "vggss", "flickr": "flickr", "masks": "avsbench"}  # by format of annotations


def protocol_for(annotations: Annotations, name: str | None = None, threshold: float | str | None = None) -> Protocol:
    """The protocol of a name, perhaps with another threshold; without a name the default of the annotations' format."""
    protocol = PROTOCOLS[name or DEFAULTS[annotations.format]]
    if annotations.format not in protocol.formats:
        fitting = [one.name for one in PROTOCOLS.values() if annotations.format in one.formats]
        raise UserError(
            f"--protocol {protocol.name} is for annotations of the format {' or '.join(protocol.formats)}, but "
            f"{annotations.path} has the format {annotations.format}: choose one of {', '.join(fitting)}"
        )
    return replace(protocol, threshold=protocol.threshold if threshold is None else threshold)


def describe(protocol: Protocol, annotations: Annotations, several: bool, seed: int) -> dict[str, str | float]:
    """The protocol as values for JSON. Its "text" is for people."""
    level = LEVELS.get(protocol.threshold) or (
        f"the pixels {'above' if protocol.strict else 'of at least'} {protocol.threshold:g} of its maximum"
    )
    frame = "the middle frame" if protocol.second is None else f"the frame at {protocol.second:.1f} s"
    points = "pointing" in protocol.figures
    changed = protocol != PROTOCOLS[protocol.name]
    parts = [
        f"{TRUTHS[annotations.format]}; a map at {SIZE} x {SIZE} pixels predicts {level}",
        annotations.of_clips and f"of each clip {frame}",
        protocol.whole_pixels and annotations.format != "masks" and "edges of boxes are rounded down to whole pixels",
        "F-score: beta^2 = 0.3, the best of 255 thresholds for each video, mean over the videos"
        if "f_score" in protocol.figures
        else "AUC over IoU 0, 0.05, ..., 1",
        points and "of pixels that share the maximum, pointing counts the share in a box",
        several
        and "CIoU: mean over a frame's objects (boxes of one category_id), each with a map of its own, best match",
        several and points and "pointing with the own map of each object, IoU with the maximum of the matched maps",
        several and "NSA: below 0.2",
        not changed and protocol != OURS and f"comparable with {protocol.comparable}",
    ]
    title = f"{protocol.name}, version {protocol.version}{', with another threshold' if changed else ''}"
    return {
        "name": protocol.name,
        "version": protocol.version,
        "comparable_with": protocol.comparable,
        "format": annotations.format,
        "annotations": str(annotations.path),
        "threshold": protocol.threshold,
        "size": SIZE,
        "disc_radius": DISC_RADIUS,
        "seed": seed,
        "text": f"{title}: {'; '.join(filter(None, parts))}",
    }
