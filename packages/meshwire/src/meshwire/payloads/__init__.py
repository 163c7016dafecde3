"""One module per payload type; this one only lists them.

Each module has `read(reader, keys, verify=...)`, which reads a payload to its end or raises DecodeError.
"""
