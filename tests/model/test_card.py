"""The model card: what bundle.json holds, in words."""

from __future__ import annotations

from pathlib import Path

from bundle_maker import LABELS, make_bundle

from genrescope.model.bundle import Bundle
from genrescope.model.card import model_card

HALL = {
    "name": "hall", "n": 98, "accuracy": 0.5, "low": 0.4, "high": 0.6, "drop": 0.1,
    "sink": "jazz", "sink_share": 0.25,
}  # fmt: skip


def test_the_card_tells_what_bundle_json_holds(tiny_bundle: Path) -> None:
    bundle = Bundle.load(tiny_bundle)
    card = (tiny_bundle / "MODEL_CARD.md").read_text()
    assert card == model_card(bundle)
    for text in (
        "# tiny",
        *LABELS,
        "22050 Hz",
        "Apache-2.0",
        "| fault-filtered | valid | track | 10 | 0.500 | 0.200 to 0.800 |",
        "below 0.15",
        bundle.files["model.onnx"],
    ):
        assert text in card


def test_the_card_tells_how_the_model_stands_a_room(tmp_path: Path) -> None:
    doubtful = HALL | {"name": "telephone", "flagged": {"uncertain": 0.05, "no music": 0.17}}
    bundle = make_bundle(tmp_path, degradations=[HALL, doubtful])
    assert Bundle.load(tmp_path).degradations == [HALL, doubtful]
    figures = "98 | 0.500 | 0.400 to 0.600 | +0.100 | jazz (25%)"
    assert f"| hall | {figures} |  |  |" in model_card(bundle)
    assert f"| telephone | {figures} | 5% | 17% |" in model_card(bundle)
    assert "Degradations" not in model_card(make_bundle(tmp_path))


def test_the_card_names_the_limits_and_the_licence_of_a_known_dataset(tmp_path: Path) -> None:
    known = {"limits": "- Western music alone.", "recordings": "They carry no licence."}
    bundle = make_bundle(tmp_path / "b", training={"data": "GTZAN", **known}, metrics=[])
    card = model_card(bundle)
    assert card.count("Western") == 1
    assert card.index("## Limits") < card.index("Western") < card.index("## Licence")
    assert card.index("## Licence") < card.index("no licence") < card.index("## Files")
    assert "Not measured" in card
