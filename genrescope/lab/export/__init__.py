"""From finished runs to a bundle: one graph, calibrated, with its evidence."""
