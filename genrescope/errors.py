"""What can go wrong, in words a person can act on."""


class GenrescopeError(Exception):
    """Base of every error raised on purpose; its text is fit to show to a user."""


class ReasonedError(GenrescopeError):
    """Something that cannot be used as asked, with the reason and the remedy.

    Args:
        name: what it is about: a file, a folder, what the caller calls an upload.
        reason: what is wrong with it, one clause without a full stop.
        remedy: what the user can do about it, one sentence; may be empty.
    """

    def __init__(self, name: str, reason: str, remedy: str = "") -> None:
        self.name = name
        self.reason = reason
        self.remedy = remedy
        super().__init__(f"{name}: {reason}." + (f" {remedy}" if remedy else ""))


class AudioError(ReasonedError):
    """A recording that cannot be used; ``name`` is its path, or what the caller calls it."""


class AudioTooLongError(AudioError):
    """A recording over the caller's limit of seconds, refused before it is fully decoded."""


class AudioStoppedError(AudioError):
    """A recording whose decoding the caller stopped, for instance because it took too long."""


class BundleError(GenrescopeError):
    """A bundle that is missing, damaged, or of a format this version does not read."""


class DatasetError(GenrescopeError):
    """A dataset, feature store or split that cannot be used as asked."""


class LibraryError(ReasonedError):
    """A catalogue, plan or collection that cannot be used as asked: a file, folder or query."""


class FleetError(ReasonedError):
    """A manifest, plan, run, shard or dataset of many machines that cannot be used as asked."""
