"""The HTTP API: one file per resource, msgspec Structs as wire format. Reads the store; writes nothing but requests.

Paths, keys and meanings are those that clients of CoreScope know; what is ours is added beside them.
"""
