"""Drawing: plots, tables and HTML pages. Nothing here reads a run or a model."""
