"""From a broker's message to a stored record: sources deliver, the envelope is read, the pipeline stores in batches."""
