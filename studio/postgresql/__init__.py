"""A database backend: Django's for PostgreSQL, which finds out more cheaply whether a connection still is one."""
