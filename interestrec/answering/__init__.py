"""Answers to people from the artifact `decision`: lists, similar items, scores of pairs, and explanations."""
