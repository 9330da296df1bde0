"""Which of the candidates answers the question: what is seen of each, and the model that judges it."""
