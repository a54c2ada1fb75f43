"""How the adversarial game is run: the only room that imports Lightning and wandb."""
