"""Encoding of texts into vectors: each distinct text once, in batches of a few fixed shapes."""
