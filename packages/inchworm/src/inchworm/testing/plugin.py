"""The pytest plugin of inchworm."""
