"""The benchmark of growing data sets: a whole small run."""

import pytest

from benchmarks import scaling, shared


@pytest.mark.slow
def test_a_whole_run_has_the_figures_of_each_size(training_set, monkeypatch, capsys):
    monkeypatch.setattr(shared, "in_own_process", lambda work, *arguments: work(*arguments))  # a new one takes seconds
    small = "--sizes 60 100 --repeats 1 --steps 1 --image_size 32".split()
    assert scaling.main(["--data_dir", str(training_set), *small]) == 0
    lines = [line for line in capsys.readouterr().out.splitlines() if line.startswith("| ")]
    head, _, *rows = [[cell.strip() for cell in line.strip("|").split("|")] for line in lines]
    assert tuple(head) == scaling.HEAD and [row[0] for row in rows] == ["64", "112"]  # the set has 16 seconds
    for row, steps in zip(rows, (2, 3), strict=True):  # whole batches of 32
        seconds, step, epoch = (float(row[head.index(name)]) for name in ("start-up, s", "step, ms", "epoch, min"))
        assert 0 < float(row[1]) < seconds and epoch == pytest.approx(step * steps / 60_000, abs=0.006)
