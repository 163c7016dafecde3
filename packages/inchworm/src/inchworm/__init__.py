"""inchworm."""
