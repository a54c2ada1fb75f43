"""A hub on 127.0.0.1 that answers what huggingface_hub's own client asks, with its real errors."""

import base64
import hashlib
import json
import threading
import time
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from urllib.parse import unquote, urlsplit

import pytest
from huggingface_hub import constants
from huggingface_hub.utils import close_session
from huggingface_hub.utils._http import time as client_time


def sha1(content):
    return hashlib.sha1(content).hexdigest()


class Hub:
    """Repositories as ``models/OWNER/NAME`` and ``datasets/OWNER/NAME``: revisions of files."""

    def __init__(self):
        self.repositories, self.gated, self.writable, self.requests, self.blobs, self.commits = {}, set(), {}, [], {}, 0

    def add(self, name, files, revision="main"):
        self.repositories.setdefault(name, {})[revision] = dict(files)

    def find(self, name, revision):
        """The commit and files of a revision, given by its name or commit."""
        for label, files in self.repositories[name].items():
            listing = sorted((path, sha1(content)) for path, content in files.items())
            commit = sha1(json.dumps(listing).encode())
            if revision in (label, commit):
                return commit, files
        return None

    def asked(self, method, end=""):
        return [path for verb, path in self.requests if verb == method and path.endswith(end)]


class Handler(BaseHTTPRequestHandler):
    hub: Hub

    def log_message(self, *_):
        pass

    def answer(self, status=200, content=b"", **headers):
        content = content if isinstance(content, bytes) else json.dumps(content).encode()
        self.send_response(status)
        for name, value in {"content-length": len(content), **headers}.items():
            self.send_header(name.replace("_", "-"), str(value))
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(content)

    def refuse(self, status, code, message=""):
        self.answer(status, b"", x_error_code=code, x_error_message=message or code)

    def do_GET(self):
        path = unquote(urlsplit(self.path).path)
        self.hub.requests.append((self.command, path))
        parts = path.strip("/").split("/")
        api = parts[0] == "api"
        parts = parts[1:] if api else parts
        kind = parts.pop(0) if parts[0] in ("models", "datasets") else "models"
        name, rest = "/".join([kind, *parts[:2]]), parts[2:]
        if name not in self.hub.repositories:
            return self.refuse(404, "RepoNotFound")
        if name in self.hub.gated:
            return self.refuse(403, "GatedRepo")
        found = self.hub.find(name, rest[1] if len(rest) > 1 else "main")
        if found is None:
            return self.refuse(404, "RevisionNotFound")
        commit, files = found
        if api and "tree" in rest:
            entries = [
                {"type": "file", "path": path, "size": len(content), "oid": sha1(content)}
                for path, content in files.items()
            ]
            return self.answer(content=entries)
        if api:
            siblings = [{"rfilename": path} for path in files]
            info = {"id": "/".join(parts[:2]), "sha": commit, "siblings": siblings, "private": False, "tags": []}
            return self.answer(content=info | {"downloads": 0, "likes": 0})
        file = "/".join(rest[2:])
        if file not in files:
            return self.refuse(404, "EntryNotFound")
        return self.answer(content=files[file], etag=f'"{sha1(files[file])}"', x_repo_commit=commit)

    def do_HEAD(self):
        self.do_GET()

    def do_PUT(self):
        self.hub.requests.append(("PUT", self.path))
        self.hub.blobs[self.path.rpartition("/")[2]] = self.rfile.read(int(self.headers["content-length"]))
        self.answer()

    def do_POST(self):
        path = urlsplit(self.path).path
        self.hub.requests.append(("POST", path))
        content = self.rfile.read(int(self.headers["content-length"]))
        home = f"http://{self.headers['host']}"
        if "authorization" not in self.headers or self.headers["authorization"] == "Bearer hf_reader":
            return self.refuse(403, "Forbidden", "You have no right to write here")
        if path == "/api/repos/create":
            asked = json.loads(content)
            name = f"{asked['organization']}/{asked['name']}"
            self.hub.repositories.setdefault(f"models/{name}", {"main": {}})
            return self.answer(content={"url": f"{home}/{name}"})
        if path == "/api/validate-yaml":
            return self.answer(content={})
        name = "models/" + "/".join(path.removeprefix("/api/models").strip("/").removesuffix("/").split("/")[:2])
        files = self.hub.repositories[name.removesuffix(".git")]["main"]
        if "/preupload/" in path:
            return self.answer(
                content={"files": [self.mode(file["path"], files) for file in json.loads(content)["files"]]}
            )
        if path.endswith("/objects/batch"):
            objects = [
                {**entry, "actions": {"upload": {"href": f"{home}/lfs/{entry['oid']}"}}}
                for entry in json.loads(content)["objects"]
            ]
            return self.answer(content={"transfer": "basic", "objects": objects})
        for line in content.splitlines():
            entry = json.loads(line)
            if entry["key"] == "file":
                files[entry["value"]["path"]] = base64.b64decode(entry["value"]["content"])
            elif entry["key"] == "lfsFile":
                files[entry["value"]["path"]] = self.hub.blobs[entry["value"]["oid"]]
        self.hub.commits += 1
        oid = f"{self.hub.commits:040x}"
        return self.answer(content={"commitUrl": f"{home}/{name[7:]}/commit/{oid}", "commitOid": oid})

    @staticmethod
    def mode(path, files):
        large = path.endswith(".safetensors")
        known = files.get(path)
        oid = known and (hashlib.sha256(known).hexdigest() if large else sha1(b"blob %d\0" % len(known) + known))
        return {"path": path, "uploadMode": "lfs" if large else "regular", "shouldIgnore": False, "oid": oid}


