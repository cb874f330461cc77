"""Studio's client: the shape of Azure ML's SDK v1, on our server.

`studio_sdk.core` uses the standard library only, since it is put on the path of
interpreters that are not ours.
"""

from studio_sdk.version import VERSION

__version__ = VERSION
__all__ = ["VERSION", "__version__"]
