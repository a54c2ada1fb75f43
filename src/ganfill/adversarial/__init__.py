"""Adversarial training on tensors: losses, penalties, augmentation, schedules, and one step of each network."""
