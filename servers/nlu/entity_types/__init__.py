"""The kinds of things that a tenant's customers name: defined by the tenant, found in messages."""
