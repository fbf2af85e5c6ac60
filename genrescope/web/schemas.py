"""The API's bodies, as its OpenAPI description shows them."""

from __future__ import annotations

from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field


def _example(**values: Any) -> ConfigDict:
    return ConfigDict(json_schema_extra={"examples": [values]})


USUAL_SIMILAR, MOST_SIMILAR = 5, 50
"""How many tracks `similar` names: where nothing is said, and at most."""


class Fault(BaseModel):
    model_config = _example(
        code="too_large",
        message="This file is larger than 50 MB, the most that is accepted.",
        remedy="Send a shorter excerpt, or a compressed format such as mp3, ogg or m4a.",
    )

    code: str = Field(description="short, stable name of the fault, for programs")
    message: str = Field(description="what is wrong, for people")
    remedy: str = Field(description="what one can do about it; may be empty")


class ErrorAnswer(BaseModel):
    error: Fault


class TimelineSegment(BaseModel):
    model_config = _example(start=0.0, end=12.5, label="jazz", probability=0.83)

    start: float = Field(description="seconds from the start")
    end: float
    label: str
    probability: float = Field(description="mean probability of the label over the segment")


class Spectrogram(BaseModel):
    n_mels: int = Field(description="rows")
    n_frames: int = Field(le=600)
    data: str = Field(
        description="base64 of uint8 (n_mels, n_frames), lowest band first; "
        "0 is -top_db, 255 is 0 dB relative to the loudest cell"
    )
    top_db: float
    scale: Literal["mel", "linear"] = Field(description="of the rows, from fmin to fmax")
    fmin: float = Field(description="Hz")
    fmax: float = Field(description="Hz")
    duration_s: float


class TempoAnswer(BaseModel):
    model_config = _example(bpm=97.5, confidence=0.81, other=195.0)

    bpm: float = Field(description="beats per minute")
    confidence: float = Field(
        ge=0, le=1, description="probability that people tap this tempo, within 4 %"
    )
    other: float | None = Field(description="bpm of the next candidate, mostly twice or half")


class KeyAnswer(BaseModel):
    model_config = _example(name="A minor", camelot="8A", confidence=0.72)

    name: str = Field(description="tonic and mode, such as `F♯ minor`")
    camelot: str = Field(description="its place on the Camelot wheel")
    confidence: float = Field(ge=0, le=1)


class ClassifyAnswer(BaseModel):
    genre: str | None = Field(description="most probable label; null for silence")
    confidence: float = Field(ge=0, le=1)
    genres: list[str] = Field(
        description="the most probable labels, so many that the true one is among them nine "
        "times in ten; empty where the bundle cannot promise that"
    )
    probabilities: dict[str, float] = Field(description="of every label; they sum to 1")
    timeline: list[TimelineSegment] = Field(
        description="covers what sounds of the recording; empty for silence"
    )
    tempo: TempoAnswer | None = Field(
        description="null for silence, and where the bundle does not tell it"
    )
    key: KeyAnswer | None = Field(
        description="null for silence, and where the bundle does not tell it"
    )
    duration_s: float
    flags: list[str] = Field(description="silent, short, truncated, uncertain, no music, no beat")
    bundle: str = Field(description="name of the bundle that answered")
    embedding: list[float] = Field(description="what `similar` takes")
    spectrogram: Spectrogram | None = Field(
        default=None, description="absent where `spectrogram=false` asks for none"
    )


class Moment(BaseModel):
    start: float = Field(description="seconds from the start")
    end: float
    probability: float = Field(description="of the genre that is explained")


class ExplainAnswer(BaseModel):
    genre: str = Field(description="the genre that is explained")
    probability: float = Field(ge=0, le=1)
    words: str = Field(description="the explanation in one sentence")
    bands_hz: list[float] = Field(description="edges of the cells' bands, Hz")
    times: list[float] = Field(description="edges of the cells in time, s")
    cells: list[list[float]] = Field(
        description="a row for each band, lowest first: by how much the log odds of the genre fall "
        "where the cell is hidden and rise where it is all there is, in nats; below 0 it speaks "
        "against"
    )
    moments: list[Moment] = Field(description="the genre over time")
    decisive: bool = Field(description="whether the cells tell more than a random order does")
    deletion_auc: float = Field(description="mean probability as the cells go, first ones first")
    insertion_auc: float = Field(description="mean probability as they come, first ones first")
    random_deletion_auc: float = Field(description="the same in random order")
    random_insertion_auc: float = Field(description="the same in random order")
    bundle: str


class SimilarRequest(BaseModel):
    model_config = ConfigDict(
        extra="forbid",
        allow_inf_nan=False,
        strict=True,
        json_schema_extra={"examples": [{"embedding": [0.01, -0.2, 0.13], "n": 3}]},
    )

    embedding: list[Annotated[float, Field(ge=-1e6, le=1e6)]] = Field(
        min_length=1, max_length=8192, description="from a `classify` answer"
    )
    n: int = Field(default=USUAL_SIMILAR, ge=1, le=MOST_SIMILAR, description="how many tracks")


class SimilarTrack(BaseModel):
    model_config = _example(
        track_id="jazz.00012",
        artist="Coleman Hawkins",
        title="Body and Soul",
        genre="jazz",
        similarity=0.94,
        search_url="https://musicbrainz.org/search?query=Coleman+Hawkins",
    )

    track_id: str
    artist: str | None
    title: str | None
    genre: str
    similarity: float = Field(description="cosine of the embeddings, at most 1")
    search_url: str | None = Field(description="a web search for the track")


class SimilarAnswer(BaseModel):
    matches: list[SimilarTrack]


class HealthAnswer(BaseModel):
    model_config = _example(status="ok", version="0.1.0", bundle="default")

    status: str
    version: str
    bundle: str


class LimitsAnswer(BaseModel):
    model_config = _example(upload_bytes=52_428_800, audio_s=900)

    upload_bytes: int
    audio_s: float


class BundleChoice(BaseModel):
    name: str = Field(description="what the parameter `bundle` takes")
    labels: list[str]


class BundleAnswer(BaseModel):
    name: str
    created: str
    licence: str
    labels: list[str]
    window_s: float
    hop_s: float
    features: dict[str, Any]
    training: dict[str, Any] = Field(
        description="how it was trained; its `tracks` only where `tracks=true` asks for them"
    )
    metrics: list[dict[str, Any]]
    n_catalogue: int = Field(description="tracks `similar` chooses from")
    limits: LimitsAnswer
    bundles: list[BundleChoice] = Field(description="all that this server has to choose from")
    version: str
