"""Checked requests of the pages. A form knows fields and messages, never what is done with them."""
