"""LLM router: chooses a backend for a prompt and writes the reply with it."""
