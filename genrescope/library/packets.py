"""The hash of a recording's packets as a player finds them, whatever stands around them."""

from __future__ import annotations

import hashlib
import os

import av

from genrescope.audio.ffmpeg import open_container
from genrescope.audio.source import open_input
from genrescope.audio.tags import without_tags
from genrescope.errors import AudioError, LibraryError


def packets_hash(path: str | os.PathLike[str]) -> bytes:
    """A digest of 20 bytes (BLAKE2b) of the first audio stream's packets, by FFmpeg's demuxer.

    Unlike `audio_hash` it follows the tables that lead to the sound, so that a container whose
    tables were damaged differs. It may differ between versions of FFmpeg: compare, do not store.

    Raises:
        LibraryError: FFmpeg finds no sound.
    """
    digest = hashlib.blake2b(digest_size=20)
    try:
        with open_input(path, None) as file, open_container(without_tags(file)) as container:
            for packet in container.demux(container.streams.audio[0]):
                digest.update(bytes(packet))
            file.check()
    except (AudioError, av.FFmpegError, IndexError, OSError) as error:
        raise LibraryError(os.fspath(path), f"its sound cannot be found ({error})") from error
    return digest.digest()
