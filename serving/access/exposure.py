"""A service that others can reach is not begun without a key."""

import ipaddress

from registry import api_keys
from registry.database import Database
from registry.errors import Refused
from serving.settings import Auth


def check_exposure(database: Database, host: str, auth: Auth) -> None:
    """Refuse to listen where other machines can ask while nobody could be told from anybody else.

    Raises:
        Refused: the address is not this machine's own, keys are not switched off, and there is none.
    """
    if auth == "off" or _is_loopback(host):
        return
    with database.transaction() as connection:
        known = api_keys.list_all(connection)
    if all(each.revoked_at for each in known):
        raise Refused(
            f"Other machines can reach {host}, and there is no key by which to know who asks.",
            "Make one with `autosort keys add NAME --role read`. If something before the service decides who may ask, "
            "set AUTOSORT_AUTH=off.",
        )


def _is_loopback(host: str) -> bool:
    try:
        return ipaddress.ip_address(host.strip("[]")).is_loopback
    except ValueError:
        return host == "localhost"
