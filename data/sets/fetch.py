"""Fetches one video with yt-dlp, and says in a word why it could not."""

import contextlib
import logging
import os
import re
import tempfile
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from yt_dlp import YoutubeDL
from yt_dlp.utils import DownloadCancelled, YoutubeDLError, download_range_func

from common.errors import MediaError
from data.media.container import packet_timestamps
from data.sets.published import BLOCKED, DONE, FAILED, GONE, PRIVATE, Entry

CLIP_SECONDS = 10  # of VGGSound
MAX_HEIGHT = 360  # pixels
HTTP_STATUSES = {"401": PRIVATE, "403": BLOCKED, "404": GONE, "410": GONE, "429": BLOCKED, "451": BLOCKED}
# What sites say, of which YouTube's are the most. The first that fits counts: a blocked video is "unavailable" too.
MESSAGES = (
    (PRIVATE, r"private"),
    (BLOCKED, r"your (country|location)|geo|blocked|sign in|log in|login|captcha|rate.?limit|try again later|members"),
    (GONE, r"unavailable|(not|isn't|no longer) available|removed|terminated|deleted|not exist|closed"),
)


@dataclass(frozen=True)
class Fetcher:
    """Fetches videos into a folder, in which a file appears once it is complete."""

    folder: Path
    url: str  # template with {id}
    stopped: Callable[[], bool]  # whether to give up

    def __call__(self, entry: Entry) -> tuple[str, str]:
        """Fetch a video, or its excerpt; return its status and the reason of a failure."""
        # A whole video has the same folder in each run, which goes on with its part. ffmpeg cannot go on with an
        # excerpt, and one of a killed run may still write: an excerpt has a new one.
        incomplete = self.folder / ".incomplete"
        try:
            if entry.start is None:
                work_folder = contextlib.nullcontext(incomplete)
            else:
                work_folder = tempfile.TemporaryDirectory(dir=incomplete, ignore_cleanup_errors=True)
            with work_folder as folder:
                path = self._download(entry, Path(folder))
                try:
                    if not packet_timestamps(path):  # also finds what is no video, or is cut short
                        raise MediaError("it has no frames")
                except MediaError:
                    path.unlink()
                    raise
                os.replace(path, self.folder / f"{entry.name}{path.suffix}")
            return DONE, ""
        except (YoutubeDLError, MediaError) as error:
            return classify(error)
        except Exception as error:  # the other videos go on
            return FAILED, f"{type(error).__name__}: {error}"

    def _download(self, entry: Entry, folder: Path) -> Path:
        """Download into `folder` and return the file."""
        options = {
            "outtmpl": {"default": str(folder).replace("%", "%%") + f"/{entry.name}.%(ext)s"},  # % begins a field
            # The best of at most this height, else the smallest; of these what decodes, and is encoded again, quickly.
            "format_sort": [f"res:{MAX_HEIGHT}", "vcodec:h264", "acodec:aac"],
            "merge_output_format": "mp4/mkv",
            "noplaylist": True,
            "socket_timeout": 20,
            "retries": 3,
            "logger": logging.Logger("yt-dlp", logging.CRITICAL),  # says nothing: errors are raised, too
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
