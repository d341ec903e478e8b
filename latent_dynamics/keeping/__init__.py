"""What was expensive to make: data sets and models by name, kept and shipped."""
