"""Configuration: one table of settings, read once by the composition root."""
