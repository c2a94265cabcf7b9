"""Training: batches, the loop, the device."""
