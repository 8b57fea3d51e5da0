"""Makes the pictures of the README again, from two trainings on generated data sets. `make examples` runs all of it.

    python3 vis/examples.py --solo runs/demo --duet runs/demo_duet

writes example_solo.jpg, example_duet.jpg and heat.webp. Scores do not influence the choice: it takes the middle of the
first test videos with instruments that are not shown yet.
"""

import json
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path

if not __package__:  # run by path: imports start at the repository root
    sys.path[0] = str(Path(__file__).resolve().parents[1])

from PIL import Image

from common.atomic import atomic_file
from common.cli import available_cores, plain_parser
from common.exit_status import exit_status
from data.layout import video_dir
from data.lists import label_of, labels_of_set
from data.media.container import open_media
from data.media.video import open_video
from data.media.video_stream import stream_frames
from metrics.maps.annotations import Frame
from metrics.maps.runs import read_run
from training.options import ARGS, BEST
from vis.frames import boxes_of_set, frames_of, read_frame
from vis.heat_video.painter import Style
from vis.overlay import draw_boxes, overlay, relative
from vis.sheet import LINE, Row, cell, column_sheet, contact_sheet, save_image

ANIMATED = 3  # videos in a row of heat.webp
FRAMES_PER_SECOND = 10  # of heat.webp


class Example:
    """A training with ``args.json`` and ``dmc.pkl`` in its folder, and the frames to show."""

    def __init__(self, folder: Path) -> None:
        self.data_dir = Path(json.loads((folder / ARGS).read_text(encoding="utf-8"))["data_dir"])
        self.run = read_run(folder / "dmc.pkl")
        self.shown = choose(frames_of(self.run), labels_of_set(self.data_dir))
        self.ckpt_file = folder / BEST

    def sheet(self) -> Image.Image:
        """Frames above their overlays with boxes, an overlay for each sound."""
        boxes, columns = boxes_of_set(self.data_dir), []
        for title, frame, key in self.shown:
            pixels = read_frame(frame, self.data_dir)
            images = [overlay(pixels, relative(heat)) for heat in self.run.maps[key][: self.run.a_cluster]]
            if frame in boxes:
                images = [draw_boxes(image, boxes[frame].corners) for image in images]
            columns.append((title, [cell(image) for image in (pixels, *images)]))
        sounds = [f"sound {number}" for number in range(1, self.run.a_cluster + 1)]
        sounds = sounds if len(sounds) > 1 else ["the sound"]
        return column_sheet(columns, ["frame", *(f"where {sound} comes from" for sound in sounds)])

    def animation(self, word: str) -> list[Row]:
        """A row of videos with heat, as vis/localize.py makes them, at each moment."""
        from training.checkpoints.load import load_trained  # here, so that --help need not load PyTorch
        from vis.heat_video.render import write_heat_video

        trained, shown = load_trained(self.ckpt_file), self.shown[:ANIMATED]
        style, videos = Style(range(trained.a_cluster)), []
        for _, frame, _ in shown:
            video = video_dir(self.data_dir) / f"{frame.video}.mp4"
            with tempfile.NamedTemporaryFile(suffix=".mp4") as file:
                write_heat_video(video, file, "mp4", trained, style, available_cores())
                file.flush()
                videos.append(cells_of(Path(file.name)))
        text = f"{word}: {', '.join(title for title, *_ in shown)}"
        return [Row(text, cells) for cells in zip(*videos, strict=False)]


def choose(frames: dict[str, Frame], labels: dict[str, str]) -> list[tuple[str, Frame, str]]:
    """Title, frame and key of the middle of each video whose instruments are all new, by title."""
    by_video: dict[str, list[tuple[Frame, str]]] = {}
    for frame, key in sorted((frame, key) for key, frame in frames.items()):
        by_video.setdefault(frame.video, []).append((frame, key))
    seen: set[str] = set()
    chosen = []
    for video, of_video in by_video.items():
        instruments = label_of(video, labels).split() or [video]
        if seen.isdisjoint(instruments):
            seen.update(instruments)
            chosen.append((" + ".join(instruments), *of_video[len(of_video) // 2]))
    return sorted(chosen)


def cells_of(video: Path) -> list[Image.Image]:
    """The frames of a video as cells of a sheet, FRAMES_PER_SECOND."""
    cells = []
    with open_media(video) as container:
        for one in stream_frames(container, open_video(container, 0)):
            if one.time * FRAMES_PER_SECOND >= len(cells):
                cells.append(cell(one.frame.to_ndarray(format="rgb24")))
    return cells


def write_examples(solo_folder: Path, duet_folder: Path, out: Path) -> None:
    """Write the three pictures."""
    solo, duet = Example(solo_folder), Example(duet_folder)
    save_image(solo.sheet(), out / "example_solo.jpg")
    save_image(duet.sheet(), out / "example_duet.jpg")
    rows = zip(solo.animation("solos"), duet.animation("duets, each sound in its color"), strict=False)
    sheets = [contact_sheet([""] * ANIMATED, pair) for pair in rows]
    first, *others = [one.crop((0, LINE, *one.size)) for one in sheets]  # without the line of the empty titles
    duration = 1000 // FRAMES_PER_SECOND
    with atomic_file(out / "heat.webp") as partial:
        first.save(partial, "WEBP", save_all=True, append_images=others, duration=duration, loop=0, quality=60)
    print(f"Wrote example_solo.jpg, example_duet.jpg and heat.webp to {out}. Next: look at them in README.md")


def main(argv: Sequence[str] | None = None) -> int:
    """Run the program. Returns its exit status."""
    parser = plain_parser(__doc__)
    parser.add_argument("--solo", type=Path, required=True, help="folder of a training on solos")
    parser.add_argument("--duet", type=Path, required=True, help="folder of a training on duets")
    parser.add_argument("--out", type=Path, default=Path("vis"), help="folder of the pictures (default: %(default)s)")
    options = parser.parse_args(argv)
    return exit_status("examples", lambda: write_examples(options.solo, options.duet, options.out))


if __name__ == "__main__":
    sys.exit(main())
