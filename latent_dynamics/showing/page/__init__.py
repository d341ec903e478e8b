"""The engine and the world that run in the page itself."""
