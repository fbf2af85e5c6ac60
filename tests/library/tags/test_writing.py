from __future__ import annotations

import shutil
from collections import Counter
from pathlib import Path

import av
import pytest
from audio_makers import id3_tag
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from library_makers import WRITABLE, make_song, sound, tag
from mutagen.flac import FLAC, Picture
from mutagen.id3 import APIC, ID3, TDRC, TIT2, TXXX, TYER, Frame
from mutagen.mp3 import MP3

from genrescope.errors import LibraryError
from genrescope.library.audio_region import audio_hash
from genrescope.library.tags import writing
from genrescope.library.tags.fields import (
    BPM,
    GENRE,
    KEY,
    MP4,
    OWN_GENRE,
    OWN_SET,
    key_text,
    values_of,
)
from genrescope.library.tags.reading import read_tags
from genrescope.library.tags.writing import edit_copy
from genrescope.model.key import KEYS

FFMPEG_NAMES = {GENRE: "genre", OWN_GENRE: "genrescope_genre", OWN_SET: "genrescope_set"}

# What containers cannot hold (NUL), or readers trim, stays out.
words = st.text(
    st.characters(codec="utf-8", exclude_categories=("Cs", "Cc", "Zs", "Zl", "Zp", "Co", "Cn")),
    min_size=1,
    max_size=20,
).filter(lambda text: not text[0].isdigit() and text[0] not in "(")


def _edited(path: Path, changes: dict[str, list[str]]) -> Path:
    copy = path.with_name("copy.part")
    shutil.copyfile(path, copy)
    edit_copy(path, copy, changes)
    done = path.with_name(f"done{path.suffix}")
    copy.replace(done)
    return done


def _by_ffmpeg(path: Path) -> dict[str, str]:
    with av.open(str(path)) as container:
        found = {**container.metadata, **container.streams.audio[0].metadata}
    return {name.casefold(): value for name, value in found.items()}


@pytest.mark.slow
@pytest.mark.parametrize("kind", WRITABLE)
@settings(max_examples=15, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    genres=st.lists(words, min_size=1, max_size=3, unique_by=str.casefold),
    own=words,
    other=words,
    bpm=st.integers(1, 999).map(str),
    key=st.sampled_from([key_text(key) for key in KEYS]),
)
def test_what_is_written_is_read_by_mutagen_and_ffmpeg_and_all_else_stays(
    kind: str, tmp_path: Path, genres: list[str], own: str, other: str, bpm: str, key: str
) -> None:
    path = make_song(tmp_path / f"a{WRITABLE[kind]}", kind, artist=other, genre=other)
    before = read_tags(path)
    genres = genres[:1] if before.family == MP4 else genres
    changes = {GENRE: genres, OWN_GENRE: [own], BPM: [bpm], KEY: [key]}
    done = _edited(path, changes)
    after = read_tags(done)
    assert {meaning: values_of(after.tags, meaning) for meaning in changes} == changes
    assert values_of(after.tags, "artist") == [other]
    assert audio_hash(done) == audio_hash(path)
    told = _by_ffmpeg(done)
    assert told["genre"].startswith(genres[0])
    assert told["genrescope_genre"] == own
    assert told["artist"] == other
    assert key in told.values()
    assert bpm in told.values() or before.family == MP4  # of whose tempo FFmpeg reads a wrong byte
    back = _edited(done, {meaning: values_of(before.tags, meaning) for meaning in changes})
    assert Counter(read_tags(back).tags) == Counter(before.tags)


@pytest.mark.parametrize("kind", WRITABLE)
def test_a_file_without_tags_gets_some_and_loses_them_again(kind: str, tmp_path: Path) -> None:
    path = make_song(tmp_path / f"a{WRITABLE[kind]}", kind)
    done = _edited(path, {GENRE: ["Jazz"], OWN_SET: ["jazz; blues"]})
    assert values_of(read_tags(done).tags, OWN_SET) == ["jazz; blues"]
    back = _edited(done, {GENRE: [], OWN_SET: []})
    assert Counter(read_tags(back).tags) == Counter(read_tags(path).tags)


