from __future__ import annotations

import sys
from pathlib import Path

import pytest
from audio_makers import chord, encoded
from library_makers import WRITABLE, make_song, sound
from mutagen.apev2 import APEv2, APEv2File
from mutagen.flac import FLAC
from mutagen.id3 import APIC, COMM, ID3, TCON, TPE1, TXXX, WOAR
from odd_makers import free_format

from genrescope.errors import LibraryError
from genrescope.library.tags import reading
from genrescope.library.tags.fields import Tag, values_of
from genrescope.library.tags.reading import genres_of, read_tags


@pytest.mark.parametrize("kind", WRITABLE)
def test_facts_are_read_from_every_container(kind: str, tmp_path: Path) -> None:
    path = make_song(
        tmp_path / f"a{WRITABLE[kind]}", kind, artist="Ünï", title="T", album="A", genre="Jazz"
    )
    read = read_tags(path)
    assert values_of(read.tags, "artist") == ["Ünï"]
    assert genres_of(read.tags) == ["Jazz"]
    assert read.family is not None
    assert read.codec
    assert read.duration_s == pytest.approx(1, abs=0.1)


def test_every_field_and_value_in_order(tmp_path: Path) -> None:
    path = make_song(tmp_path / "a.flac")
    audio = FLAC(path)
    audio["GENRE"] = ["Soul", "Jazz"]
    audio["mood"] = ["late"]
    audio["Artist"] = ["A", "B"]
    audio.save()
    assert read_tags(path).tags == (
        Tag("GENRE", "Soul"),
        Tag("GENRE", "Jazz"),
        Tag("mood", "late"),
        Tag("Artist", "A"),
        Tag("Artist", "B"),
    )


def test_all_kinds_of_id3_frames(tmp_path: Path) -> None:
    path = make_song(tmp_path / "a.mp3")
    tags = ID3()
    tags.add(TPE1(encoding=3, text=["A", "B"]))
    tags.add(TXXX(encoding=3, desc="mood", text=["late"]))
    tags.add(COMM(encoding=3, lang="eng", desc="", text=["Nice"]))
    tags.add(WOAR(url="https://example.org"))
    tags.add(APIC(encoding=3, mime="image/png", type=3, data=b"\x89PNG" * 100))
    tags.save(path)
    read = read_tags(path).tags
    assert {("TPE1", "A"), ("TPE1", "B"), ("TXXX:mood", "late"), ("COMM::eng", "Nice")} <= set(read)
    assert ("WOAR", "https://example.org") in read
    (picture,) = (tag.value for tag in read if tag.field.startswith("APIC"))
    assert picture.startswith("(image/png, 400 bytes, ")


@pytest.mark.parametrize("text", ["17", "(17)", "(17)Rock", "Rock"])
def test_numbers_of_genres_are_spelt_out(text: str, tmp_path: Path) -> None:
    path = make_song(tmp_path / "a.mp3")
    tags = ID3()
    tags.add(TCON(encoding=3, text=[text]))
    tags.save(path)
    read = read_tags(path).tags
    assert values_of(read, "genre") == [text]
    assert genres_of(read) == ["Rock"]


def test_ape_tags_of_other_containers_are_read_but_not_written(tmp_path: Path) -> None:
    path = tmp_path / "a.ape"
    tags = APEv2()
    tags["Artist"] = ["A", "B"]
    tags.save(path)
    read = read_tags(path, kind=APEv2File)
    assert values_of(read.tags, "artist") == ["A", "B"]
    assert read.family is None


@pytest.mark.parametrize(
    ("name", "data"),
    [
        ("a.webm", sound("webm")),
        ("a.wav", sound("rf64")),
        ("a.avi", b"RIFF\x10\0\0\0AVI LIST" + bytes(99)),
        ("a.iff", b"FORM\0\0\0\x108SVXVHDR" + bytes(99)),
        ("a.mpg", b"\0\0\1\xba" + bytes(99)),
    ],
)
def test_what_is_no_known_container_has_no_tags(name: str, data: bytes, tmp_path: Path) -> None:
    path = tmp_path / name
    path.write_bytes(data)
    assert read_tags(path).tags == ()


