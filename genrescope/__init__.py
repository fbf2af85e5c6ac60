"""Genrescope: hear a recording, name its genre."""

__version__ = "0.1.0"
