"""NLU: what a customer's message says, in which language, in what mood, how urgently."""
