"""One module a command: configuration in, objects built, ``run``."""
