"""Retrieval: a tenant's knowledge, cut into passages, found in any of its customers' languages."""
