"""The database: schema, connections, named SQL, and one module per aggregate. The only place that imports a driver.

Writes go through `store.writing` (one writer, one transaction a batch); reads take a read-only connection.
"""
