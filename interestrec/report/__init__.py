"""Presentation of results: tables for the terminal, plots, the HTML report, and pages of corpus figures."""
