"""The servers of a fleet, as a person writes them down."""

from __future__ import annotations

import os
import urllib.parse
from typing import Any

from .server import ServerClient
from .transport import VARIABLE


def server_clients(given: tuple[Any, ...], patience: float) -> list[ServerClient]:
    """The servers of a list of addresses, or of {"address": ..., "authorization": name of a variable}.

    Raises:
        ValueError: names the entry.
    """
    clients = [_client(entry, patience) for entry in given]
    addresses = [client.address for client in clients]
    for address in addresses:
        if addresses.count(address) > 1:
            raise ValueError(f"servers: {address} is named twice")
    return clients


def _client(entry: Any, patience: float) -> ServerClient:
    named = {"address": entry} if isinstance(entry, str) else entry
    if not isinstance(named, dict) or not {"address"} <= named.keys() <= {"address", "authorization"}:
        raise ValueError(f"servers: {entry!r:.80} is no address, such as http://10.0.0.5:8188")
    address, variable = named["address"], named.get("authorization", VARIABLE)
    text = address if "://" in str(address) else f"http://{address}"
    try:
        parts = urllib.parse.urlsplit(text)
        good = parts.scheme in ("http", "https") and bool(parts.hostname) and (parts.port or 1) > 0
    except ValueError:
        good = False
    else:
        if parts.username is not None or parts.password is not None:
            raise ValueError("servers: a password in an address can be read by others; set it as a variable's value")
    if not good:
        raise ValueError(f"servers: {address!r:.80} is no address, such as http://10.0.0.5:8188")
    if not isinstance(variable, str) or not variable.isidentifier():
        raise ValueError("servers: authorization must be the name of an environment variable, never a token")
    value = os.environ.get(variable, "").strip()
    if not (value.isascii() and value.isprintable()):
        raise ValueError(f"servers: the value of {variable} must be one line of ASCII")
    if variable != VARIABLE and variable not in os.environ:
        raise ValueError(f"servers: the environment variable {variable} of {address} is not set")
    return ServerClient(text.rstrip("/"), variable, patience)
