"""Completing photos: photos and holes in, finished photos and a result folder out."""
