"""Latent search: finds z whose generated picture agrees with the known pixels."""
