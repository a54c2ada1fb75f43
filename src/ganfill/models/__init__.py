"""Generators, discriminators and the latent priors they are trained with."""
