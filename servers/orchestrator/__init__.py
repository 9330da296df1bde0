"""Orchestrator: takes a customer's message all the way to a stored reply."""
