"""What the database's drivers raise while it does not answer."""

from django.db import InterfaceError, InternalError, OperationalError

# The last one: this process was frozen inside a transaction, and PostgreSQL took its locks away (see settings).
NO_DATABASE = (OperationalError, InterfaceError, InternalError)
