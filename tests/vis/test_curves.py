"""vis/curves.py: names of runs, the written figure, and a reason for each log that is left out."""

from pathlib import Path

import pytest
from PIL import Image

from tests.fixtures.report_set import LOG
from vis import curves


def write_log(folder: Path, name: str = "log.csv") -> Path:
    folder.mkdir(parents=True, exist_ok=True)
    (folder / name).write_text(LOG, encoding="utf-8")
    return folder / name


def plot(*arguments: object) -> int:
    return curves.main([str(argument) for argument in arguments])


def test_good_logs_are_drawn_once_and_bad_ones_named(tmp_path, capsys):
    log, out = write_log(tmp_path / "a"), tmp_path / "new" / "curves.png"
    assert plot(log, tmp_path / "none.csv", tmp_path / "a" / ".." / "a" / "log.csv", "--out", out) == 1
    with Image.open(out) as image:
        assert image.format == "PNG" and image.width > 800
    assert [path.name for path in out.parent.iterdir()] == ["curves.png"]
    output = capsys.readouterr()
    assert output.out.startswith(f"Wrote the curves of 1 run to {out}. Next: ")
    assert output.err.startswith(f"left out: {tmp_path / 'none.csv'} cannot be read") and output.err.count("\n") == 1


def test_without_a_good_log_nothing_is_written(tmp_path, capsys):
    assert plot(tmp_path / "none.csv", "--out", tmp_path / "curves.png") == 1
    assert "nothing to draw" in capsys.readouterr().err and not (tmp_path / "curves.png").exists()


def test_runs_have_distinct_names(tmp_path, monkeypatch):
    monkeypatch.chdir(write_log(tmp_path / "here").parent)
    logs = [write_log(tmp_path / name) for name in ("solo/seed_1", "duet/seed_1", "duet/seed_2", "x/solo/seed_1")]
    old = write_log(tmp_path / "duet/seed_2", name="old.csv")
    names = curves.run_names([*logs, old, Path("log.csv")])
    assert len(set(names.values())) == 6
    assert names[logs[1]] == "duet/seed_1" and names[Path("log.csv")] == "here"
    assert names[logs[0]].endswith("/solo/seed_1") and names[logs[3]] == "x/solo/seed_1"
    assert (names[logs[2]], names[old]) == ("seed_2/log.csv", "seed_2/old.csv")


@pytest.mark.parametrize("out", ["curves.txt", "curves"])
def test_an_unknown_image_format_is_named(tmp_path, capsys, out):
    assert plot(write_log(tmp_path / "a"), "--out", tmp_path / out) == 1
    assert out in capsys.readouterr().err and not (tmp_path / out).exists()