def test_several_genres_are_several_values(tmp_path: Path) -> None:
    done = _edited(make_song(tmp_path / "a.flac"), {GENRE: ["Jazz", "Blues"]})
    assert FLAC(done)["GENRE"] == ["Jazz", "Blues"]
    done = _edited(make_song(tmp_path / "a.mp3"), {GENRE: ["Jazz", "Blues"]})
    frame = ID3(done)["TCON"]
    assert frame.text == ["Jazz", "Blues"]
    assert b"Jazz\x00Blues" in done.read_bytes()


def _v23(path: Path) -> Path:
    path.write_bytes(sound("mp3-bare"))
    tags = ID3()
    tags.add(TIT2(encoding=1, text=["Title", "Second"]))
    tags.add(TYER(encoding=0, text=["1999"]))
    tags.add(APIC(encoding=0, mime="image/png", type=3, data=b"\x89PNG" * 500))
    tags.save(path, v2_version=3, v23_sep=None)
    return path


def test_id3v2_3_stays_as_it_is(tmp_path: Path) -> None:
    path = _v23(tmp_path / "a.mp3")
    done = _edited(path, {GENRE: ["Jazz"], OWN_GENRE: ["jazz"]})
    assert done.read_bytes()[:4] == b"ID3\x03"
    tags = ID3(done, translate=False)
    assert tags["TIT2"].text == ["Title", "Second"]
    assert tags["TYER"].text == ["1999"]
    assert tags["TCON"].text == ["Jazz"]


def test_id3v2_3_holds_one_genre(tmp_path: Path) -> None:
    with pytest.raises(LibraryError, match=r"ID3v2\.3, which holds one genre"):
        _edited(_v23(tmp_path / "a.mp3"), {GENRE: ["Jazz", "Blues"]})


def test_unknown_frames_stay(tmp_path: Path) -> None:
    path = tmp_path / "a.mp3"
    odd = b"XYZW" + (12).to_bytes(4, "big") + b"\x00\x00" + b"precious data"[:12]
    path.write_bytes(id3_tag(odd) + sound("mp3-bare"))
    assert b"precious dat" in _edited(path, {GENRE: ["Jazz"]}).read_bytes()


def test_an_old_tag_at_the_end_stays_byte_for_byte(tmp_path: Path) -> None:
    old = b"TAG" + b"My title".ljust(30, b"\0") + b"Me".ljust(30, b"\0") + bytes(64) + b"\x11"
    path = tmp_path / "a.mp3"
    path.write_bytes(sound("mp3-bare") + old)
    done = _edited(path, {OWN_GENRE: ["jazz"]})
    assert done.read_bytes()[-128:] == old
    assert ID3(done, load_v1=False)["TIT2"].text == ["My title"]  # the new tag says as much
    both = _edited(done, {OWN_GENRE: ["rock"]})
    assert both.read_bytes()[-128:] == old


def test_pictures_and_other_fields_of_flac_stay(tmp_path: Path) -> None:
    path = make_song(tmp_path / "a.flac", title="T")
    audio = FLAC(path)
    picture = Picture()
    picture.data, picture.mime = b"\x89PNG" * 999, "image/png"
    audio.add_picture(picture)
    audio["mood"] = ["late", "blue"]
    audio.save()
    done = FLAC(_edited(path, {GENRE: ["Jazz"]}))
    assert done.pictures[0].data == picture.data
    assert done["mood"] == ["late", "blue"]


def _add(copy: Path, *frames: Frame) -> None:
    audio = MP3(copy)
    for frame in frames:
        audio.tags.add(frame)
    audio.save()


def test_what_would_change_the_sound_is_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = make_song(tmp_path / "a.mp3", title="T")

    def spoil(copy: Path, *_: object) -> None:
        _add(copy, TXXX(encoding=3, desc="GENRESCOPE_GENRE", text=["jazz"]))
        data = bytearray(copy.read_bytes())
        data[-100] ^= 0xFF
        copy.write_bytes(data)

    monkeypatch.setattr(writing, "_write", spoil)
    with pytest.raises(LibraryError, match="would change its sound"):
        _edited(path, {OWN_GENRE: ["jazz"]})


def test_what_would_change_another_field_is_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = make_song(tmp_path / "a.mp3", title="T")

    def spoil(copy: Path, *_: object) -> None:
        _add(
            copy,
            TXXX(encoding=3, desc="GENRESCOPE_GENRE", text=["jazz"]),
            TDRC(encoding=3, text=["1999"]),
        )

    monkeypatch.setattr(writing, "_write", spoil)
    with pytest.raises(LibraryError, match="would change other fields"):
        _edited(path, {OWN_GENRE: ["jazz"]})


