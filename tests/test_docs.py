"""README.md and docs/ are current: their commands, options, recipe fields, and links exist."""

import argparse
import importlib
import re
import shlex
import signal
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from data.dmc_pkl import write_dmc
from models.recipes import Recipe
from training.options_page import PAGE, options_page

ROOT = Path(__file__).resolve().parents[1]
PATHS = [Path("README.md"), *sorted(path.relative_to(ROOT) for path in (ROOT / "docs").glob("*.md"))]
PAGES = {path: (ROOT / path).read_text("utf-8") for path in PATHS}
README = PAGES[Path("README.md")]
FENCE = re.compile(r"^```(\w*)\n(.*?)^```", re.MULTILINE | re.DOTALL)
BLOCKS = [block for text in PAGES.values() for block in FENCE.findall(text)]
LINES = "".join(block for language, block in BLOCKS if not language).replace("\\\n", " ").replace("&&", "\n")
COMMANDS = [words for line in dict.fromkeys(LINES.splitlines()) if (words := shlex.split(line, comments=True))]
INLINE = " ".join(span for text in PAGES.values() for span in re.findall(r"`([^`\n]+)`", FENCE.sub("", text)))
NOT_OURS = {"mkdir", "cp", "dask", "export", "head=$(scontrol", ".venv/bin/tensorboard"}
OPTIONS_NOT_OURS = {"--help", "--standalone", "--nproc_per_node", "--max-restarts"}
FIELDS = set(Recipe.__dataclass_fields__)
FILES = [file for folder in ("data", "metrics", "vis", ".") for file in sorted((ROOT / folder).glob("*.py"))]
PROGRAMS = [str(file.relative_to(ROOT)) for file in FILES if '__name__ == "__main__"' in file.read_text("utf-8")]
BENCHMARKS = [f"benchmarks/{name}.py" for name in ("preprocessing", "recipes", "scaling", "training")]
SLOW_TO_LOAD = {"torch", "torchvision", "scipy", "sklearn", "matplotlib"}  # half a second to three
parse_args = argparse.ArgumentParser.parse_args


class Parsing(BaseException):
    """Ends a program when it parses its command line; no handler for errors catches it."""


@pytest.fixture
def parser_of(monkeypatch):
    """Returns a program's parser and the words that it parses."""

    def end(parser, words):
        raise Parsing(parser, words)

    def parser_of(script, words=("--help",)):
        with pytest.raises(Parsing) as ended:
            importlib.import_module(script.removesuffix(".py").replace("/", ".")).main(list(words))
        return ended.value.args

    monkeypatch.setattr(argparse.ArgumentParser, "parse_args", end)
    monkeypatch.setattr(signal, "signal", lambda *_: None)
    return parser_of


@pytest.mark.parametrize("words", COMMANDS, ids=" ".join)
def test_command_is_known_and_parses(words, parser_of):
    scripts = [index for index, word in enumerate(words) if word.endswith(".py")]
    assert scripts or words[0] in {"make", *NOT_OURS}
    if words[0] == "make":
        assert re.search(rf"^{words[1]}:", (ROOT / "Makefile").read_text("utf-8"), re.MULTILINE)
    for index in scripts:
        options = parse_args(*parser_of(words[index], words[index + 1 :]))
        assert {str(pair).partition("=")[0] for pair in getattr(options, "set", None) or ()} <= FIELDS


def test_options_and_recipe_fields_in_the_text_exist(parser_of):
    scripts = {word for words in COMMANDS for word in words if word.endswith(".py")} | set(PROGRAMS)
    known = OPTIONS_NOT_OURS.union(*(parser_of(script)[0]._option_string_actions for script in scripts))
    assert set(re.findall(r"(?<![\w-])--[\w-]+", INLINE)) <= known
    assert set(re.findall(r"`(\w+)=", PAGES[Path("docs/recipes.md")])) <= FIELDS


def test_python_blocks_run(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    write_dmc(Path("dmc.pkl"), {"a/frame_000/00000": np.ones((1, 2, 2))}, {"a/frame_000/00000": [1.0]})
    for code in (block for language, block in BLOCKS if language == "python"):
        exec(code, {})


def test_links_lead_to_existing_files_and_headings():
    for page, text in PAGES.items():
        for path, heading in re.findall(r"\]\(([^):#]*)#?([^):]*)\)", text):
            file = ROOT / page.parent / path
            assert file.exists(), f"{page}: {path}"
            titles = re.findall(r"^#+ (.*)", file.read_text("utf-8"), re.MULTILINE) if heading else []
            assert heading in ["", *(re.sub(r"[^\w -]", "", title.lower()).replace(" ", "-") for title in titles)]


def test_readme_is_short_and_links_every_page():
    assert len(README.splitlines()) <= 200
    assert not [page for page in PAGES if f"({page})" not in README and page.name != "README.md"]


def test_file_tree_names_existing_files_and_every_program():
    (tree,) = (block for language, block in BLOCKS if language == "text" and "models/" in block)
    folder, paths = "", set()
    for indent, name in re.findall(r"^( *)(\S+)", tree, re.MULTILINE):
        folder = folder if indent else name
        paths.add(folder + name if indent else name)
    assert not [path for path in paths if not (ROOT / path).exists()]
    assert set(PROGRAMS) <= paths


def test_published_commands_are_unchanged():
    train = "location_dmc.py --v_cluster 2 --a_cluster 1"
    evaluate = f"{train} --evaluate 1 --use_pretrain 1 --ckpt_file path/to/ckpt"
    for command in ("data/cut_video.py", "data/cut_audio.py", train, evaluate):
        assert re.search(rf"^python3 {command}( +#.*)?$", README, re.MULTILINE)


@pytest.mark.slow
@pytest.mark.parametrize("script", PROGRAMS + BENCHMARKS)
def test_program_shows_its_help_in_any_folder_before_it_loads_slow_packages(script, tmp_path):
    command = [sys.executable, "-X", "importtime", ROOT / script, "--help"]
    done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True)
    assert done.returncode == 0 and done.stdout.startswith("usage:"), done.stderr
    imported = {line.rpartition("|")[2].strip() for line in done.stderr.splitlines()}
    assert "common.cli" in imported and not imported & SLOW_TO_LOAD


def test_the_page_of_options_is_current():
    assert PAGE.read_text(encoding="utf-8") == options_page(), "run make docs"
