"""What is true: worlds, their physics and pictures, and the reader of angles."""
