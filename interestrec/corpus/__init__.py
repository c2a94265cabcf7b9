"""The corpus: cleaning, intensity, splits, timelines, and reading it back."""
