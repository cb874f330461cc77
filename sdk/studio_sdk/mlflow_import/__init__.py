"""Moves the runs of an MLflow store to a Studio server, over the HTTP interfaces of both. Needs no MLflow package."""
