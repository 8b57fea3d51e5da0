"""Makes the pictures of the README again, from two trainings on generated data sets. `make examples` runs all of it.

    python3 vis/examples.py --solo runs/demo --duet runs/demo_duet

writes example_solo.jpg, example_duet.jpg and heat.webp. Scores do not influence the choice: it takes the first test
videos with instruments that are not shown yet, and the first frame of the middle second of each.
"""

import os
import sys
from pathlib import Path

# As in location_dmc.py: waiting threads leave the cores to the decoder and the encoder of the videos.
os.environ.setdefault("GOMP_SPINCOUNT", "2000")

if not __package__:  # run by path: imports start at the repository root
    sys.path[0] = str(Path(__file__).resolve().parents[1])

import json
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from PIL import Image

from common.atomic import atomic_file
from common.cli import available_cores, plain_parser
from common.errors import UserError
from common.exit_status import exit_status
from data.layout import video_dir
from data.lists import label_of, labels_of_set
from data.media.container import open_media
from data.media.video import open_video
from data.media.video_stream import stream_frames
from metrics.annotations import Frame
from metrics.runs import Run, read_run
from training.options import ARGS, BEST
from vis.frames import frames_of, read_frame, score_frames
from vis.heat_video.style import Style
from vis.overlay import draw_boxes, overlay, relative
from vis.sheet import LINE, Row, cell, column_sheet, contact_sheet, save_image

if TYPE_CHECKING:
    from training.load import TrainedNetwork

ANIMATED = 3  # videos in a row of heat.webp
FRAMES_PER_SECOND = 10  # of heat.webp


@dataclass(frozen=True)
class Example:
    """A training with its results, and the frames to show, each of another video, as `choose` returns them."""

    folder: Path
    data_dir: Path
    run: Run
    shown: list[tuple[str, Frame, str]]


def read_example(folder: Path) -> Example:
    """Read the folder of a training, with ``args.json`` and ``dmc.pkl``."""
    path = folder / ARGS
    try:
        data_dir = Path(json.loads(path.read_text(encoding="utf-8"))["data_dir"])
    except (OSError, ValueError, KeyError, TypeError, RecursionError) as error:
        raise UserError(f"{path} does not name the data set of a training ({error}): run make examples") from error
    run = read_run(folder / "dmc.pkl")
    return Example(folder, data_dir, run, choose(frames_of(run), labels_of_set(data_dir)))


def choose(frames: dict[str, Frame], labels: dict[str, str]) -> list[tuple[str, Frame, str]]:
    """Title, frame and key: the first of the middle second of each video whose instruments are all new, by title."""
    by_video: dict[str, dict[int, tuple[Frame, str]]] = {}  # video -> second -> its first frame
    for frame, key in sorted((frame, key) for key, frame in frames.items()):
        by_video.setdefault(frame.video, {}).setdefault(frame.second, (frame, key))
    seen: set[str] = set()
    chosen = []
    for video, seconds in by_video.items():
        instruments = label_of(video, labels).split() or [video]
        if seen.isdisjoint(instruments):
            seen.update(instruments)
            chosen.append((" + ".join(instruments), *list(seconds.values())[len(seconds) // 2]))
    return sorted(chosen)


def sheet(example: Example) -> Image.Image:
    """Frames above their overlays with boxes, an overlay for each sound."""
    boxes = score_frames(example.run, None, example.data_dir, needed_by="the sheet").boxes
    a_cluster, columns = example.run.a_cluster, []
    for title, frame, key in example.shown:
        pixels = read_frame(frame, example.data_dir)
        images = [overlay(pixels, relative(heat)) for heat in example.run.maps[key][:a_cluster]]
        if key in boxes:
            images = [draw_boxes(image, boxes[key].corners) for image in images]
        columns.append((title, [cell(image) for image in (pixels, *images)]))
    sounds = ["the sound"] if a_cluster == 1 else [f"sound {cluster + 1}" for cluster in range(a_cluster)]
    return column_sheet(columns, ["frame", *(f"where {sound} comes from" for sound in sounds)])


def heat_frames(video: Path, trained: "TrainedNetwork") -> list[Image.Image]:
    """A video with heat, as vis/localize.py makes it, FRAMES_PER_SECOND cells of a sheet."""
    from vis.heat_video.render import write_heat_video  # here, so that --help need not load PyTorch

    cells = []
    with tempfile.NamedTemporaryFile(suffix=".mp4") as file:
        write_heat_video(video, file, "mp4", trained, Style(range(trained.a_cluster)), available_cores())
        file.flush()
        with open_media(Path(file.name)) as container:
            for one in stream_frames(container, open_video(container, 0)):
                if one.time * FRAMES_PER_SECOND >= len(cells):
                    cells.append(cell(one.frame.to_ndarray(format="rgb24")))
    return cells


def animation(solo: Example, duet: Example) -> list[Image.Image]:
    """Frames with heat: solos above duets."""
    from training.load import load_trained  # as above

    rows = []
    for example, word in ((solo, "solos"), (duet, "duets, each sound in its color")):
        trained, shown = load_trained(example.folder / BEST), example.shown[:ANIMATED]
        videos = [video_dir(example.data_dir) / f"{frame.video}.mp4" for _, frame, _ in shown]
        text = f"{word}: {', '.join(title for title, *_ in shown)}"
        rows.append((text, [heat_frames(video, trained) for video in videos]))
    count = min(len(cells) for _, videos in rows for cells in videos)
    sheets = (
        contact_sheet([""] * ANIMATED, [Row(text, [cells[index] for cells in videos]) for text, videos in rows])
        for index in range(count)
    )
    return [one.crop((0, LINE, one.width, one.height)) for one in sheets]  # without the line of the empty titles


def write_examples(solo_folder: Path, duet_folder: Path, out: Path) -> None:
    """Write the three pictures."""
    solo, duet = read_example(solo_folder), read_example(duet_folder)
    save_image(sheet(solo), out / "example_solo.jpg")
    save_image(sheet(duet), out / "example_duet.jpg")
    first, *others = animation(solo, duet)
    duration = 1000 // FRAMES_PER_SECOND
    with atomic_file(out / "heat.webp") as partial:
        first.save(partial, "WEBP", save_all=True, append_images=others, duration=duration, loop=0, quality=60)
    print(f"Wrote example_solo.jpg, example_duet.jpg and heat.webp to {out}. Next: look at them in README.md")


def main(argv: Sequence[str] | None = None) -> int:
    """Run the program. Returns its exit status."""
    parser = plain_parser(__doc__)
    parser.add_argument("--solo", type=Path, default=Path("runs/demo"), help="training on solos (default: %(default)s)")
    parser.add_argument(
        "--duet", type=Path, default=Path("runs/demo_duet"), help="training on duets (default: %(default)s)"
    )
    parser.add_argument("--out", type=Path, default=Path("vis"), help="folder of the pictures (default: %(default)s)")
    options = parser.parse_args(argv)
    return exit_status("examples", lambda: write_examples(options.solo, options.duet, options.out))


if __name__ == "__main__":
    sys.exit(main())
