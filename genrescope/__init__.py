"""Genrescope: hear a recording, name its genre."""

import os

__version__ = "0.1.0"

# ONNX Runtime, from 1.29 on, reports to its maker as soon as it is imported, and keeps an
# identifier of the machine; this, set before, is its only complete way out. Nothing leaves.
os.environ.setdefault("ORT_DISABLE_TELEMETRY", "1")
