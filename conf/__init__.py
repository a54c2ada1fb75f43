"""The Hydra configurations of ganfill, shipped as ``ganfill.conf``."""
