"""Recordings joined into one: in the order of least friction, on the beat, equally loud."""
