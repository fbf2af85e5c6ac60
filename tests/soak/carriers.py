"""Files for decoders that nothing here can encode for: a container that names the codec, and noise.

What a decoder makes of noise is as far as most attacks on it get. Matroska carries any codec, by a
name of its own, by the tag of Windows (``A_MS/ACM``) or by the four letters of QuickTime
(``A_QUICKTIME``).
"""

from __future__ import annotations

import struct
from dataclasses import dataclass

import numpy as np


@dataclass(frozen=True)
class Carrier:
    """How a codec is named in Matroska.

    Attributes:
        codec: Matroska's name of it.
        private: what a decoder is told before the first packet.
        packet: bytes of one.
        sync: what each packet begins with.
        sr: in Hz.
        n_channels: of the track.
    """

    codec: str
    private: bytes = b""
    packet: int = 256
    sync: bytes = b""
    sr: int = 8_000
    n_channels: int = 1


def carried(carrier: Carrier, *, n_packets: int = 12, seed: int = 0) -> bytes:
    """A Matroska file of packets of noise."""
    rng = np.random.default_rng(seed)
    blocks = b"".join(
        element(0xA3, b"\x81" + struct.pack(">h", 20 * i) + b"\x80" + carrier.sync + noise)
        for i in range(n_packets)
        for noise in [rng.bytes(carrier.packet - len(carrier.sync))]
    )
    audio = element(0xB5, struct.pack(">d", carrier.sr)) + element(
        0x9F, bytes([carrier.n_channels])
    )
    entry = element(0xD7, b"\x01") + element(0x73C5, b"\x01") + element(0x83, b"\x02")
    entry += element(0x86, carrier.codec.encode()) + element(0xE1, audio)
    if carrier.private:
        entry += element(0x63A2, carrier.private)
    head = element(0x4282, b"matroska") + element(0x4287, b"\x04") + element(0x4285, b"\x02")
    info = element(0x1549A966, element(0x2AD7B1, (1_000_000).to_bytes(3, "big")))
    tracks = element(0x1654AE6B, element(0xAE, entry))
    cluster = element(0x1F43B675, element(0xE7, b"\0") + blocks)
    return element(0x1A45DFA3, head) + element(0x18538067, info + tracks + cluster)


def element(ident: int, body: bytes) -> bytes:
    """An element of EBML (RFC 8794), with a size of four bytes."""
    name = ident.to_bytes((ident.bit_length() + 7) // 8, "big")
    return name + (0x10000000 | len(body)).to_bytes(4, "big") + body


def _windows(
    tag: int, extra: bytes = b"", *, align: int = 256, bits: int = 16, **rest: int
) -> Carrier:
    sr, n_channels = rest.get("sr", 8_000), rest.get("n_channels", 1)
    form = struct.pack("<HHIIHHH", tag, n_channels, sr, 2_000, align, bits, len(extra)) + extra
    return Carrier("A_MS/ACM", form, align, sr=sr, n_channels=n_channels)


def _quicktime(name: bytes, extra: bytes = b"", *, packet: int = 256, sr: int = 8_000) -> Carrier:
    entry = name + bytes(6) + struct.pack(">HHHIHHHHI", 1, 0, 0, 0, 1, 16, 0, 0, sr << 16) + extra
    return Carrier("A_QUICKTIME", (len(entry) + 4).to_bytes(4, "big") + entry, packet, sr=sr)


CARRIERS = {
    "mp1": Carrier("A_MPEG/L1", sync=b"\xff\xfe\x54\x00", packet=240, sr=44_100),
    "dca": Carrier("A_DTS", sync=b"\x7f\xfe\x80\x01\xfc\x3c\x1f\xf0", packet=512, sr=48_000),
    "mlp": Carrier("A_MLP", sync=b"\x80\x40\0\0\xf8\x72\x6f\xbb\x11\0\0\0", sr=48_000),
    "truehd": Carrier("A_TRUEHD", sync=b"\x80\x40\0\0\xf8\x72\x6f\xba\x11\0\0\0", sr=48_000),
    "real_144": Carrier("A_REAL/14_4", bytes(40), 20),
    "adpcm_yamaha": _windows(0x20),
    "truespeech": _windows(0x22, bytes(32), align=32),
    "gsm_ms": _windows(0x31, b"\x40\x01", align=65),
    "g726": _windows(0x45, bits=4),
    "g722": _windows(0x28F, bits=4, sr=16_000),
    "adpcm_swf": _windows(0x5346, bits=4, sr=22_050),
    "speex": _windows(0xA109, bytes(32)),
    "sipr": _windows(0x130, bytes(8), align=20),
    "atrac3": _windows(
        *(0x270, struct.pack("<HIHHHH", 1, 4_096, 1, 1, 1, 0)), align=384, sr=44_100, n_channels=2
    ),
    "wmavoice": _windows(0xA, bytes(18) + struct.pack("<I", 0x1F) + bytes(24), align=128),
    "wmapro": _windows(0x162, struct.pack("<HI", 16, 3) + bytes(12), align=1_024, sr=44_100),
    "wmalossless": _windows(0x163, struct.pack("<HI", 16, 4) + bytes(12), align=2_048, sr=44_100),
    "mace3": _quicktime(b"MAC3"),
    "mace6": _quicktime(b"MAC6"),
    "qcelp": _quicktime(b"Qclp", packet=35),
    "evrc": _quicktime(b"sevc", packet=23),
    "amrnb": _quicktime(b"samr", packet=32),
    "amrwb": _quicktime(b"sawb", packet=61, sr=16_000),
    "nellymoser": _quicktime(b"nmos", packet=128),
    "gsm": _quicktime(b"agsm", packet=33),
    "ilbc": _quicktime(b"ilbc", packet=50),
    "adpcm_ima_qt": _quicktime(b"ima4", packet=34),
    "qdm2": _quicktime(b"QDM2", bytes(12)),
    "qdmc": _quicktime(b"QDMC", bytes(12)),
}
"""By FFmpeg's name of the decoder."""
