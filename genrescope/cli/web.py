"""``genrescope web``: export"""

from __future__ import annotations

from pathlib import Path

import click

from genrescope.cli.options import PATH, Group
from genrescope.cli.terminal import echo


@click.group(cls=Group, subcommand_metavar="VERB ...")
def web() -> None:
    """Write the page as a site that needs no server: genres are named in the browser."""


@web.command()
@click.argument("folder", type=PATH, metavar="DIR")
@click.option(
    "--bundle",
    multiple=True,
    type=click.Path(),
    metavar="BUNDLE",
    help="A model to publish: a folder, or the name of one that ships; may be repeated, to offer a "
    "choice; all that ship if absent.",
)
@click.option(
    "--ort",
    type=PATH,
    metavar="FOLDER",
    help="Folder dist of the npm package onnxruntime-web; where `npm ci --prefix page` puts it "
    "if absent.",
)
def export(folder: Path, bundle: tuple[str, ...], ort: Path | None) -> None:
    """Write a site into DIR, for any host of static files.

    It names genres in the visitor's browser, and the sound never leaves it. A site that was
    written into DIR before is replaced.
    """
    from genrescope.model.bundle import Bundle, shipped_bundles
    from genrescope.web.site import ORT, export_site

    bundles = [Bundle.load(name) for name in bundle or shipped_bundles()]
    site = export_site(folder, bundles=bundles, ort=ort or ORT)
    echo(f"{site.folder}: {site.n_files} files, {site.n_bytes / 1e6:.1f} MB")
