"""Scorers: one per file with its settings, from popularity to the trained model; `registry.py` lists them."""
