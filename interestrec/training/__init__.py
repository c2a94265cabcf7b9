"""Fine-tuning of the two-tower model: examples, batches, the training loop and its devices."""
