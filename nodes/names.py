"""Names that the whole pack goes by."""

from __future__ import annotations

LOGGER_NAME = "sigmasmith"
# Of the pack's routes in the host's web server.
ROUTE_PREFIX = "/sigmasmith"
