"""``genrescope library``: scan, judge, list, check, export, odd, similar, duplicates,
learn, tags, playlist"""

from __future__ import annotations

import time
from collections import Counter
from pathlib import Path
from typing import TYPE_CHECKING

import click
from click.exceptions import Exit

from genrescope.cli.collection import (
    catalogue_option,
    collection_options,
    json_option,
    opened,
    print_songs,
)
from genrescope.cli.library_playlist import playlist
from genrescope.cli.library_tags import tags
from genrescope.cli.options import PATH, Group
from genrescope.cli.terminal import echo, printable

if TYPE_CHECKING:
    from genrescope.library import judge as judging
    from genrescope.library import scan as scanning

_PAUSE_S = 5.0  # from one line about a long scan to the next


@click.group(cls=Group, subcommand_metavar="VERB ...")
def library() -> None:
    """Catalogue a collection: classify each file once, compare tags with sound, write tags.

    Begin with scan and judge. Nothing is ever written to a file of music but by tags apply and
    tags undo, and by these only with --write. No command deletes music.
    """


library.add_command(tags)
library.add_command(playlist)


@library.command()
@click.argument("roots", type=PATH, nargs=-1, metavar="[FOLDER...]")
@click.option(
    "--forget-empty",
    is_flag=True,
    help="Forget the files of a folder that is empty now; without it, an empty folder is taken "
    "for a disk that is not connected.",
)
@catalogue_option
def scan(roots: tuple[Path, ...], forget_empty: bool, catalogue_path: Path | None) -> None:
    """Read the tags of new and changed files in folders of music.

    Without a folder, all that were scanned before are looked at again.
    """
    from genrescope.cli.output import complain
    from genrescope.library.catalogue import Catalogue
    from genrescope.library.scan import Report
    from genrescope.library.scan import scan as run

    shown_at = time.monotonic()

    def tell(report: scanning.Report) -> None:
        nonlocal shown_at
        if time.monotonic() - shown_at > _PAUSE_S:
            shown_at = time.monotonic()
            echo(f"{report.files} files, {report.new} new ...", err=True)

    with Catalogue(catalogue_path) as catalogue:
        report: Report = run(catalogue, roots, forget_empty=forget_empty, progress=tell)
    for line in report.unreadable:
        complain(line)
    echo(
        f"{report.files} files in {report.folders} folders: {report.new} new, "
        f"{report.changed} changed, {report.gone} gone ({report.seconds:.1f} s)"
    )
    if report.unreadable:
        raise Exit(1)


@library.command()
@collection_options
def judge(catalogue_path: Path | None, bundle_path: Path | None) -> None:
    """Classify each file, and keep the answer in the catalogue.

    It may be stopped at any moment; the same command goes on. A file that was moved or got other
    tags, and a second copy of it, is not judged again.
    """
    from genrescope.cli import workers
    from genrescope.cli.output import complain
    from genrescope.cli.progress import bar
    from genrescope.library.judge import judge as run
    from genrescope.library.judge import n_pending

    with opened(catalogue_path, bundle_path) as collection:
        total = n_pending(collection.catalogue, collection.number)
        with bar(total=total) as shown:

            def tell(_: judging.Report, error: str | None) -> None:
                if error is not None:
                    complain(error)
                shown.advance()

            report = run(
                collection.catalogue, collection.bundle, answers=workers.answers, progress=tell
            )
    echo(f"{report.judged} judged, {report.known} known already, {report.failed} failed")
    if report.failed:
        raise Exit(1)


