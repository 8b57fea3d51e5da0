"""`data/prepare.py` does what the three programs do, and resumes."""

from pathlib import Path

from data import cut_audio, cut_video, prepare, split
from tests.fixtures.media import noise, write_media


def contents(data_dir: Path) -> dict[str, bytes]:
    return {str(path.relative_to(data_dir)): path.read_bytes() for path in data_dir.rglob("*") if path.is_file()}


def make_videos(data_dir: Path) -> Path:
    for number in range(3):
        write_media(data_dir / f"video/v{number}.mp4", frames=50, sound=noise(2, seed=number))
    return data_dir


def run(program, data_dir: Path, *options: str) -> int:
    return program.main(["--data_dir", str(data_dir), *options])


def test_it_writes_what_the_three_programs_write_and_resumes(tmp_path, capsys):
    one, three = make_videos(tmp_path / "one"), make_videos(tmp_path / "three")
    options = {"split": ("--seed", "3"), "frames": ("--fps", "2"), "audio": ("--n_fft", "512")}
    assert run(split, three, *options["split"]) == 0
    assert run(cut_video, three, *options["frames"]) == run(cut_audio, three, *options["audio"]) == 0
    capsys.readouterr()
    every = [word for words in options.values() for word in words]
    assert run(prepare, one, "--num_threads", "1", *every) == 0
    out, err = capsys.readouterr()
    assert contents(one) == contents(three)
    assert out.count("3 cut, 0 there already, 0 failed") == 2 and out.count("Next: ") == 1
    assert out.rstrip().endswith(f"Next: python3 location_dmc.py --data_dir {one}")
    assert "frames: 100%" in err and "spectrograms: 100%" in err
    (one / "video/v1.mp4").rename(one / "video/new.mp4")
    assert run(prepare, one, *every) == 0
    assert capsys.readouterr().out.count("1 cut, 2 there already, 0 failed") == 2


def test_a_failure_of_the_first_step_does_not_stop_the_second(tmp_path, capsys):
    data_dir = make_videos(tmp_path)
    write_media(data_dir / "video/only_audio.mp4", sound=noise(2))
    assert run(prepare, data_dir) == 1
    out, err = capsys.readouterr()
    assert "3 cut, 0 there already, 1 failed" in out and "4 cut, 0 there already, 0 failed" in out
    assert "  only_audio: it has no video stream" in err
