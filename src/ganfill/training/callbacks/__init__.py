"""Lightning callbacks: metrics, checkpoints, samples, completions, distances, collapse warnings."""
