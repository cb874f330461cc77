"""The app: what a run is, does and looks like."""
