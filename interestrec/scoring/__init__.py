"""The decision: scorers are fitted, blended into one score, ranked by rules and written as lists."""
