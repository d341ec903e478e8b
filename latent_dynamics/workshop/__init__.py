"""What builds, tests, measures and records. A reader of the science never needs to open it."""
