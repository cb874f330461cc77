"""Pipelines: what a graph of steps says (`definition`), its shape (`graph`), and who moves it on (`schedule`)."""
