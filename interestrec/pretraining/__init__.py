"""Pre-training: an encoder goes on learning from the texts of a corpus alone."""
