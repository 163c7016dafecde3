"""Our own online migrations, one per file, run by inchworm in the writer process."""
