"""Samples to numbers: arrays in, arrays out."""
