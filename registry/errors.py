"""The toolkit's exceptions.

Every message gives the fact, the value and the next step, because it is read at 3 a.m.

    AutosortError
    ├── BadInput                a file, row, field or argument that cannot be used
    │   └── UnknownFormat       an import file whose format nobody recognises
    ├── NotFound                a version, song or playlist that does not exist
    ├── Refused                 the request is understood and must not be done now
    │   ├── IllegalMove         a stage that the version cannot move to from where it is
    │   ├── GateClosed          the gate's rules do not allow the promotion
    │   ├── PointerMoved        somebody else moved the live pointer first
    │   ├── OverBudget          the work would cost more than is left of this month's budget
    │   └── AlreadyRunning      the same work is being done by another process
    ├── TrainingError           a training whose outcome must not be used
    ├── EncoderBroken           a model that runs but embeds nothing
    ├── InferenceFailed         a model that failed on these texts, or did not come back from them
    ├── ModelUnavailable        a part of a version that it can do without, and now has to
    ├── Overloaded              a service that has as much to do as it can within its time
    ├── ArtifactError           an artifact that is missing or must not be loaded
    │   ├── DigestMismatch      its bytes are not the registered ones
    │   └── UnsafeArtifact      it holds something other than weights and text
    ├── ComputeError            the machine that work was sent to did not do it
    │   └── ComputeUnavailable  it cannot be reached
    ├── HubError                the Hugging Face Hub did not do what was asked
    │   └── HubUnavailable      it cannot be reached
    └── DatabaseError           Postgres did not do what was asked
        ├── DatabaseUnavailable it cannot be reached
        ├── DatabaseBusy        somebody else was in the way; the same again may succeed
        ├── DatabaseFull        its disk or shared memory is full
        └── SchemaOutdated      its schema is older or newer than this build
"""

from collections.abc import Mapping
from typing import Any


class AutosortError(Exception):
    """Base of every error that the toolkit raises on purpose.

    Args:
        fact: what is the case, with the values that matter.
        remedy: what the reader can do about it; printed after the fact.
        details: values that a script may want, for the JSON of the error.
    """

    def __init__(self, fact: str, remedy: str = "", *, details: Mapping[str, Any] | None = None) -> None:
        super().__init__(f"{fact} {remedy}".strip())
        self.fact = fact
        self.remedy = remedy
        self.details = details or {}


class BadInput(AutosortError):
    pass


class UnknownFormat(BadInput):
    pass


class NotFound(AutosortError):
    pass


class Refused(AutosortError):
    pass


class IllegalMove(Refused):
    pass


class GateClosed(Refused):
    pass


class PointerMoved(Refused):
    pass


class OverBudget(Refused):
    pass


class AlreadyRunning(Refused):
    pass


class TrainingError(AutosortError):
    pass


class EncoderBroken(AutosortError):
    pass


class InferenceFailed(AutosortError):
    pass


class ModelUnavailable(AutosortError):
    pass


class Overloaded(AutosortError):
    """Args: retry_after: seconds after which there will be room."""

    def __init__(self, fact: str, remedy: str = "", *, retry_after: float = 1.0) -> None:
        super().__init__(fact, remedy)
        self.retry_after = retry_after


class ArtifactError(AutosortError):
    pass


class DigestMismatch(ArtifactError):
    pass


class UnsafeArtifact(ArtifactError):
    pass


class ComputeError(AutosortError):
    pass


class ComputeUnavailable(ComputeError):
    pass


class HubError(AutosortError):
    pass


class HubUnavailable(HubError):
    pass


class DatabaseError(AutosortError):
    pass


class DatabaseUnavailable(DatabaseError):
    pass


class DatabaseBusy(DatabaseError):
    pass


class DatabaseFull(DatabaseError):
    pass


class SchemaOutdated(DatabaseError):
    pass
