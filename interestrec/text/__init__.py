"""Text to tokens: normalisation, the tokenizer, masking."""