def test_a_wrong_ending_does_not_matter(tmp_path: Path) -> None:
    path = make_song(tmp_path / "a.flac", title="T")
    path.rename(tmp_path / "a.mp3")
    assert values_of(read_tags(tmp_path / "a.mp3").tags, "title") == ["T"]


def test_damaged_and_absent_files_are_named(tmp_path: Path) -> None:
    with pytest.raises(LibraryError, match=r"absent\.mp3: its tags cannot be read"):
        read_tags(tmp_path / "absent.mp3")
    (tmp_path / "bad.flac").write_bytes(b"fLaC\x84\x00\xff\xff" + b"\xff" * 50)
    with pytest.raises(LibraryError, match=r"bad\.flac: its tags cannot be read"):
        read_tags(tmp_path / "bad.flac")


def test_long_texts_are_digests_and_too_many_are_refused(tmp_path: Path) -> None:
    path = make_song(tmp_path / "a.flac")
    audio = FLAC(path)
    audio["LYRICS"] = ["la " * 10_000]
    audio["COMMENT"] = ["x" * 100_000, "y" * 100_000]
    audio.save()
    values = {tag.field: tag.value for tag in read_tags(path).tags}
    assert values["LYRICS"] == "la " * 10_000
    assert values["COMMENT"].startswith("(text, 100000 bytes, ")
    comments = [tag.value for tag in read_tags(path).tags if tag.field == "COMMENT"]
    assert len(set(comments)) == 2
    audio["A"] = ["b"] * 10_001
    audio.save()
    with pytest.raises(LibraryError, match="there are more than 10,000"):
        read_tags(path)


@pytest.mark.slow
@pytest.mark.skipif(sys.platform == "win32", reason="there no timer interrupts")
@pytest.mark.usefixtures("main_thread", "no_callbacks_of_the_collector")
@pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning")  # see _AGAIN_S
def test_a_file_made_to_take_hours_is_given_up(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A million empty blocks in FLAC, or frames of one name in ID3, take mutagen squared time."""
    monkeypatch.setattr(reading, "MOST_CPU_S", 0.1)
    flac = make_song(tmp_path / "a.flac").read_bytes()
    (tmp_path / "a.flac").write_bytes(flac[:4] + b"\0" + flac[5:42] + b"\x01\0\0\0" * 1_000_000)
    frame = b"TXXX\0\0\0\4\0\0\x03a\0b"
    size = len(frame) * 300_000
    sizes = bytes(size >> shift & 127 for shift in (21, 14, 7, 0))
    (tmp_path / "b.mp3").write_bytes(b"ID3\4\0\0" + sizes + frame * 300_000)
    for name in ("a.flac", "b.mp3"):
        with pytest.raises(LibraryError, match=r"cannot be read \(it took more than 0\.1 seconds"):
            read_tags(tmp_path / name)


def test_a_tag_before_another_sound_and_free_format_are_no_damage(tmp_path: Path) -> None:
    tag = ID3()
    tag.add(TPE1(encoding=3, text=["Ann"]))
    for kind in ("wav16", "aiff"):
        path = tmp_path / f"a.{kind[:3]}"
        tag.save(path)
        path.write_bytes(path.read_bytes() + sound(kind))
        read = read_tags(path)
        assert values_of(read.tags, "artist") == ["Ann"]
        assert (read.family, read.codec) == (None, None)
    (tmp_path / "free.mp3").write_bytes(
        free_format(encoded("mp3-bare", chord(1.0, 48_000), 48_000))
    )
    assert read_tags(tmp_path / "free.mp3").tags == ()
    (tmp_path / "noise.mp3").write_bytes(b"no sound" * 1_000)
    with pytest.raises(LibraryError):
        read_tags(tmp_path / "noise.mp3")
