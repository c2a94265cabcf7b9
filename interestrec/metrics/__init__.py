"""Metrics and statistics in NumPy: ranking and intensity metrics, calibration, bootstrap, top-k."""
