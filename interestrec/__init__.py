"""Interest intensity of users for items, from item text and behaviour logs."""

__version__ = "0.1.0"
