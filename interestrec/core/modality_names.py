"""Prefixes of the systems that rank by the component `intensity` where items have one modality alone, or lack one."""

MODALITY, NO_MODALITY = "modality:", "no_modality:"
