"""Evaluation of searches and generators: results, tables, reports."""
