"""The README says what is there: every option of every program, and links that lead somewhere."""

import re
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[1]
README = (ROOT / "README.md").read_text(encoding="utf-8")
SCRIPTS = [
    "data/make_demo.py",
    "data/split.py",
    "data/cut_video.py",
    "data/cut_audio.py",
    "vis/samples.py",
    "vis/draw.py",
    "vis/curves.py",
    "vis/report.py",
    "vis/localize.py",
    "vis/examples.py",
    "location_dmc.py",
    "metrics/score.py",
    "benchmarks/recipes.py",
    "benchmarks/training.py",
    "benchmarks/loading.py",
    "benchmarks/gpu.py",
    "benchmarks/preprocessing.py",
    "benchmarks/scaling.py",
]


def documented() -> dict[str, set[str]]:
    """Script -> the options that the README gives it, in its own rows and in the sentence before them."""
    chapter = re.search(r"^## Options\n(.*?)^## ", README, re.MULTILINE | re.DOTALL)[1]
    of_scripts, of_recipes = (
        [[cell.strip() for cell in row.split("|")[1:3]] for row in table.splitlines()[2:]]
        for table in re.findall(r"(?:^\|.*\n)+", chapter, re.MULTILINE)
    )
    found: dict[str, set[str]] = {}
    for script, options in of_scripts:
        if script:  # the rows that follow name none
            rows = found.setdefault(script.strip("`"), set())
        rows.update(re.findall(r"`(--\w+)`", options))
    for options, _ in of_recipes:
        found["location_dmc.py"].update(re.findall(r"`(--\w+)`", options))
    without_data = re.search(r"all but (.*?) take `--data_dir`", chapter, re.DOTALL)[1]
    for script, options in found.items():
        if f"`{script}`" not in without_data:
            options.add("--data_dir")
    return found


def test_the_table_of_options_has_rows_of_every_script_and_no_other():
    assert sorted(documented()) == sorted(SCRIPTS)


@pytest.mark.parametrize("script", SCRIPTS)
def test_help_works_from_any_folder_and_the_readme_gives_the_script_the_very_options_that_it_has(script, tmp_path):
    # What other scripts' rows say is no help: options of one name mean different things.
    done = subprocess.run([sys.executable, ROOT / script, "--help"], cwd=tmp_path, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    options = set(re.findall(r"^  (--\w+)", done.stdout, re.MULTILINE))  # further to the right, help speaks of others
    assert options == documented()[script]


def test_links_and_pictures_are_there():
    targets = [target for target in re.findall(r"\]\(([^)]+)\)", README) if "://" not in target]
    assert len(targets) >= 5
    assert [target for target in targets if not (ROOT / target).exists()] == []


def test_the_commands_of_the_procedure_are_the_contract():
    for line in (
        "make demo",
        "make test",
        "python3 data/make_demo.py",
        "python3 data/split.py",
        "python3 data/cut_video.py",
        "python3 data/cut_audio.py",
        "python3 location_dmc.py --v_cluster 2 --a_cluster 1\n",
        "python3 metrics/score.py dmc.pkl",
        "python3 vis/draw.py dmc.pkl",
        "python3 vis/curves.py runs/*/log.csv --out curves.png",
        "python3 vis/report.py dmc.pkl",
        "python3 vis/localize.py my_video.mp4 --ckpt_file runs/dmc/best.pth",
        "python3 location_dmc.py --v_cluster 2 --a_cluster 1 --evaluate 1 --use_pretrain 1 --ckpt_file path/to/ckpt",
    ):
        assert line in README
