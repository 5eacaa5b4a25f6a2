"""Web servers of this machine that stand in for model hubs and file hosts, with all their ways to fail."""

import base64
import contextlib
import hashlib
import json
import re
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

COMMIT = "0123456789abcdef0123456789abcdef01234567"


class Handler(BaseHTTPRequestHandler):
    """Serves what its server's `answer` returns: a status, headers, and a body of which perhaps only a part is sent."""

    protocol_version = "HTTP/1.1"

    def respond(self):
        length = int(self.headers.get("Content-Length") or 0)
        self.body = self.rfile.read(length)
        self.server.requests.append(f"{self.command} {self.path}")
        self.server.headers_seen.append(dict(self.headers))
        if self.server.hangs and not self.path.startswith("/probe"):
            self.server.gone.wait(60)
            return
        status, headers, body = self.server.answer(self)
        start = 0
        if status == 200 and (asked := re.match(r"bytes=(\d+)-", self.headers.get("Range", ""))):
            start = int(asked[1])
            if start >= len(body):
                status, headers, body = 416, {"Content-Range": f"bytes */{len(body)}"}, b""
            else:
                status, headers = 206, {**headers, "Content-Range": f"bytes {start}-{len(body) - 1}/{len(body)}"}
        self.send_response(status)
        for name, value in headers.items():
            self.send_header(name, value)
        self.send_header("Content-Length", str(len(body) - start))
        self.end_headers()
        if self.command == "HEAD":
            return
        part = body[start:]
        if self.server.sends is not None and len(part) > self.server.sends:
            self.wfile.write(part[: self.server.sends])
            self.close_connection = True
            if self.server.stalls:
                self.server.gone.wait(60)
            return
        self.wfile.write(part)

    do_GET = do_HEAD = do_POST = respond

    def log_message(self, *arguments):
        pass


@contextlib.contextmanager
def serve(answer, hangs=False, sends=None, stalls=False):
    """Runs a server.

    Args:
        answer: From a request handler to status, headers and body.
        hangs: Whether it takes connections and then says nothing.
        sends: How many bytes of a body it sends before it drops the connection; None for all.
        stalls: Whether it keeps the connection open instead.
    """
    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    server.daemon_threads = True
    server.answer, server.hangs, server.sends, server.stalls = answer, hangs, sends, stalls
    server.requests, server.headers_seen, server.gone = [], [], threading.Event()
    server.address = f"http://127.0.0.1:{server.server_port}"
    threading.Thread(target=server.serve_forever, daemon=True).start()
    try:
        yield server
    finally:
        server.gone.set()
        server.shutdown()
        server.server_close()


def files_of(folder: Path) -> dict[str, bytes]:
    """The files of a folder, by their path inside it."""
    return {file.relative_to(folder).as_posix(): file.read_bytes() for file in folder.rglob("*") if file.is_file()}


def hugging_face(repositories: dict[str, dict[str, bytes]], status: int = 200):
    """Answers as the Hugging Face Hub does to `snapshot_download`, and to a request for a single file.

    Args:
        repositories: Files by repository: `owner/name` for a model, `datasets/owner/name` for a data set.
        status: What it answers to every request that is not a probe.
    """

    def answer(request):
        path = request.path.split("?")[0]
        if path == "/":
            return 200, {}, b""
        if status != 200:
            return status, {}, b"{}"
        if found := re.fullmatch(r"/api/models/([^/]+/[^/]+)(?:/revision/\w+)?", path):
            if found[1] not in repositories:
                return 404, {"X-Error-Code": "RepoNotFound"}, b"{}"
            files = [{"rfilename": name} for name in repositories[found[1]]]
            content = {"id": found[1], "modelId": found[1], "sha": COMMIT, "siblings": files}
            return 200, {"Content-Type": "application/json"}, json.dumps(content).encode()
        if found := re.fullmatch(r"/api/models/([^/]+/[^/]+)/tree/\w+", path):
            files = [
                {"type": "file", "path": name, "size": len(body), "oid": hashlib.sha1(body).hexdigest()}
                for name, body in repositories[found[1]].items()
            ]
            return 200, {"Content-Type": "application/json"}, json.dumps(files).encode()
        if found := re.fullmatch(r"/((?:datasets/)?[^/]+/[^/]+)/resolve/\w+/(.+)", path):
            body = repositories.get(found[1], {}).get(found[2])
            if body is None:
                return 404, {"X-Error-Code": "EntryNotFound"}, b"{}"
            digest = hashlib.sha256(body).hexdigest()
            return 200, {"ETag": f'"{digest}"', "X-Repo-Commit": COMMIT, "Accept-Ranges": "bytes"}, body
        return 404, {}, b"{}"

    return answer


def kaggle(models: dict[str, dict[str, bytes]], status: int = 200, checksums: bool = True):
    """Answers as Kaggle does to `kagglehub.model_download`, when it is asked through a proxy.

    Args:
        models: Files by `owner/model/variation/version`.
        status: What it answers to every request that is not a probe.
        checksums: Whether it sends a file's MD5, as Google's storage does.
    """

    def answer(request):
        if request.command == "HEAD":
            return 200, {}, b""
        if status != 200:
            return status, {"Content-Type": "text/html"}, b"<html>no</html>"
        asked = json.loads(request.body)
        model = [str(asked[name]) for name in ("ownerSlug", "modelSlug", "instanceSlug", "versionNumber")]
        files = models["/".join(model)]
        if request.path.endswith("ListModelInstanceVersionFiles"):
            content = {"files": [{"name": name, "size": len(body)} for name, body in files.items()]}
            return 200, {"Content-Type": "application/json"}, json.dumps(content).encode()
        return 302, {"Location": f"/files/{asked['path']}?{'/'.join(model)}"}, b""

    def storage(request):
        path, _, model = request.path.partition("/files/")[2].partition("?")
        body = models[model][path]
        headers = {"Accept-Ranges": "bytes", "Content-Type": "application/octet-stream"}
        if checksums:
            headers["x-goog-hash"] = "md5=" + base64.b64encode(hashlib.md5(body).digest()).decode()
        return 200, headers, body

    return lambda request: (storage if "/files/" in request.path else answer)(request)
