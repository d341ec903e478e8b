"""What one does with what one knows: controllers, and what they are worth in the real environment."""
