"""The classes of videos, where a data set has some: for lists in proportion and for evaluation, never for training."""

import json
from pathlib import Path

from data.errors import UserError
from data.layout import labels_file


def read_labels(path: Path) -> dict[str, str]:
    """Class of each ID in a file of the published MUSIC form, ``{"videos": {"flute": ["ID", ...]}}``.

    An ID in several classes is of all of them, as ``flute violin``: the way in which the class of a duet is written.

    Raises:
        UserError: the file cannot be read or has another form.
    """
    try:
        videos = json.loads(Path(path).read_text(encoding="utf-8"))["videos"]
        classes: dict[str, list[str]] = {}
        for label, identities in videos.items():
            for identity in dict.fromkeys(identities):
                classes.setdefault(identity, []).append(label)
        return {identity: " ".join(labels) for identity, labels in classes.items()}
    except OSError as error:
        raise UserError(f"the labels {path} cannot be read ({error.strerror})") from error
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        form = '{"videos": {"flute": ["ID", ...]}}'
        raise UserError(f"the labels {path} have not the form {form} ({type(error).__name__}: {error})") from error


def labels_of_set(data_dir: Path) -> dict[str, str]:
    """`read_labels` of the data set's own ``labels.json``; empty if it has none.

    Raises:
        UserError: the file cannot be read or has another form.
    """
    path = labels_file(data_dir)
    return read_labels(path) if path.exists() else {}


def label_of(name: str, labels: dict[str, str]) -> str:
    """Class of the video NAME; empty if it has none. The 11-character ID of YouTube stands for ``ID_0_1000`` too."""
    return labels.get(name) or labels.get(identity_of(name), "")


def contents_of(name: str, labels: dict[str, str]) -> frozenset[str]:
    """What a video's class says that it shows: ``flute violin`` is of two, ``acoustic_guitar`` of one; may be empty."""
    return frozenset(label_of(name, labels).split())


def identity_of(name: str) -> str:
    """The YouTube ID of a name such as ``ID_0_1000``, else the name."""
    parts = name[11:].split("_")
    return name[:11] if len(parts) == 3 and not parts[0] and parts[1].isdigit() and parts[2].isdigit() else name
