"""What outsiders are told of an error: what is the case, never where the database is nor what a library said."""

from registry.errors import AutosortError, DatabaseError, DatabaseUnavailable

_SEE_LOG = "The service's log says more."


def disclosed(error: Exception) -> AutosortError:
    """The error as clients of the service may know it; whoever calls this logs the whole of it."""
    if isinstance(error, DatabaseUnavailable):
        return unreachable()
    if isinstance(error, DatabaseError):
        return type(error)("The database did not do what was asked.", _SEE_LOG)
    if isinstance(error, AutosortError):
        return error
    return AutosortError(f"An unexpected error occurred: {type(error).__name__}.", _SEE_LOG)


def unreachable() -> DatabaseUnavailable:
    """The error of a database that is away."""
    return DatabaseUnavailable("The database cannot be reached.")
