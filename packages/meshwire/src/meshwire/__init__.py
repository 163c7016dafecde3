"""meshwire."""
