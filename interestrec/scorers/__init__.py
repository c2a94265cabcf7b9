"""Scorers: one per file, from popularity to the trained model."""
