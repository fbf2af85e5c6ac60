"""A plugin for beets: what Genrescope makes of the sound, as fields to list and query by.

In beets' configuration: ``plugins: genrescope``. Then ``beet genrescope [QUERY]`` fills
``genrescope_genre``, ``genrescope_set`` and ``genrescope_confidence`` in beets' library, from
Genrescope's catalogue where it knows the file, else by listening; ``beet ls genrescope_genre:jazz
genrescope_confidence:0.9..`` queries them. Files are not written.
"""

from __future__ import annotations

import os
from typing import Any

from beets.dbcore import types
from beets.plugins import BeetsPlugin
from beets.ui import Subcommand

from genrescope.errors import GenrescopeError
from genrescope.library.catalogue import Catalogue
from genrescope.library.songs import by_path
from genrescope.model import Bundle, Classifier


class GenrescopePlugin(BeetsPlugin):
    """Options: ``bundle`` and ``catalogue``, each a path; those of Genrescope by default."""

    item_types = {  # noqa: RUF012  (beets reads it so)
        "genrescope_genre": types.STRING,
        "genrescope_set": types.STRING,
        "genrescope_confidence": types.FLOAT,
    }

    def __init__(self) -> None:
        super().__init__()
        self.config.add({"bundle": None, "catalogue": None})

    def commands(self) -> list[Subcommand]:
        command = Subcommand("genrescope", help="tell the genre of the sound")
        command.parser.add_option(
            "-f", "--force", action="store_true", default=False, help="tell it again"
        )
        command.func = self._run
        return [command]

    def _run(self, lib: Any, opts: Any, args: list[str]) -> None:
        bundle = Bundle.load(self.config["bundle"].get())
        classifier: Classifier | None = None
        with Catalogue(self.config["catalogue"].get()) as catalogue:
            number = catalogue.bundle_id(bundle)
            for item in lib.items(args):
                if item.get("genrescope_genre") and not opts.force:
                    continue
                path = os.fsdecode(item.path)
                song = by_path(catalogue, number, path)
                if song is not None and song.is_judged:
                    told = (song.sound, song.genres, song.confidence)
                else:
                    classifier = classifier or Classifier.load(bundle)
                    try:
                        prediction = classifier.classify(path)
                    except GenrescopeError as error:
                        self._log.warning("{}", error)
                        continue
                    told = (prediction.genre, prediction.genres, prediction.confidence)
                self._store(item, *told)

    def _store(
        self, item: Any, genre: str | None, genres: tuple[str, ...], confidence: float | None
    ) -> None:
        if genre is None:  # silent
            return
        item["genrescope_genre"] = genre
        item["genrescope_set"] = "; ".join(genres)
        item["genrescope_confidence"] = round(confidence or 0.0, 3)
        item.store()
        self._log.info("{}: {} ({:.2f})", item, genre, confidence or 0.0)
