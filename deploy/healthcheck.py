"""Ends with 0 if the web process of this container responds to `/healthz`, as the host that it serves.

Takes the port as its argument; 8000 by default. It prints the error and ends with 1 if there is no response in time.
"""

import os
import sys
from http.client import HTTPConnection, HTTPException

TIMEOUT = 4.0
"""Seconds; less than the `--timeout` of the HEALTHCHECK."""


def status_of(port: int, host: str) -> int:
    """The status of `/healthz`; raises `OSError` or `HTTPException` without a response."""
    connection = HTTPConnection("127.0.0.1", port, timeout=TIMEOUT)
    connection.request("GET", "/healthz", headers={"Host": host})
    return connection.getresponse().status


def main() -> None:
    """Ask, and exit."""
    host = os.environ.get("ALLOWED_HOSTS", "localhost").split(",")[0].strip().lstrip(".")
    try:
        status = status_of(int(sys.argv[1]) if len(sys.argv) > 1 else 8000, host)
    except (OSError, HTTPException) as error:
        sys.exit(f"no response: {error}")
    if status != 200:
        sys.exit(f"/healthz is {status}")


if __name__ == "__main__":
    main()
