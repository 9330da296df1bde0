"""The REST edge of SalamBot: JSON over HTTP in, gRPC behind."""
