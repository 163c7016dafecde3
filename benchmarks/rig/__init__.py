"""The measuring rig of benchmarks/incident.py: load, strategies and figures. Nothing here is installed or shipped."""
