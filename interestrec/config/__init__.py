"""Configuration: settings by section, loading, problems with their places, templates."""
