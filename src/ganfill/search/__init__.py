"""Latent search: find z whose generated picture fits the known pixels."""
