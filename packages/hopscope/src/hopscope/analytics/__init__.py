"""What is computed from the store's rows for the analytics pages. Pure; the rows come from the store."""
