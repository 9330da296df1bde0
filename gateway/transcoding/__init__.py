"""REST for the gRPC contract: routes, JSON codec and OpenAPI document, all made from the Protobuf descriptors at start."""
