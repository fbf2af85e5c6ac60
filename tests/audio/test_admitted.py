"""Decoders of strangers' files are those of the list, whatever a container asks for."""

from __future__ import annotations

from dataclasses import replace

import pytest
from audio_makers import refusal
from soak.carriers import CARRIERS, carried

from genrescope.audio.decode import decode

# Tags of Windows for codings that FFmpeg decodes from noise, and that nobody's music is in.
NOT_ADMITTED = {"adpcm_ct": 0x200, "adpcm_ima_dk3": 0x62, "imc": 0x401}


@pytest.mark.parametrize("decoder", NOT_ADMITTED)
def test_a_decoder_that_is_not_on_the_list_is_not_run(decoder: str) -> None:
    carrier = CARRIERS["adpcm_yamaha"]
    tag = NOT_ADMITTED[decoder].to_bytes(2, "little")
    other = replace(carrier, private=tag + carrier.private[2:])
    assert "in a coding that cannot be read" in refusal(carried(other)).reason
    assert decode(carried(carrier)).duration > 0
