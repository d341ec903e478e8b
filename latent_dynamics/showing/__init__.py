"""What a reader sees and touches."""
