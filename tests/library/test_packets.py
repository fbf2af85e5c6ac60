from __future__ import annotations

import socket
from pathlib import Path

import pytest
from library_makers import WRITABLE, make_song, tag

from genrescope.errors import LibraryError
from genrescope.library.audio_region import audio_hash
from genrescope.library.packets import packets_hash


@pytest.mark.parametrize("kind", WRITABLE)
def test_tags_do_not_change_it_and_another_sound_does(kind: str, tmp_path: Path) -> None:
    path = make_song(tmp_path / f"a{WRITABLE[kind]}", kind)
    before = packets_hash(path)
    tag(path, artist="Somebody", title="long " * 900)
    assert packets_hash(path) == before
    assert packets_hash(make_song(tmp_path / f"b{WRITABLE[kind]}", kind, seed=1)) != before


def test_a_table_that_leads_elsewhere_changes_it(tmp_path: Path) -> None:
    """The media data alone would not tell: every byte of it is still there."""
    path = make_song(tmp_path / "a.m4a", "m4a-faststart", seconds=3)
    region, packets = audio_hash(path), packets_hash(path)
    data = bytearray(path.read_bytes())
    at = data.index(b"stco") + 12
    data[at : at + 4] = (int.from_bytes(data[at : at + 4], "big") + 5).to_bytes(4, "big")
    path.write_bytes(data)
    assert audio_hash(path) == region
    assert packets_hash(path) != packets


def test_what_holds_no_sound_is_named(tmp_path: Path) -> None:
    (tmp_path / "a.mp3").write_bytes(b"nothing")
    with pytest.raises(LibraryError, match=r"a\.mp3: its sound cannot be found"):
        packets_hash(tmp_path / "a.mp3")


@pytest.mark.slow
def test_a_list_of_other_files_is_no_sound(tmp_path: Path) -> None:
    """FFmpeg would open what such a list names, here and on other machines."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        server.settimeout(0.2)
        address = f"http://127.0.0.1:{server.getsockname()[1]}/secret.ts"
        playlist = f"#EXTM3U\n#EXT-X-TARGETDURATION:9\n#EXTINF:9,\n{address}\n#EXT-X-ENDLIST\n"
        for text in (playlist, f"ffconcat version 1.0\nfile {address}\n"):
            (tmp_path / "a.mp3").write_text(text)
            with pytest.raises(LibraryError, match=r"a\.mp3: its sound cannot be found"):
                packets_hash(tmp_path / "a.mp3")
        with pytest.raises(TimeoutError):
            server.accept()
