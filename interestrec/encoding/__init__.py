"""Texts to vectors: each distinct text once, in batches of a few fixed shapes."""

import interestrec.model  # noqa: F401 - the model floor quiets TensorFlow, whoever imports it first
