"""Answers over HTTP: processes that make lists, feedback that is kept, and the web application before them."""
