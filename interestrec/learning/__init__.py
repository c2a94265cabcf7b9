"""What results teach the next run: search of settings, and a replay of history."""
