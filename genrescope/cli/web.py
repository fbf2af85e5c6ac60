"""``genrescope web``: export"""

from __future__ import annotations

from pathlib import Path

import click

from genrescope.cli.options import PATH, Group, bundle_option
from genrescope.cli.terminal import echo


@click.group(cls=Group, subcommand_metavar="VERB ...")
def web() -> None:
    """Write the page as a site that needs no server: genres are named in the browser."""


@web.command()
@click.argument("folder", type=PATH, metavar="DIR")
@bundle_option("The model to publish")
@click.option(
    "--ort",
    type=PATH,
    metavar="FOLDER",
    help="Folder dist of the npm package onnxruntime-web; where `npm ci --prefix page` puts it "
    "if absent.",
)
def export(folder: Path, bundle: Path | None, ort: Path | None) -> None:
    """Write a site into DIR, for any host of static files.

    It names genres in the visitor's browser, and the sound never leaves it. A site that was
    written into DIR before is replaced.
    """
    from genrescope.model.bundle import Bundle
    from genrescope.web.site import ORT, export_site

    site = export_site(folder, bundle=Bundle.load(bundle), ort=ort or ORT)
    echo(f"{site.folder}: {site.n_files} files, {site.n_bytes / 1e6:.1f} MB")
