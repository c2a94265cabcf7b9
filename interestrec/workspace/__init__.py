"""A workspace: immutable artifact versions, their manifests, what is up to date, what may be removed."""
