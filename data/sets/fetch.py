"""Fetches one video with yt-dlp, and says in a word why it could not."""

import contextlib
import os
import re
import shutil
import tempfile
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

from yt_dlp import YoutubeDL
from yt_dlp.utils import DownloadCancelled, YoutubeDLError, download_range_func

from common.errors import MediaError
from data.media.container import packet_timestamps
from data.sets.published import BLOCKED, DONE, FAILED, GONE, PRIVATE, Entry, Outcome

CLIP_SECONDS = 10  # of VGGSound
HTTP_STATUSES = {"401": PRIVATE, "403": BLOCKED, "404": GONE, "410": GONE, "429": BLOCKED, "451": BLOCKED}
# What sites say, of which YouTube's are the most. The first that fits counts: a blocked video is "unavailable" too.
MESSAGES = (
    (PRIVATE, r"private"),
    (BLOCKED, r"your (country|location)|geo|blocked|sign in|log in|login|captcha|rate.?limit|try again later|members"),
    (GONE, r"unavailable|(not|isn't|no longer) available|removed|terminated|deleted|not exist|closed"),
)


class _Silent:
    """Swallows the messages of yt-dlp: errors are raised, too."""

    def debug(self, message: str) -> None:
        """Swallow a message."""

    info = warning = error = debug


@dataclass(frozen=True)
class Fetcher:
    """Fetches videos into a folder, in which a file appears once it is complete."""

    folder: Path
    url: str  # template with {id}
    max_height: int  # pixels; taller only if there is nothing smaller
    stopped: Callable[[], bool]  # whether to give up

    def __call__(self, entry: Entry) -> Outcome:
        """Fetch a video, or its excerpt."""
        try:
            with self._work_folder(entry) as folder:
                path = self._download(entry, folder)
                try:
                    if not packet_timestamps(path):  # also finds what is no video, or is cut short
                        raise MediaError("it has no frames")
                except MediaError:
                    path.unlink()
                    raise
                os.replace(path, self.folder / f"{entry.name}{path.suffix}")
            return Outcome(entry, DONE)
        except (YoutubeDLError, MediaError) as error:
            return Outcome(entry, *classify(error))
        except Exception as error:  # the other videos go on
            return Outcome(entry, FAILED, f"{type(error).__name__}: {error}")

    @contextlib.contextmanager
    def _work_folder(self, entry: Entry) -> Iterator[Path]:
        """Yield a hidden folder for incomplete files.

        A whole video has the same one in each run, which goes on with its part. ffmpeg cannot go on with an excerpt,
        and one of a killed run may still write: an excerpt has a new one.
        """
        folder = self.folder / ".incomplete"
        if entry.start is None:
            yield folder
            return
        new = Path(tempfile.mkdtemp(dir=folder))
        try:
            yield new
        finally:
            shutil.rmtree(new, ignore_errors=True)

    def _download(self, entry: Entry, folder: Path) -> Path:
        """Download into `folder` and return the file."""
        options = {
            "outtmpl": {"default": str(folder).replace("%", "%%") + f"/{entry.name}.%(ext)s"},  # % begins a field
            # The best of at most this height, else the smallest; of these what decodes, and is encoded again, quickly.
            "format_sort": [f"res:{self.max_height}", "vcodec:h264", "acodec:aac"],
            "merge_output_format": "mp4/mkv",
            "noplaylist": True,
            "socket_timeout": 20,
            "retries": 3,
            "logger": _Silent(),
            "noprogress": True,
            "color": "no_color",
            "progress_hooks": [self._give_up],
            "external_downloader_args": {"ffmpeg": ["-loglevel", "quiet"]},
        }
        if entry.start is not None:
            # yt-dlp has ffmpeg fetch this part only: whole videos would be many times as much. Cut at any frame, not
            # at a keyframe before it, the excerpt has the seconds that the boxes of VGG-SS were drawn for.
            options["download_ranges"] = download_range_func(None, [(entry.start, entry.start + CLIP_SECONDS)])
            options["force_keyframes_at_cuts"] = True
        with YoutubeDL(options) as downloader:
            self._give_up()
            info = downloader.extract_info(self.url.replace("{id}", entry.identity))
        return Path(info["requested_downloads"][0]["filepath"])

    def _give_up(self, _: object = None) -> None:
        if self.stopped():
            raise DownloadCancelled


def classify(error: Exception) -> tuple[str, str]:
    """Return status and reason of an error, one line."""
    if isinstance(error, MediaError):
        return FAILED, str(error)
    text = " ".join(str(error).split()).removeprefix("ERROR: ")
    text = re.sub(r"^(\[\S+\] )?([\w.-]+: )?", "", text)  # [site] ID:
    text = re.split(r" \(caused by|; please report", text)[0]
    if code := re.search(r"HTTP Error (\d{3})", text):
        return HTTP_STATUSES.get(code[1], FAILED), text
    return next((status for status, pattern in MESSAGES if re.search(pattern, text, re.IGNORECASE)), FAILED), text
