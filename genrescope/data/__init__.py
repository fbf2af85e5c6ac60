"""Labelled music for learning: tracks and their facts, feature stores, splits."""
