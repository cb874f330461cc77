"""Studio's client: the shape of Azure ML's SDK v1, on our server."""
