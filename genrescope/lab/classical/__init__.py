"""Classifiers without a net, and the vectors they learn from."""
