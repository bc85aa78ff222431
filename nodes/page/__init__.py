"""The answers to the page in the browser: live curve, library, share codes. Knows no host."""

ROUTE_PREFIX = "/sigmasmith"  # of the routes in the host's web server