def test_other_containers_are_refused(tmp_path: Path) -> None:
    for kind in ("webm", "aac", "caf", "au", "mka-flac"):
        path = tmp_path / f"a.{kind}"
        path.write_bytes(sound(kind))
        with pytest.raises(LibraryError, match="such a container are not written"):
            _edited(path, {GENRE: ["Jazz"]})


def test_mp4_holds_a_whole_number_as_tempo(tmp_path: Path) -> None:
    path = make_song(tmp_path / "a.m4a")
    for bpm in ("128.5", "fast", "70000"):
        with pytest.raises(LibraryError, match=f"whole numbers as bpm, not '{bpm}'"):
            _edited(path, {BPM: [bpm]})


@pytest.mark.parametrize("kind", ["wv", "ape", "mpc"])
def test_an_old_tag_behind_apev2_stays_byte_for_byte(kind: str, tmp_path: Path) -> None:
    old = b"TAG" + b"My title".ljust(30, b"\0") + b"Me".ljust(30, b"\0") + bytes(64) + b"\x11"
    for tagged in (False, True):
        path = tmp_path / f"a.{kind}"
        path.write_bytes(sound(kind))
        if tagged:
            tag(path, artist="Me")
        path.write_bytes(path.read_bytes() + old)
        done = _edited(path, {GENRE: ["Jazz"]})
        assert done.read_bytes()[-160:-152] == b"APETAGEX"
        assert done.read_bytes()[-128:] == old
        assert _edited(done, {GENRE: []}).read_bytes() == path.read_bytes()


@pytest.mark.parametrize("length", range(15, 24))
def test_apev2_of_the_length_of_an_older_tag_is_not_taken_for_it(
    length: int, tmp_path: Path
) -> None:
    path = make_song(tmp_path / "a.wv", artist="x" * length, title="y" * 19)
    assert audio_hash(path) == audio_hash(make_song(tmp_path / "b.wv"))
    done = _edited(path, {GENRE: ["Jazz"]})
    assert values_of(read_tags(done).tags, "artist") == ["x" * length]


def test_apev2_that_would_lose_a_field_is_refused(tmp_path: Path) -> None:
    path = make_song(tmp_path / "a.wv", album="Me", title="One")
    path.write_bytes(path.read_bytes().replace(b"ALBUM", b"Title"))
    with pytest.raises(LibraryError, match="so that a field would be lost"):
        _edited(path, {GENRE: ["Jazz"]})
    lyrics = b"LYRICSBEGIN" + b"x" * 20 + b"000031LYRICS200"
    path.write_bytes(sound("wv") + lyrics + b"TAG" + bytes(125))
    with pytest.raises(LibraryError, match="lyrics behind its tags"):
        _edited(path, {GENRE: ["Jazz"]})


def test_the_genre_of_a_second_tag_behind_an_mp3_is_known_and_stays(tmp_path: Path) -> None:
    path = make_song(tmp_path / "a.mp3", artist="Me")
    behind = make_song(tmp_path / "b.wv", genre="Polka").read_bytes()[len(sound("wv")) :]
    path.write_bytes(path.read_bytes() + behind)
    assert values_of(read_tags(path).tags, GENRE) == ["Polka"]
    assert _edited(path, {OWN_GENRE: ["jazz"]}).read_bytes().endswith(behind)
    with pytest.raises(LibraryError, match="genre was not written as planned"):
        _edited(path, {GENRE: ["Jazz"]})


def test_other_spellings_of_a_field_are_kept(tmp_path: Path) -> None:
    path = make_song(tmp_path / "a.flac")
    audio = FLAC(path)
    audio["KEY"] = ["Am"]
    audio.save()
    done = FLAC(_edited(path, {KEY: ["Bm"]}))
    assert (done["key"], "initialkey" in done) == (["Bm"], False)


def test_an_asf_file_tells_its_size(tmp_path: Path) -> None:
    done = _edited(make_song(tmp_path / "a.wma"), {OWN_SET: ["x" * 20_000]})
    data = done.read_bytes()
    at = data.index(bytes.fromhex("a1dcab8c47a9cf118ee400c00c205365")) + 40
    assert int.from_bytes(data[at : at + 8], "little") == len(data)
