"""Shows the source of the audio in a video of your own, as a heat map over the frames, with the original audio.

    python3 vis/localize.py my_video.mp4 --ckpt_file runs/dmc/best.pth

writes my_video_heat.mp4: the same frames, upright, at the same times. The checkpoint has all options of the network.
"""

import os
import sys
from pathlib import Path

os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")  # NumPy's products are small

if not __package__:  # run by path: imports start at the repository root
    sys.path[0] = str(Path(__file__).resolve().parents[1])

import argparse
import json
import math
import time
from collections.abc import Sequence

from common.atomic import atomic_files
from common.cli import available_cores, number, plain_parser, positive_int, whole_number
from common.errors import UserError
from common.exit_status import exit_status
from data.media.notes import collected_notes
from vis.heat_video.painter import SILENCE, Style
from vis.heat_video.video_writer import kind_of


def parse(argv: Sequence[str] | None) -> argparse.Namespace:
    """Options of this program."""
    parser = plain_parser(__doc__)
    parser.add_argument("video", type=Path, help="any video with audio that FFmpeg reads")
    parser.add_argument(
        "--ckpt_file",
        type=Path,
        default=Path("runs/dmc/best.pth"),
        help="the trained network, also one of the published code (default: %(default)s)",
    )
    parser.add_argument("--out", type=Path, help="the video to write, .mp4, .mov or .mkv (default: VIDEO_heat.mp4)")
    parser.add_argument("--json", type=Path, help="also write the peak and the box of each frame to this file")
    parser.add_argument(
        "--cluster",
        type=whole_number,
        help="show one map only: 0 is matched to the first audio cluster, unmatched ones come last "
        "(default: all matched maps, each in its color)",
    )
    parser.add_argument("--side_by_side", action="store_true", help="show the plain frame on the left")
    parser.add_argument(
        "--draw_box", type=int, choices=(0, 1), default=0, help="1 draws the box around each map's peak (default: 0)"
    )
    parser.add_argument(
        "--silence",
        type=number(float, math.isfinite, "not finite"),
        default=SILENCE,
        metavar="DECIBELS",
        help=f"of full scale: audio up to this level shows no heat, audio 6 above it full heat (default: {SILENCE:g})",
    )
    parser.add_argument("--device", default="auto", choices=("auto", "cpu", "cuda", "mps"), help="auto prefers a GPU")
    parser.add_argument(
        "--num_threads",
        type=positive_int,
        default=available_cores(),
        help="for the decoder, the network and the encoder each (default: one a core, here %(default)s)",
    )
    parser.add_argument(
        "--overwrite", type=int, choices=(0, 1), default=0, help="1 replaces existing files (default: 0)"
    )
    return parser.parse_args(argv)


def require_outputs(video: Path, outputs: dict[str, Path | None], overwrite: bool) -> None:
    """Check that the files, by option, can be written, and make their folders."""
    named = {option: path for option, path in outputs.items() if path}
    if len({path.resolve() for path in (video, *named.values())}) <= len(named):
        raise UserError(f"the video, {' and '.join(named)} have to be different files")
    for option, path in named.items():
        if path.is_dir():
            raise UserError(f"{path} is a folder: name a file with {option}")
        if path.exists() and not overwrite:
            raise UserError(f"{path} exists: replace it with --overwrite 1, or name another file with {option}")
        path.parent.mkdir(parents=True, exist_ok=True)


def localize(options: argparse.Namespace) -> None:
    """Write the video, and the JSON file if the user asked for it."""
    import torch  # these here, so that --help and mistakes in the options need not wait for them

    from training.checkpoints.load import load_trained
    from vis.heat_video.render import write_heat_video

    out = options.out or options.video.with_name(f"{options.video.stem}_heat.mp4")
    kind = kind_of(out)
    require_outputs(options.video, {"--out": out, "--json": options.json}, bool(options.overwrite))
    torch.set_num_threads(options.num_threads)
    trained = load_trained(options.ckpt_file, options.device)
    clusters = range(trained.a_cluster) if options.cluster is None else [options.cluster]
    if clusters[-1] >= trained.v_cluster:
        raise UserError(f"--cluster {options.cluster}: this network has the maps 0 to {trained.v_cluster - 1}")
    style = Style(clusters, bool(options.draw_box), options.side_by_side, options.silence, options.json is not None)
    begin = time.perf_counter()
    outputs = [out, options.json] if options.json else [out]
    with collected_notes() as notes, atomic_files(*outputs) as partials:
        with partials[0].open("wb") as file:
            summary = write_heat_video(options.video, file, kind, trained, style, options.num_threads)
        if options.json:
            content = {"video": str(options.video), "silence": options.silence, "frames": summary.peaks}
            partials[1].write_text(json.dumps(content), encoding="utf-8")
    seconds = time.perf_counter() - begin
    print(
        f"Wrote {out}: {summary.num_frames} frames, {len(summary.distances)} of them with heat, in {seconds:.1f} s, "
        f"{summary.seconds / seconds:.1f} times as fast as real time."
    )
    if options.json:
        print(f"The peak and the box of each frame are in {options.json}.")
    if not summary.distances:
        print(f"No audio is louder than --silence {options.silence:g} decibels: lower it to see heat.")
    if trained.reference and (warning := trained.reference.warning(summary.distances)):
        print(warning)
    for note in notes:
        print(f"{options.video}: {note}")


def main(argv: Sequence[str] | None = None) -> int:
    """Run the program. Returns its exit status."""
    options = parse(argv)
    return exit_status("localize", lambda: localize(options), "stopped, nothing was written")


if __name__ == "__main__":
    sys.exit(main())
