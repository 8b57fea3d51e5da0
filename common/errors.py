"""Errors that a user can fix: their text is a sentence for the user, who sees no traceback."""


class UserError(Exception):
    """A mistake in files or options; the text names the file and the remedy."""


class MediaError(UserError):
    """A video or audio file that cannot be used; the text is the reason, the caller names the file."""


class MediaWarning(UserWarning):
    """A flaw of a media file that could be used all the same."""


class SampleError(UserError):
    """A frame or spectrogram on disk that cannot be read."""

    def __init__(self, message: str) -> None:
        # A DataLoader worker passes an error on as its whole traceback, which ends with our sentence.
        super().__init__(message.rsplit("SampleError: ", 1)[-1].strip())


def first_line(error: Exception) -> str:
    """Return the first line of an error's text, or the name of its class if it has no text."""
    return (str(error).strip() or type(error).__name__).splitlines()[0]
