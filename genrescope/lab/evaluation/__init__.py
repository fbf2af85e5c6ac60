"""How good a trained model is, on clean and on disturbed music."""
