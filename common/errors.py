"""What goes wrong through a user's files or options, told in a sentence for them instead of a traceback."""


class UserError(Exception):
    """Something the user can mend; its text names the file and the remedy."""


class MediaError(UserError):
    """A video or sound file that cannot be used; its text is the reason, the caller names the file."""


class MediaWarning(UserWarning):
    """Something about a media file that its user may want to know, though it could be used."""


class SampleError(UserError):
    """A frame or spectrogram on disk that cannot be read."""

    def __init__(self, message: str) -> None:
        # A DataLoader worker hands an error over as its whole traceback, which ends with our sentence.
        super().__init__(message.rsplit("SampleError: ", 1)[-1].strip())


def first_line(error: Exception) -> str:
    """What an error says, without what follows in further lines; the name of its class where it says nothing."""
    return (str(error).strip() or type(error).__name__).splitlines()[0]
