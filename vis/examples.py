"""Makes the README's pictures again, from two trainings on data sets of data/make_demo.py: `make examples` runs it all.

    python3 vis/examples.py --solo runs/demo --duet runs/demo_duet

writes example_solo.jpg, example_duet.jpg and heat.webp. What is shown is not chosen by its score: of the test videos,
those that first bring instruments that are not shown yet, and of each the first frame of its middle second.
"""

import os
import sys
from pathlib import Path

# As in location_dmc.py: threads that wait for one another are to leave the cores to the videos' decoder and encoder.
os.environ.setdefault("GOMP_SPINCOUNT", "2000")

if not __package__:  # run by path: imports start at the repository root
    sys.path[0] = str(Path(__file__).resolve().parents[1])

import argparse
import json
import tempfile
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import av
from PIL import Image

from common.atomic import atomic_file
from common.cli import available_cores, plain_parser
from common.errors import UserError
from common.exit_status import exit_status
from data.layout import boxes_file, videos_by_name
from data.lists import label_of, labels_of_set
from metrics.annotations import Boxes, read_annotations
from metrics.frame_keys import Frame
from metrics.matching import match_frames
from metrics.runs import Run, read_run
from training.load import Trained, load_trained
from training.run_folder import ARGS, BEST
from vis.draw import frames_of, read_frame, save_picture
from vis.heat_video.render import Style, write_heat_video
from vis.localize import MAPS_A_SECOND, SILENCE
from vis.overlay import overlay, relative, with_boxes
from vis.sheet import LINE, Row, cell, contact_sheet

COLUMNS = 5
ANIMATED = 3  # videos in a row of heat.webp
FRAMES_A_SECOND = 10  # of heat.webp
WEBP_QUALITY = 60


@dataclass(frozen=True)
class Training:
    """A training with its results.

    Attributes:
        data_dir: the data set that it was trained on.
        trained: its network.
        run: its maps.
        labels: the data set's, see `data.lists`.
        shown: keys of the frames to show -> their frames, each of another video.
    """

    data_dir: Path
    trained: Trained
    run: Run
    labels: dict[str, str]
    shown: dict[str, Frame]

    def title(self, frame: Frame) -> str:
        """What sounds in a frame, else the video's name."""
        label = label_of(frame.video, self.labels)
        return label.replace(" ", " + ") if label else frame.video


def read_training(folder: Path) -> Training:
    """Read a training's folder, with ``args.json``, ``best.pth`` and ``dmc.pkl``, and choose what to show.

    Raises:
        UserError: something of it is not there, or cannot be read.
    """
    path = folder / ARGS
    try:
        data_dir = Path(json.loads(path.read_text(encoding="utf-8"))["data_dir"])
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise UserError(f"{path} does not name a training's data set ({error}): run make examples") from error
    run = read_run(folder / "dmc.pkl")
    labels = labels_of_set(data_dir)
    return Training(data_dir, load_trained(folder / BEST), run, labels, choose(frames_of(run), labels))


