"""Episodes, cut into splits and windows, and how they are collected."""
