"""The door for programs: checks, one call of an action, a shape. No models of its own, no decisions."""
