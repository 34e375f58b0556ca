"""The program of docs/registries.md copies every schema to a registry, the versions of each contract in order."""

import json
import re
import subprocess
import sys
import threading
from collections import defaultdict
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path
from urllib.parse import unquote

ROOT = Path(__file__).resolve().parents[3]
SCHEMAS = ROOT / "integration/contracts/schemas"


class Registry(BaseHTTPRequestHandler):
    """What the interface of Confluent's registry does with these two requests."""

    subjects: defaultdict[str, list[str]] = defaultdict(list)
    compatibility: dict[str, str] = {}

    def do_PUT(self) -> None:
        subject = unquote(self.path).removeprefix("/config/")
        self.compatibility[subject] = self._body()["compatibility"]
        self._respond({"compatibility": self.compatibility[subject]})

    def do_POST(self) -> None:
        _, _, subject, _ = unquote(self.path).split("/")
        body = self._body()
        assert body["schemaType"] == "JSON"
        if body["schema"] not in self.subjects[subject]:
            self.subjects[subject].append(body["schema"])
        self._respond({"id": sum(map(len, self.subjects.values()))})

    def _body(self) -> dict[str, str]:
        assert self.headers["Content-Type"] == "application/vnd.schemaregistry.v1+json"
        found: dict[str, str] = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        return found

    def _respond(self, document: object) -> None:
        self.send_response(200)
        self.end_headers()
        self.wfile.write(json.dumps(document).encode())

    def log_message(self, *args: object) -> None:
        """Log nothing."""


def test_every_schema_is_copied_once() -> None:
    (code,) = re.findall(r"```python\n(.*?)```", (ROOT / "docs/registries.md").read_text(), re.DOTALL)
    with HTTPServer(("127.0.0.1", 0), Registry) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        url = f"http://127.0.0.1:{server.server_port}"
        for _ in range(2):
            subprocess.run([sys.executable, "-c", code, url, str(SCHEMAS)], check=True, timeout=60)
        server.shutdown()
    files = {path.stem: path.read_text() for path in SCHEMAS.glob("*.v*.json")}
    copied = {f"{name}.v{n}": text for name, texts in Registry.subjects.items() for n, text in enumerate(texts, 1)}
    assert copied == files
    assert set(Registry.compatibility.values()) == {"NONE"}