@library.command("list")
@click.argument("query", nargs=-1, metavar="[QUERY...]")
@json_option
@collection_options
def list_songs(
    query: tuple[str, ...], as_json: bool, catalogue_path: Path | None, bundle_path: Path | None
) -> None:
    """List songs: genre in the tag, genre of the sound, path.

    A query is of words and fields, all of which must hold: genre:jazz bpm:90..110
    confidence:..0.5 odd:true artist:"Nina Simone" path:live. A minus before a term turns it around
    (after -- where it comes first). Fields of text are artist, albumartist, album, title, genre
    (the tag's, or the sound's where there is no tag), tagged, sound, set, flag, key, codec, kind,
    error and path; of numbers year, bpm, length and confidence; true or false are odd, judged and
    failed.
    """
    with opened(catalogue_path, bundle_path) as collection:
        print_songs(collection.find(query), as_json=as_json)


@library.command()
@catalogue_option
def check(catalogue_path: Path | None) -> None:
    """Check that the catalogue is intact, and that no write of tags was left half done."""
    from genrescope.library.catalogue import Catalogue
    from genrescope.library.check import check as run

    with Catalogue(catalogue_path) as catalogue:
        findings = run(catalogue)
        counts = catalogue.counts()
    for finding in findings:
        echo(finding)
    if findings:
        raise Exit(1)
    echo(
        f"intact: {counts['files']} files, {counts['judgements']} judgements by "
        f"{counts['bundles']} bundles, {counts['failures']} files that could not be read"
    )


@library.command()
@click.argument("form", type=click.Choice(["csv", "jsonl", "parquet", "m3u8"]))
@click.argument("out", type=PATH, metavar="FILE")
@click.argument("query", nargs=-1, metavar="[QUERY...]")
@collection_options
def export(
    form: str,
    out: Path,
    query: tuple[str, ...],
    catalogue_path: Path | None,
    bundle_path: Path | None,
) -> None:
    """Write songs to a table or a playlist for other programs.

    A query is as for list.
    """
    from genrescope.library.export import export as run

    with opened(catalogue_path, bundle_path) as collection:
        n = run(collection.find(query), form, out)
    echo(f"{n} songs in {out}")


@library.command()
@json_option
@collection_options
def odd(as_json: bool, catalogue_path: Path | None, bundle_path: Path | None) -> None:
    """List songs whose tag and sound disagree, the clearest cases first.

    A tag whose genre is none of the model's is never odd; such genres are listed below.
    """
    import json

    from genrescope.library.odd import false_alarms, find_odd

    with opened(catalogue_path, bundle_path) as collection:
        found = find_odd(collection.catalogue, collection.number, collection.families)
    for item in found.odd:
        if as_json:
            extra = {"tag_means": list(item.tagged), "tag_probability": item.probability}
            print(json.dumps(item.song.to_dict() | extra), flush=True)
        else:
            tagged = f"{item.song.genre} ({item.probability:.1%})"
            sound = f"{item.song.sound} ({item.song.confidence:.0%})"
            echo(f"{tagged:<24}  sounds like {sound:<18}  {printable(item.song.path)}")
    if not as_json:
        if found.outside:
            echo(f"outside of the model's {len(collection.families.labels)} genres", bold=True)
        for genre, n in Counter(song.genre for song in found.outside).most_common():
            echo(f"{printable(str(genre)):<24}  {n} {'song' if n == 1 else 'songs'}")
        echo(
            f"{len(found.odd)} odd of {found.compared} compared; {len(found.outside)} have a "
            f"genre outside of the model's {len(collection.families.labels)}",
            err=True,
        )
        alarms = false_alarms(collection.bundle)
        rate = "the model's card does not tell"
        if alarms is not None:
            rate = f"{alarms:.0%} of them, by the model's card"
        echo(f"how many right tags are listed as well: {rate}", err=True)


