"""Continued pretraining of an encoder on the texts of a corpus."""
