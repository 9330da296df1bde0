"""Where documents come from: web pages, folders, buckets."""

from servers.rag.sources.interfaces import Content, Entry, Skipped, Source

__all__ = ["Content", "Entry", "Skipped", "Source"]
