"""What `seed_demo` makes: believable runs, many at once, the same for the same seed."""
