"""Training with Lightning: modules, data, processes, callbacks and loggers."""
