"""Explanations: what decides is found, told in words, and true."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
import soundfile as sf

from genrescope.audio.waveform import Waveform
from genrescope.errors import AudioError
from genrescope.model import Classifier
from genrescope.model.explain import AGAINST, DECIDED, INDIFFERENT
from genrescope.model.occlusion import N_BANDS, N_TIMES

SAMPLES = sorted((Path(__file__).parents[2] / "genrescope" / "samples").glob("*.ogg"))
SR = 22_050
TONES_HZ = {"blues": 100, "jazz": 2200, "rock": 9500}  # inside that genre's tenth of the bands


def tone(genre: str, *, seconds: float = 7.0) -> Waveform:
    """A tone for the first 40 %, over faint noise: a net of means must miss what is hidden."""
    times = np.arange(round(seconds * SR)) / SR
    samples = np.random.default_rng(0).normal(0, 1e-2, len(times))
    samples += (times < 0.4 * seconds) * 0.5 * np.sin(2 * np.pi * TONES_HZ[genre] * times)
    return Waveform(samples.astype(np.float32), SR)


@pytest.fixture(scope="module")
def tiny(tiny_bundle: Path) -> Classifier:
    """Calls the lowest tenth of the bands by the first genre, the highest by the last."""
    return Classifier.load(tiny_bundle)


@pytest.mark.parametrize("genre", TONES_HZ)
def test_the_band_and_the_time_that_decide_are_found(tiny: Classifier, genre: str) -> None:
    explanation = tiny.explain(tone(genre))
    assert explanation.genre == genre
    assert explanation.cells.shape == (N_BANDS, N_TIMES)
    band, time = np.unravel_index(explanation.cells.argmax(), explanation.cells.shape)
    low, high = explanation.bands_hz[band], explanation.bands_hz[band + 1]
    assert low * 0.8 <= TONES_HZ[genre] <= high * 1.2
    assert time < 0.4 * N_TIMES
    fidelity = explanation.fidelity
    assert fidelity.decisive
    assert fidelity.deletion_auc < fidelity.random_deletion_auc
    assert fidelity.insertion_auc > fidelity.random_insertion_auc
    assert "no single part" not in explanation.words


def test_edges_cover_the_recording_and_the_spectrum(tiny: Classifier) -> None:
    explanation = tiny.explain(tone("jazz", seconds=7))
    assert explanation.times[0] == 0
    assert explanation.times[-1] == pytest.approx(7, abs=0.01)
    assert (np.diff(explanation.times) > 0).all()
    assert explanation.bands_hz[0] == 0
    assert explanation.bands_hz[-1] == tiny.bundle.features.top_hz
    assert (np.diff(explanation.bands_hz) > 0).all()


def test_a_moment_of_sound_can_be_explained(tiny: Classifier) -> None:
    explanation = tiny.explain(tone("jazz", seconds=0.3))  # fewer frames than there are times
    assert np.isfinite(explanation.cells).all()
    assert explanation.cells.any()
    json.dumps(explanation.to_dict(), allow_nan=False)


def test_the_three_sounds_are_parts_of_the_recording(tiny: Classifier) -> None:
    waveform = tone("jazz", seconds=7)
    explanation = tiny.explain(waveform)
    sounds = explanation.sounds()
    assert list(sounds) == [DECIDED, INDIFFERENT, AGAINST]
    total = sum(sound.samples.astype(np.float64) for sound in sounds.values())
    # Decided, against and indifferent share out each moment's loudness between them.
    assert explanation.waveform is not None
    np.testing.assert_allclose(total, explanation.waveform.samples, atol=1e-3)
    features = tiny.explain_features(tiny.features(waveform))
    assert features.cells.tolist() == explanation.cells.tolist()
    with pytest.raises(ValueError, match="no samples"):
        features.sounds()


def test_any_genre_can_be_asked_for(tiny: Classifier) -> None:
    waveform = tone("jazz")
    assert tiny.explain(waveform, "metal").genre == "metal"
    with pytest.raises(ValueError, match="there is no genre 'polka'"):
        tiny.explain(waveform, "polka")


def test_silence_has_nothing_to_explain(tiny: Classifier) -> None:
    with pytest.raises(AudioError, match="it is silent"):
        tiny.explain(Waveform(np.zeros(50_000, np.float32), 22_050))


def test_it_is_json_with_every_figure(tiny: Classifier) -> None:
    steps: list[tuple[float, float | None, str]] = []
    explanation = tiny.explain(tone("jazz"), progress=lambda *done: steps.append(done))
    assert steps[-1][0] == steps[-1][1]
    written = json.loads(json.dumps(explanation.to_dict()))
    assert np.array(written["cells"]).shape == (N_BANDS, N_TIMES)
    for name in ("deletion_auc", "insertion_auc", "random_deletion_auc", "random_insertion_auc"):
        assert 0 <= written[name] <= 1
    assert written["moments"][0]["start"] == 0
    assert written["words"] == explanation.words


@pytest.mark.slow
@pytest.mark.parametrize("sample", SAMPLES, ids=lambda path: path.stem)
def test_what_decided_sounds_more_like_the_genre_than_what_spoke_against_it(sample: Path) -> None:
    classifier = Classifier.load()
    explanation = classifier.explain(sample)
    genre = classifier.bundle.labels.index(explanation.genre)
    decided, against = (
        classifier.classify(explanation.sounds()[part]).clip_probs[genre]
        for part in (DECIDED, AGAINST)
    )
    assert decided > against


@pytest.mark.slow
def test_the_verb_writes_the_explanation(tiny_bundle: Path, tmp_path: Path) -> None:
    from click.testing import CliRunner

    from genrescope.cli import app

    waveform = tone("jazz")
    sf.write(tmp_path / "song.wav", waveform.samples, waveform.sr)
    arguments = [tmp_path / "song.wav", "--bundle", tiny_bundle, "--out", tmp_path / "why"]
    result = CliRunner().invoke(app, ["explain", *map(str, arguments)])
    assert result.exit_code == 0, result.output
    assert "jazz, " in result.stdout
    assert {path.name for path in (tmp_path / "why").iterdir()} == {
        "explanation.json", "overlay.png", "what-decided.wav", "what-did-not-matter.wav",
        "what-spoke-against.wav",
    }  # fmt: skip
    unknown = CliRunner().invoke(app, ["explain", str(arguments[0]), "--genre", "polka"])
    assert unknown.exit_code == 2
    assert "there is no genre 'polka'" in unknown.stderr
