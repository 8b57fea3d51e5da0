"""Logs of trainings as figures and as SVG for the page."""

import json
import re
from pathlib import Path
from xml.etree import ElementTree

import pytest

from common.errors import UserError
from vis.training_curves import draw_curves, read_log, svg_panels

HEAD = "epoch,loss,train_accuracy,val_loss,val_accuracy\n"


def curves_of(first_loss: float = 3.0, epochs: int = 5) -> dict[str, list[float]]:
    numbers = range(1, epochs + 1)
    loss, accuracy = [first_loss / epoch for epoch in numbers], [1 - 0.5 / epoch for epoch in numbers]
    return {
        "epoch": list(numbers),
        "loss": loss,
        "val_loss": [value + 0.1 for value in loss],
        "train_accuracy": accuracy,
        "val_accuracy": [value - 0.05 for value in accuracy],
    }


def test_runs_share_the_axes_and_have_their_names_in_the_legend():
    figure = draw_curves({"a": curves_of(3.0), "_b$c$": curves_of(2.0)})
    loss, accuracy = figure.axes
    assert (loss.get_title(), accuracy.get_title()) == ("loss", "matching accuracy")
    # Training and validation of each run, and the chance level of accuracies.
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


@pytest.mark.parametrize(
    ("losses", "scale"),
    [([3.0], "linear"), ([3.0, 20000.0], "log"), ([0.0, 20000.0], "linear")],  # 0 has no logarithm
)
def test_losses_of_different_magnitudes_have_a_logarithmic_scale(losses, scale):
    loss, accuracy = draw_curves({str(value): curves_of(value) for value in losses}).axes
    assert (loss.get_yscale(), accuracy.get_yscale()) == (scale, "linear")


def test_many_runs_have_a_color_each_and_a_legend_that_fits():
    figure = draw_curves({f"run_with_a_rather_long_name_{number:02d}": curves_of(epochs=1) for number in range(30)})
    assert len({str(line.get_color()) for line in figure.axes[0].lines}) == 30
    assert all(line.get_marker() == "o" for line in figure.axes[0].lines)  # a line of one point is invisible
    figure.draw_without_rendering()
    box, whole = figure.legends[0].get_window_extent(), figure.bbox
    assert box.y0 >= -1 and box.y1 <= whole.height + 1


def with_distances(folder: Path, loss: str, rows: str = "1,3,0.5,3,0.5,13.3,13.6\n2,3,0.5,3,0.5,6,7\n") -> Path:
    (folder / "args.json").write_text(json.dumps({"loss": loss, "margin": 5}))
    (folder / "log.csv").write_text(f"{HEAD.strip()},positive_distance,negative_distance\n{rows}")
    return folder / "log.csv"


@pytest.mark.parametrize(("loss", "margin"), [("contrastive", [[5, 5]]), ("cross_entropy", [])])
def test_distances_have_a_panel_with_the_margin_of_their_loss(tmp_path, loss, margin):
    curves = read_log(with_distances(tmp_path, loss))
    figure = draw_curves({"new": curves, "old": curves_of()})
    assert [list(line.get_ydata()) for line in figure.axes[2].lines] == [[13.3, 6], [13.6, 7], *margin]
    assert ("margin" in [text.get_text() for text in figure.legends[0].get_texts()]) == bool(margin)
    svg = svg_panels(curves)["distance in training"]
    assert [name in svg for name in ("positive pairs", "negative pairs", "margin")] == [True, True, bool(margin)]


def test_what_a_log_or_its_folder_does_not_have_is_left_out_and_damaged_args_are_named(tmp_path):
    log = with_distances(tmp_path, "contrastive", "1,3,0.5,3,0.5,,\n2,3,0.5,3,0.5,6,7\n")  # an older program began it
    assert list(read_log(log)) == list(curves_of()) and list(svg_panels(read_log(log))) == ["loss", "matching accuracy"]
    log = with_distances(tmp_path, "contrastive")
    (tmp_path / "args.json").write_text("{")
    with pytest.raises(UserError, match=r"args\.json"):
        read_log(log)
    (tmp_path / "args.json").unlink()
    assert "margin" not in read_log(log)


@pytest.mark.parametrize("epochs", [1, 5])
def test_svg_panels_hold_the_curves_in_the_text_color_of_the_page_and_no_addresses(epochs):
    panels = svg_panels(curves_of(epochs=epochs))
    assert list(panels) == ["loss", "matching accuracy"]
    for title, svg in panels.items():
        texts = [text.text for text in ElementTree.fromstring(svg.replace("xlink:", "")).iter("text")]
        assert {title, "epoch", "1", "training", "validation"} <= set(texts)
        assert ("chance" in texts) == (title != "loss")
        assert "#000000" not in svg and "currentColor" in svg and "://" not in svg
        assert len(re.findall("stroke: #1f77b4; stroke-width: 1.5", svg)) >= 2


def test_a_log_that_a_spreadsheet_saved_again_is_read(tmp_path):
    (tmp_path / "log.csv").write_bytes(f"{HEAD}1,3,0.5,3,0.5\n".encode("utf-8-sig"))
    assert read_log(tmp_path / "log.csv")["epoch"] == [1]


LOGS = {
    "no_file": (None, "cannot be read"),
    "empty": ("", "has no epoch"),
    "head_only": (HEAD, "has no epoch"),
    "no_column": ("epoch,loss\n1,2\n", "no column val_loss"),
    "no_number": (f"{HEAD}1,3,0.5,3,0.5\n2,many,0.5,3,0.5\n", "line 3: loss is not a finite number, but 'many'"),
    "not_finite": (f"{HEAD}1,nan,0.5,1,0.5\n", "line 2: loss"),
    "incomplete": (f"{HEAD}1,3,0.5,3,0.5\n2,1.5\n", "line 3: val_loss"),
    "cut_off": (f"{HEAD}1,3,0.5,3,0.5\n2,1.5,0.5,3,0.", "is cut short"),
    "binary": (bytes(range(256)), "not the log.csv"),
}


@pytest.mark.parametrize(("content", "reason"), LOGS.values(), ids=LOGS.keys())
def test_a_bad_log_is_named_with_its_reason(tmp_path, content, reason):
    path = tmp_path / "log.csv"
    if content is not None:
        path.write_bytes(content if isinstance(content, bytes) else content.encode())
    with pytest.raises(UserError) as error:
        read_log(path)
    assert str(path) in str(error.value) and reason in str(error.value)
