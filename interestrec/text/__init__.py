"""From texts to tokens: normalisation, boilerplate removal, tokenization, masking."""