@pytest.fixture(scope="module")
def server():
    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=server.serve_forever, args=(0.01,), daemon=True)
    thread.start()
    yield server
    server.shutdown()
    server.server_close()
    thread.join()


@pytest.fixture
def hub(server, tmp_path, monkeypatch):
    """The hub, and huggingface_hub's client turned to it, with a cache and a token of its own."""
    Handler.hub = Hub()
    Handler.hub.go = lambda port=server.server_port: go_to(monkeypatch, port)
    Handler.hub.go()
    monkeypatch.setattr(constants, "HF_HUB_CACHE", str(tmp_path / "cache"))
    monkeypatch.setattr(constants, "HF_HUB_OFFLINE", False)
    monkeypatch.setattr(constants, "HF_HUB_DISABLE_XET", True)  # it would upload elsewhere
    monkeypatch.setattr(constants, "HF_HUB_DISABLE_TELEMETRY", True)
    monkeypatch.setattr(constants, "HF_TOKEN_PATH", str(tmp_path / "no_token"))
    monkeypatch.delenv("HF_OIDC_RESOURCE", raising=False)
    monkeypatch.setenv("HF_TOKEN", "hf_writer")
    monkeypatch.setattr(client_time, "sleep", lambda seconds, sleep=time.sleep: sleep(min(seconds, 0.001)))
    yield Handler.hub
    close_session()


def go_to(monkeypatch, port):
    monkeypatch.setattr(constants, "ENDPOINT", f"http://127.0.0.1:{port}")
    template = f"http://127.0.0.1:{port}/{{repo_id}}/resolve/{{revision}}/{{filename}}"
    monkeypatch.setattr(constants, "HUGGINGFACE_CO_URL_TEMPLATE", template)


@pytest.fixture
def cut_off(hub):
    """Takes the network away; ``hub.go()`` gives it back."""
    return lambda: hub.go(9)  # where nothing listens


@pytest.fixture
def offline(hub, monkeypatch):
    """Sets HF_HUB_OFFLINE=1."""
    return lambda: monkeypatch.setattr(constants, "HF_HUB_OFFLINE", True)