@library.command()
@click.argument("song", type=PATH, metavar="SONG")
@click.option("--n", type=click.IntRange(1, 1000), metavar="N", default=20, help="How many songs.")
@json_option
@collection_options
def similar(
    song: Path, n: int, as_json: bool, catalogue_path: Path | None, bundle_path: Path | None
) -> None:
    """List songs that sound like a song, at most two of an artist in twenty."""
    import json

    from genrescope.library.similar import similar_songs
    from genrescope.library.vectors import load_vectors

    with opened(catalogue_path, bundle_path) as collection:
        vectors = load_vectors(collection.catalogue, collection.number, collection.families.labels)
        found = similar_songs(
            collection.catalogue, collection.number, vectors, collection.song(song), n=n
        )
    for item in found:
        if as_json:
            extra = {"nearness": round(item.nearness, 4), "reasons": list(item.reasons)}
            print(json.dumps(item.song.to_dict() | extra), flush=True)
        else:
            echo(f"{item.nearness:.2f}  {printable(item.song.path)}  ({', '.join(item.reasons)})")


@library.command()
@click.option("--versions", is_flag=True, help="List songs of the same artist and title, too.")
@collection_options
def duplicates(versions: bool, catalogue_path: Path | None, bundle_path: Path | None) -> None:
    """List recordings that are there more than once: copies, and other encodings.

    Nothing is deleted, here or by any other verb.
    """
    from genrescope.cli.progress import clips_bar
    from genrescope.library.duplicates import find_duplicates
    from genrescope.library.vectors import load_vectors

    with opened(catalogue_path, bundle_path) as collection:
        labels = collection.families.labels
        vectors = load_vectors(collection.catalogue, collection.number, labels)
        with clips_bar("comparing") as report:
            groups = find_duplicates(
                collection.catalogue, collection.number, vectors, versions=versions, progress=report
            )
    for group in groups:
        echo(group.kind, bold=True)
        for song in group.songs:
            echo(f"  {printable(song.path)}")


@library.command()
@click.option("--from-tags", is_flag=True, help="Learn the genres of tags; this is the default.")
@click.option(
    "--from",
    "folder",
    type=PATH,
    metavar="FOLDER",
    help="Learn from the names of this folder's sub-folders instead.",
)
@click.option(
    "--table",
    type=PATH,
    metavar="FILE",
    help='TOML lines such as Techno = ["Minimal", "Acid"]; what "" = [...] lists is left out.',
)
@click.option("--name", default="own-genres", metavar="NAME", help="Name of the bundle.")
@click.option("--seed", type=int, default=0, metavar="N", help="Seed of the split by artists.")
@click.option("--out", type=PATH, required=True, metavar="BUNDLE", help="Folder of the new bundle.")
@collection_options
def learn(
    from_tags: bool,
    folder: Path | None,
    table: Path | None,
    name: str,
    seed: int,
    out: Path,
    catalogue_path: Path | None,
    bundle_path: Path | None,
) -> None:
    """Learn your own genres from the songs that you tagged, in seconds.

    The bundle that comes of it is used like any other, by --bundle: classify, serve, and judge,
    odd and tags here. How well it tells each genre is measured on artists that it did not learn.
    """
    from genrescope.library.learn.lessons import read_table
    from genrescope.library.learn.own import learn as run

    if from_tags and folder is not None:
        raise click.BadParameter("choose one of --from-tags and --from")
    with opened(catalogue_path, bundle_path) as collection:
        learned = run(
            collection.catalogue,
            collection.bundle,
            out,
            folder=folder,
            table={} if table is None else read_table(table),
            name=name,
            seed=seed,
        )
    for what, why in learned.left_out.items():
        echo(f"not learned: {what}: {why}", err=True)
    echo(f"{'genre':<20}  tracks  found  right")
    for figure in learned.figures:
        row = (
            f"{figure.genre:<20.20}  {figure.n:>6}  {figure.recall:>5.0%}  {figure.precision:>5.0%}"
        )
        echo(row if figure.taken_for is None else f"{row}  taken most for {figure.taken_for}")
    for figure in learned.cannot_tell:
        echo(f"it cannot tell {figure.genre}: only {figure.recall:.0%} are found", err=True)
    echo(
        f"{learned.bundle.name}: accuracy by artists {learned.accuracy.value:.2f} "
        f"[{learned.accuracy.low:.2f}, {learned.accuracy.high:.2f}]; in {out}"
    )
