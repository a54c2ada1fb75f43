"""What is optimised: losses and the average of the generator."""
