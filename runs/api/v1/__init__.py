"""The native REST API, with OpenAPI."""
