"""Configuration: the settings as a whole, loading, error messages with positions, templates."""
