"""Training: batches, the loop, the device."""

import interestrec.model  # noqa: F401 - the model floor quiets TensorFlow, whoever imports it first
