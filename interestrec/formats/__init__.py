"""Readers of raw logs, one file a format; READERS in `registry` names them."""
