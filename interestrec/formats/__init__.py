"""Readers of raw logs, one file per format; `READERS` in `readers` names them."""
