"""Documents taken from elsewhere, many at once: jobs that survive restarts, with a report of what became of each."""
