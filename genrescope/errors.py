"""What can go wrong, in words a person can act on."""


class GenrescopeError(Exception):
    """Base of every error raised on purpose; its text is fit to show to a user."""


class AudioError(GenrescopeError):
    """A recording that cannot be used.

    Args:
        name: the file's path, or what the caller calls the upload.
        reason: what is wrong with it, one clause without a full stop.
        remedy: what the user can do about it, one sentence; may be empty.
    """

    def __init__(self, name: str, reason: str, remedy: str = "") -> None:
        self.name = name
        self.reason = reason
        self.remedy = remedy
        super().__init__(f"{name}: {reason}." + (f" {remedy}" if remedy else ""))


class AudioTooLongError(AudioError):
    """A recording over the caller's limit of seconds, refused before it is fully decoded."""


class AudioStoppedError(AudioError):
    """A recording whose decoding the caller stopped, for instance because it took too long."""


class BundleError(GenrescopeError):
    """A bundle that is missing, damaged, or of a format this version does not read."""


class DatasetError(GenrescopeError):
    """A dataset, feature store or split that cannot be used as asked."""


class LibraryError(GenrescopeError):
    """A catalogue, plan or collection that cannot be used as asked.

    Args:
        name: the file, folder or query it is about.
        reason: what is wrong with it, one clause without a full stop.
        remedy: what the user can do about it, one sentence; may be empty.
    """

    def __init__(self, name: str, reason: str, remedy: str = "") -> None:
        self.name = name
        self.reason = reason
        self.remedy = remedy
        super().__init__(f"{name}: {reason}." + (f" {remedy}" if remedy else ""))


class FleetError(GenrescopeError):
    """A manifest, plan, run or dataset of many machines that cannot be used as asked.

    Args:
        name: the file, folder or shard it is about.
        reason: what is wrong with it, one clause without a full stop.
        remedy: what the user can do about it, one sentence; may be empty.
    """

    def __init__(self, name: str, reason: str, remedy: str = "") -> None:
        self.name = name
        self.reason = reason
        self.remedy = remedy
        super().__init__(f"{name}: {reason}." + (f" {remedy}" if remedy else ""))
