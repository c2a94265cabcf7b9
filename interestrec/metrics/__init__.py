"""Pure NumPy: ranking metrics, intensity metrics, the bootstrap, top-k."""
