"""Curves of trainings: drawn over one another by name, bad logs left out and named."""

import csv
from pathlib import Path

import pytest
from PIL import Image

from vis import curves

COLUMNS = ["epoch", "loss", "train_accuracy", "val_loss", "val_accuracy", "learning_rate", "seconds"]


def write_log(folder: Path, epochs: int = 5, loss: float = 3.0, name: str = "log.csv") -> Path:
    folder.mkdir(parents=True, exist_ok=True)
    with (folder / name).open("w", newline="", encoding="utf-8") as file:
        writer = csv.writer(file)
        writer.writerow(COLUMNS)
        for epoch in range(1, epochs + 1):
            accuracy = 1 - 0.5 / epoch
            writer.writerow([epoch, loss / epoch, accuracy, loss / epoch + 0.1, accuracy - 0.05, 1e-4, 9.5])
    return folder / name


def plot(*arguments: object) -> int:
    return curves.main([str(argument) for argument in arguments])


def test_runs_are_drawn_over_one_another_with_their_names(tmp_path):
    logs = [write_log(tmp_path / "runs" / name, loss=loss) for name, loss in (("a", 3.0), ("_b$c$", 2.0))]
    names = curves.run_names(logs)
    figure = curves.draw_curves({names[log]: curves.read_log(log) for log in logs})
    loss, accuracy = figure.axes
    assert (loss.get_title(), accuracy.get_title()) == ("loss", "matching accuracy")
    # Training and validation of each run, and chance beside the accuracies.
    assert [list(line.get_ydata()) for line in loss.lines] == [
        pytest.approx([value / epoch + more for epoch in range(1, 6)]) for value in (3.0, 2.0) for more in (0, 0.1)
    ]
    assert [line.get_linestyle() for line in loss.lines] == ["--", "-"] * 2
    assert len({line.get_color() for line in loss.lines}) == 2
    assert len(accuracy.lines) == 5 and list(accuracy.lines[3].get_ydata())[-1] == pytest.approx(0.85)
    assert list(loss.lines[0].get_xdata()) == [1, 2, 3, 4, 5]
    (legend,) = figure.legends
    texts = [text.get_text() for text in legend.get_texts()]
    assert texts[:2] == ["a", "_b$c$"] and {"validation", "training"} < set(texts)
    assert [handle.get_color() for handle in legend.get_lines()[:2]] == [line.get_color() for line in loss.lines[::2]]


def test_losses_of_other_magnitudes_are_all_seen(tmp_path):
    logs = [write_log(tmp_path / str(loss), loss=loss) for loss in (3.0, 20000.0, 0.0)]
    read = {log.parent.name: curves.read_log(log) for log in logs}
    scales = []
    for names in (["3.0"], ["3.0", "20000.0"], ["0.0", "20000.0"]):  # a loss of 0 has no logarithm
        loss, accuracy = curves.draw_curves({name: read[name] for name in names}).axes
        scales.append((loss.get_yscale(), accuracy.get_yscale()))
    assert scales == [("linear", "linear"), ("log", "linear"), ("linear", "linear")]


def test_the_picture_is_a_png_and_nothing_else_is_left(tmp_path, capsys):
    log, out = write_log(tmp_path / "a"), tmp_path / "new" / "curves.png"
    assert plot(log, "--out", out) == 0
    with Image.open(out) as picture:
        assert picture.format == "PNG" and picture.width > 800
    assert [path.name for path in out.parent.iterdir()] == ["curves.png"]
    assert capsys.readouterr().out.startswith(f"Wrote the curves of 1 run to {out}. Next: ")


def test_bad_logs_are_named_and_the_others_drawn(tmp_path, capsys):
    good = write_log(tmp_path / "good")
    lines = good.read_text().splitlines()
    bad = {
        "no_file": None,
        "empty": "",
        "head_only": lines[0] + "\n",
        "no_column": "epoch,loss\n1,2\n",
        "no_number": "\n".join([*lines[:2], lines[2].replace("1.5,", "many,", 1)]),
        "not_finite": "\n".join([lines[0], "1,nan,0.5,1,0.5,1,1"]),
        "cut_off": "\n".join([*lines[:2], "2,1.5"]),
    }
    paths = []
    for name, text in bad.items():
        paths.append(tmp_path / name / "log.csv")
        paths[-1].parent.mkdir()
        if text is not None:
            paths[-1].write_text(text)
    paths.append(tmp_path / "binary.csv")
    paths[-1].write_bytes(bytes(range(256)))
    out = tmp_path / "curves.png"
    assert plot(*paths, good, "--out", out) == 1
    output = capsys.readouterr()
    errors = output.err.splitlines()
    assert len(errors) == len(paths) and all(error.startswith("left out: ") for error in errors)
    assert all(str(path) in error for path, error in zip(paths, errors, strict=True))
    assert "line 3: loss is no number, but 'many'" in output.err and "no column val_loss" in output.err
    assert "curves of 1 run " in output.out and out.exists()
    out.unlink()
    assert plot(*paths, "--out", out) == 1
    assert "nothing to draw" in capsys.readouterr().err and not out.exists()


def test_runs_are_named_distinctly(tmp_path, monkeypatch):
    monkeypatch.chdir(write_log(tmp_path / "here").parent)
    logs = [write_log(tmp_path / name) for name in ("solo/seed_1", "duet/seed_1", "duet/seed_2", "x/solo/seed_1")]
    old = write_log(tmp_path / "duet/seed_2", name="old.csv")
    names = curves.run_names([*logs, old, Path("log.csv")])
    assert len(set(names.values())) == 6
    assert names[logs[1]] == "duet/seed_1" and names[Path("log.csv")] == "here"
    assert names[logs[0]].endswith("/solo/seed_1") and names[logs[3]] == "x/solo/seed_1"
    assert (names[logs[2]], names[old]) == ("seed_2/log.csv", "seed_2/old.csv")


def test_a_log_that_is_given_twice_is_one_run(tmp_path, capsys):
    log = write_log(tmp_path / "a")
    assert plot(log, tmp_path / "a" / ".." / "a" / "log.csv", "--out", tmp_path / "curves.png") == 0
    assert "curves of 1 run " in capsys.readouterr().out


def test_many_runs_have_a_colour_each_and_a_legend_that_fits(tmp_path):
    logs = [write_log(tmp_path / f"run_with_a_rather_long_name_{number:02d}", epochs=1) for number in range(30)]
    names = curves.run_names(logs)
    figure = curves.draw_curves({names[log]: curves.read_log(log) for log in logs})
    assert len({str(line.get_color()) for line in figure.axes[0].lines}) == 30
    assert all(line.get_marker() == "o" for line in figure.axes[0].lines)  # a line of one point is not seen
    figure.draw_without_rendering()
    box, whole = figure.legends[0].get_window_extent(), figure.bbox
    assert box.y0 >= -1 and box.y1 <= whole.height + 1


@pytest.mark.parametrize("out", ["curves.txt", "curves"])
def test_an_unknown_kind_of_picture_is_named(tmp_path, capsys, out):
    assert plot(write_log(tmp_path / "a"), "--out", tmp_path / out) == 1
    assert out in capsys.readouterr().err and not (tmp_path / out).exists()
