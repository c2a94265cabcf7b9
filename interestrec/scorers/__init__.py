"""Scorers, from popularity to the trained model: one per file with its settings; `registry.py` lists them."""
