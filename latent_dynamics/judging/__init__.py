"""What a model is worth: rollouts, drift, references, probes, and the ladder."""
