"""vis/curves.py: names of runs, the written figure, and a reason for each log that is left out."""

from pathlib import Path

import pytest
from PIL import Image

from tests.fixtures.report_set import LOG
from vis import curves


def write_log(folder: Path) -> Path:
    folder.mkdir()
    (folder / "log.csv").write_text(LOG, encoding="utf-8")
    return folder / "log.csv"


def plot(*arguments: object) -> int:
    return curves.main([str(argument) for argument in arguments])


def test_good_logs_are_drawn_once_and_bad_ones_named(tmp_path, capsys):
    log, out = write_log(tmp_path / "a"), tmp_path / "new" / "curves.png"
    assert plot(log, tmp_path / "none.csv", log, "--out", out) == 1
    with Image.open(out) as image:
        assert image.format == "PNG" and image.width > 800
    assert [path.name for path in out.parent.iterdir()] == ["curves.png"]
    output = capsys.readouterr()
    assert output.out.startswith(f"Wrote the curves of 1 run to {out}. Next: ")
    assert output.err.startswith(f"left out: {tmp_path / 'none.csv'} cannot be read") and output.err.count("\n") == 1


def test_without_a_good_log_nothing_is_written(tmp_path, capsys):
    assert plot(tmp_path / "none.csv", "--out", tmp_path / "curves.png") == 1
    assert "nothing to draw" in capsys.readouterr().err and not (tmp_path / "curves.png").exists()


def test_runs_have_the_names_of_their_folders_below_the_common_one(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)

    def names(*logs: str) -> list[str]:
        return curves.run_names(list(map(Path, logs)))

    assert names("runs/a/log.csv") == ["a"] and names("log.csv") == [tmp_path.name]
    assert names("runs/a/log.csv", tmp_path / "runs/b/log.csv") == ["a", "b"]
    assert names("runs/a/1/log.csv", "runs/b/1/log.csv", "runs/b/2/log.csv") == ["a/1", "b/1", "b/2"]
    assert names("a/log.csv", "a/b/log.csv") == ["a", "a/b"]
    assert names("a/log.csv", "a/old.csv", "b/log.csv") == ["a/log.csv", "a/old.csv", "b"]


@pytest.mark.parametrize("out", ["curves.txt", "curves"])
def test_an_unknown_image_format_is_named(tmp_path, capsys, out):
    assert plot(write_log(tmp_path / "a"), "--out", tmp_path / out) == 1
    assert out in capsys.readouterr().err and not (tmp_path / out).exists()
