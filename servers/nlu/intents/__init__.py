"""A tenant's own intents: examples in, a head trained on them out, put in force and taken back without a pause."""
