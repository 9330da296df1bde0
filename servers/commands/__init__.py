"""The commands of `salambot`, one file each."""
