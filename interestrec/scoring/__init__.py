"""What deciding is made of: scorers, one a file, and the blend of their scores."""
