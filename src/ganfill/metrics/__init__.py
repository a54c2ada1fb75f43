"""Image and distribution metrics. Functions of arrays; nothing here reads a run or a model."""