def choose(frames: dict[str, Frame], labels: dict[str, str]) -> dict[str, Frame]:
    """Of each video that brings instruments not shown yet, the first frame of the middle second; in the order of names.

    A video of several instruments has to bring none that is shown already; where there are no labels all are shown.
    """
    of_video: dict[str, list[tuple[str, Frame]]] = {}
    for key, frame in frames.items():
        of_video.setdefault(frame.video, []).append((key, frame))
    seen: set[str] = set()
    chosen: list[tuple[str, str, Frame]] = []
    for video, its in sorted(of_video.items()):
        label = label_of(video, labels) or video
        if seen.isdisjoint(label.split()):
            seen.update(label.split())
            seconds = sorted({frame.second for _, frame in its})
            middle = seconds[len(seconds) // 2]
            key, frame = min(
                ((key, frame) for key, frame in its if frame.second == middle), key=lambda one: one[1].index
            )
            chosen.append((label, key, frame))
    return {key: frame for _, key, frame in sorted(chosen)}


# --- sheets -------------------------------------------------------------------------------------------------------


def sheet(training: Training) -> Image.Image:
    """Frames above their overlays, COLUMNS of them a row; one overlay for each sound, with the boxes.

    Raises:
        UserError: annotations are not there or malformed, or a frame is gone.
    """
    boxes, _ = match_frames(training.run.maps.keys(), read_annotations(boxes_file(training.data_dir)))
    keys = list(training.shown)
    parts = [part(training, keys[start : start + COLUMNS], boxes) for start in range(0, len(keys), COLUMNS)]
    return stacked(parts)


def part(training: Training, keys: Sequence[str], boxes: dict[str, Boxes]) -> Image.Image:
    """The sheet of a few frames."""
    pictures = [read_frame(training.shown[key], training.data_dir) for key in keys]
    a_cluster = training.run.a_cluster
    rows = [Row("frame", [cell(picture) for picture in pictures], [])]
    for cluster in range(a_cluster):
        hot = [
            overlay(picture, relative(training.run.maps[key][cluster]))
            for key, picture in zip(keys, pictures, strict=True)
        ]
        drawn = [
            with_boxes(one, boxes[key].corners) if key in boxes else one for key, one in zip(keys, hot, strict=True)
        ]
        text = "where the sound comes from" if a_cluster == 1 else f"where sound {cluster + 1} comes from"
        rows.append(Row(text, [cell(one) for one in drawn], []))
    return contact_sheet([training.title(training.shown[key]) for key in keys], rows)


def stacked(pictures: Sequence[Image.Image]) -> Image.Image:
    """Pictures below one another, on the ground of the widest one."""
    ground = pictures[0].getpixel((0, 0))
    whole = Image.new("RGB", (max(one.width for one in pictures), sum(one.height for one in pictures)), ground)
    top = 0
    for picture in pictures:
        whole.paste(picture, (0, top))
        top += picture.height
    return whole


# --- animation ----------------------------------------------------------------------------------------------------


def heat_pictures(video: Path, training: Training, folder: Path) -> list[Image.Image]:
    """A video's pictures with their heat, FRAMES_A_SECOND of them, as vis/localize.py makes them.

    Raises:
        UserError: the video cannot be read.
    """
    trained = training.trained
    clusters = range(trained.options.a_cluster)
    style = Style(clusters, draw_box=False, side_by_side=False, silence=SILENCE, maps_per_second=MAPS_A_SECOND)
    path = folder / f"{video.stem}.mp4"
    with path.open("wb") as file:
        write_heat_video(video, file, "mp4", trained, style, available_cores())
    return list(_at_rate(path))


def _at_rate(path: Path) -> Iterator[Image.Image]:
    """A video's pictures as cells of a sheet, FRAMES_A_SECOND of each second."""
    shown = 0
    with av.open(str(path)) as container:
        for frame in container.decode(video=0):
            if frame.time * FRAMES_A_SECOND >= shown:
                shown += 1
                yield cell(frame.to_ndarray(format="rgb24"))


def animation(solo: Training, duet: Training) -> list[Image.Image]:
    """Pictures of solos with their heat above duets with theirs.

    Raises:
        UserError: a video cannot be read.
    """
    rows = []
    with tempfile.TemporaryDirectory() as folder:
        for training, word in ((solo, "solos"), (duet, "duets, each sound in its colour")):
            videos = videos_by_name(training.data_dir)
            frames = list(training.shown.values())[:ANIMATED]
            if missing := [frame.video for frame in frames if frame.video not in videos]:
                raise UserError(f"the video {missing[0]} is not in {training.data_dir}")
            text = f"{word}: {', '.join(training.title(frame) for frame in frames)}"
            rows.append((text, [heat_pictures(videos[frame.video][0], training, Path(folder)) for frame in frames]))
    count = min(len(pictures) for _, videos in rows for pictures in videos)
    sheets = (
        contact_sheet([""] * ANIMATED, [Row(text, [one[index] for one in videos], []) for text, videos in rows])
        for index in range(count)
    )
    return [whole.crop((0, LINE, whole.width, whole.height)) for whole in sheets]  # less the empty titles


def save_animation(pictures: Sequence[Image.Image], path: Path) -> None:
    """Write pictures as an animation that plays for ever."""
    with atomic_file(path) as partial:
        pictures[0].save(
            partial, format="WEBP", save_all=True, append_images=pictures[1:], duration=1000 // FRAMES_A_SECOND,
            loop=0, quality=WEBP_QUALITY, method=4,
        )  # fmt: skip


# --- program ------------------------------------------------------------------------------------------------------


def parse(argv: Sequence[str] | None) -> argparse.Namespace:
    """Options of this program."""
    parser = plain_parser(__doc__)
    parser.add_argument(
        "--solo", type=Path, default=Path("runs/demo"), help="folder of a training on solos (default: %(default)s)"
    )
    parser.add_argument(
        "--duet", type=Path, default=Path("runs/demo_duet"), help="and of one on duets (default: %(default)s)"
    )
    parser.add_argument("--out", type=Path, default=Path("vis"), help="folder of the pictures (default: %(default)s)")
    return parser.parse_args(argv)


def write_examples(options: argparse.Namespace) -> None:
    """Write the pictures.

    Raises:
        UserError: a training is not there, or something of it cannot be read.
    """
    solo, duet = read_training(options.solo), read_training(options.duet)
    options.out.mkdir(parents=True, exist_ok=True)
    save_picture(sheet(solo), options.out / "example_solo.jpg")
    save_picture(sheet(duet), options.out / "example_duet.jpg")
    save_animation(animation(solo, duet), options.out / "heat.webp")
    print(f"Wrote example_solo.jpg, example_duet.jpg and heat.webp to {options.out}. Next: look at them in README.md")


def main(argv: Sequence[str] | None = None) -> int:
    """Run the program; returns its exit status."""
    options = parse(argv)
    return exit_status("examples", lambda: write_examples(options))


if __name__ == "__main__":
    sys.exit(main())
