"""Pipelines: graphs of steps, in the shape of Azure ML's SDK v1. See `core` and `steps`."""
