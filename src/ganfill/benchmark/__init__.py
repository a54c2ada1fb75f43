"""Evaluating searches and generators: cells, tables, reports."""
