"""What `salambot eval` does: labelled messages, those who answer them, and how well they do."""
