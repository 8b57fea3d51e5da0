"""The programs that are killed: what each starts from, its command, and how to go on after a kill."""

import sys
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import pytest

from data import make_demo, prepare
from tests.fixtures.planted import plant_checkpoint
from tests.fixtures.report_set import make_report_set, make_run
from tests.fixtures.sample_set import make_located_set

ROOT = Path(__file__).resolve().parents[2]
TRAIN = (
    "location_dmc.py --data_dir set --out run --dmc_pkl run/dmc.pkl --v_cluster 2 --a_cluster 1 --epoch 2 --batch_size "
    "4 --num_threads 2 --save_every 0 --set image_size=32 --set visual_weights=none --device cpu --precision fp32"
)


def demo_videos(folder: Path) -> None:
    """Videos that are not yet cut."""
    options = ["--videos", "6", "--seconds", "2", "--num_threads", "2"]
    assert make_demo.main(["--data_dir", str(folder / "set"), *options]) == 0


def prepared_videos(folder: Path) -> None:
    """The same videos, cut."""
    demo_videos(folder)
    assert prepare.main(["--data_dir", str(folder / "set"), "--num_threads", "2"]) == 0


def frames_and_boxes(folder: Path) -> None:
    """A set to train on and to score."""
    make_located_set(folder / "set", train=4, val=2, test=2, seconds=2, size=32)


def trained(folder: Path) -> None:
    """A set and a network."""
    frames_and_boxes(folder)
    plant_checkpoint(folder / "ckpt.pth", [(255, 60, 60), (60, 255, 60)], [(50, 50, 50)], image_size=32)


def videos_and_network(folder: Path) -> None:
    """A video and a network."""
    demo_videos(folder)
    next((folder / "set/video").glob("*.mp4")).rename(folder / "my.mp4")
    plant_checkpoint(folder / "ckpt.pth", [(255, 60, 60), (60, 255, 60)], [(50, 50, 50)], image_size=32)


def videos_and_maps(folder: Path) -> None:
    """A set with videos, boxes, and the maps of a run."""
    make_report_set(folder / "set")
    make_run(folder / "run")


@dataclass(frozen=True)
class Program:
    """A command line that is run in a folder, and what it needs there."""

    name: str
    start: Callable[[Path], None]  # fills the folder
    command: str
    go_on: str = ""  # options that are added after a kill
    launcher: str = ""  # words before the program

    def make_start(self, tmp_path_factory: pytest.TempPathFactory) -> Path:
        """A new folder that the program starts from."""
        folder = tmp_path_factory.mktemp("start") / "work"
        folder.mkdir()
        self.start(folder)
        return folder

    def words(self, more: str = "") -> list[str]:
        """The command line."""
        script, *options = self.command.split()
        return [sys.executable, *self.launcher.split(), str(ROOT / script), *options, *more.split()]


CUT = "--data_dir set --num_threads 2"
TWO_PROCESSES = "-m torch.distributed.run --standalone --nproc_per_node=2"
PROGRAMS = (  # `make test` takes the first ones
    Program("original", frames_and_boxes, f"{TRAIN} --recipe original --cache 0", "--resume 1"),
    Program("cut_video", demo_videos, f"data/cut_video.py {CUT}"),
    Program("score", videos_and_maps, "metrics/score.py run/dmc.pkl --data_dir set --json scores.json"),
    Program("make_demo", lambda _: None, f"data/make_demo.py {CUT} --videos 6 --seconds 2"),
    Program("prepare", demo_videos, f"data/prepare.py {CUT}"),
    Program("cut_video again", prepared_videos, f"data/cut_video.py {CUT} --fps 2 --overwrite 1"),
    Program("cut_audio", demo_videos, f"data/cut_audio.py {CUT}"),
    Program("pretrained", frames_and_boxes, f"{TRAIN} --recipe pretrained", "--resume 1"),
    Program("two processes", frames_and_boxes, f"{TRAIN} --recipe improved --cache 0", "--resume 1", TWO_PROCESSES),
    Program("evaluate", trained, f"{TRAIN} --evaluate 1 --ckpt_file ckpt.pth --cache 0"),
    Program("draw", videos_and_maps, "vis/draw.py run/dmc.pkl --data_dir set --sheet sheet.png"),
    Program("report", videos_and_maps, "vis/report.py run/dmc.pkl --data_dir set --run run"),
    Program(
        "localize",
        videos_and_network,
        "vis/localize.py my.mp4 --ckpt_file ckpt.pth --json my.json --device cpu",
        "--overwrite 1",
    ),
)
