"""How good completions and generators are."""
