"""Brings sets that are on disk already into the form of this project, by links, without copying.

    python3 data/import_sets.py --flickr Flickr-SoundNet --data_dir datasets/flickr
    python3 data/import_sets.py --vggsound VGGSound --data_dir datasets/vggsound
    python3 data/import_sets.py --avsbench AVSBench --data_dir datasets/avsbench

The folders may have any subfolders. Flickr-SoundNet: ID.jpg with ID.wav or ID.mp3, and ID.xml of the annotated pairs.
VGGSound: clips, or extracted frames with ID_000030.wav, and vggsound.csv. AVSBench: clips, or frames with NAME.wav, and
masks in gt_masks. What is written: links in `video/`, or in `audio/` and `video_frames/`; `labels.json`, the published
lists, `annotations/` and `masks/`. Run it again to add what is new.
"""

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path

if not __package__:  # run by path: imports start at the repository root
    sys.path[0] = str(Path(__file__).resolve().parents[1])

from tqdm import tqdm

from common.cli import command, plain_parser
from common.errors import MediaError, UserError
from common.exit_status import exit_status
from data.layout import annotations_dir, mask_file, video_dir
from data.sets.on_disk import SetOnDisk, find_set, link, link_masks, link_pair, split_and_label
from data.sets.published import (
    Entry,
    clip_name_of,
    one_word,
    read_rows,
    read_vggsound,
    write_labels,
    write_published_lists,
)

SETS = {
    "flickr": "Flickr-SoundNet: images with audio",
    "vggsound": "VGGSound: clips, or frames with audio",
    "avsbench": "AVSBench: frames with audio and masks, or clips",
}
Known = dict[str, tuple[str, str]]  # NAME -> published list, class


def parse(argv: Sequence[str] | None) -> argparse.Namespace:
    """Parse the command line."""
    parser = plain_parser(__doc__)
    sets = parser.add_mutually_exclusive_group(required=True)
    for name, help_text in SETS.items():
        sets.add_argument(f"--{name}", type=Path, metavar="DIR", help=help_text)
    parser.add_argument("--data_dir", type=Path, required=True, metavar="DIR", help="the data set's folder")
    return parser.parse_args(argv)


def known_of_flickr(found: SetOnDisk) -> Known:
    """Return the test pairs: those of ``flickr_test.csv``, else all that are annotated; the others are for training."""
    tables = [path for path in found.tables if path.name == "flickr_test.csv"]
    test = {row[0].strip() for row in read_rows(tables[0])} if tables else set(found.annotations)
    return {name: ("test" if name in test else "train", "") for name in found.audio} if test else {}


def known_of_vggsound(found: SetOnDisk) -> Known:
    """Return the lists and classes of ``vggsound.csv``."""
    tables = [path for path in found.tables if path.name == "vggsound.csv"]
    return {entry.name: (entry.split, entry.label) for entry in (read_vggsound(tables[0]) if tables else ())}


def known_of_avsbench(found: SetOnDisk) -> Known:
    """Return the lists and classes of the tables with a column ``split``; the first column is the NAME."""
    known: Known = {}
    for path in found.tables:
        head, *rows = read_rows(path) or [[]]
        for row in rows if "split" in head else ():
            if len(row) != len(head):
                raise UserError(f"{path}: expected {','.join(head)}, found {','.join(row)!r:.100}")
            fields = dict(zip(head, row, strict=True))
            known[row[0]] = (fields["split"], fields.get("category", ""))
    return known


def import_set(options: argparse.Namespace) -> int:
    """Link a set; return the exit status."""
    kind = next(name for name in SETS if getattr(options, name))
    folder, data_dir = getattr(options, kind), options.data_dir
    if data_dir.resolve().is_relative_to(folder.resolve()):
        raise UserError(f"--data_dir {data_dir} lies in {folder}, whose files are imported: choose another one")
    found = find_set(folder)
    known = {"flickr": known_of_flickr, "vggsound": known_of_vggsound, "avsbench": known_of_avsbench}[kind](found)
    pairs = {name for name in found.frames if kind != "vggsound" or name not in found.videos}
    clips = found.videos.keys() - pairs if kind != "flickr" else set()
    if not pairs | clips:
        raise UserError(f"{folder} holds neither clips nor images with audio of the same name: see --help")

    entries, failures = [], []
    for name in tqdm(sorted(pairs | clips), desc="link", unit="video"):
        ours = clip_name_of(name) if kind == "vggsound" else name
        try:
            if name in pairs:
                link_pair(data_dir, ours, found.audio[name], found.frames[name])
            else:
                video = found.videos[name]
                link(video_dir(data_dir) / f"{ours}{video.suffix.lower()}", video)
        except MediaError as error:
            failures.append(f"{found.audio[name]}: {error}")
            continue
        if name in found.annotations:
            link(annotations_dir(data_dir) / f"{name}.xml", found.annotations[name])
        link_masks(data_dir, ours, found.masks.get(name, ()))
        path = found.audio[name] if name in pairs else found.videos[name]
        split, label = known.get(ours) or split_and_label(path.relative_to(folder))
        entries.append(Entry(ours, ours, one_word(label), split=split))

    write_labels(data_dir, entries)
    print(f"Linked in {data_dir}: {len(clips)} clips, {len(entries) - len(clips)} audio files with frames.")
    if found.lonely:
        print(f"{len(found.lonely)} files left out, images without audio or audio without images: {found.lonely[0]}")
    write_published_lists(data_dir, entries)
    if annotated := sum(entry.name in found.annotations for entry in entries):
        print(f"{annotated} have annotations. To score with them: --boxes {annotations_dir(data_dir)}")
    if masked := sum(entry.name in found.masks for entry in entries):
        print(f"{masked} have masks: {mask_file(data_dir, 'NAME', 0)} is of second 0")
    if failures:
        print(f"{len(failures)} failed:", *failures, sep="\n  ", file=sys.stderr)
    print(f"Next: {command('data/prepare.py', data_dir)}")
    return int(bool(failures))


def main(argv: Sequence[str] | None = None) -> int:
    """Run the program."""
    options = parse(argv)
    return exit_status("import_sets", lambda: import_set(options), stopped="stopped; run it again to link the rest")


if __name__ == "__main__":
    sys.exit(main())
