"""Runs the notebooks and stores their outputs, without the times of the cells, which differ each time."""

from pathlib import Path

import nbformat
from nbclient import NotebookClient

for path in sorted(Path(__file__).parent.glob("*.ipynb")):
    notebook = nbformat.read(path, as_version=4)
    NotebookClient(notebook, record_timing=False, resources={"metadata": {"path": path.parent}}).execute()
    nbformat.write(notebook, path)
