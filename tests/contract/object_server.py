"""As much of S3 as the ledger needs, on this machine, which a test can make hang."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from xml.sax.saxutils import escape

from aiohttp import web
from obstore.store import S3Store

_BUCKET = "bucket"


class ObjectServer:
    """Objects in memory, by path."""

    def __init__(self) -> None:
        self.objects: dict[str, bytes] = {}
        self.tries = 0
        """Writes that came in."""

        self.url = ""
        self.missing = False
        """Whether there is no such bucket."""

        self._hanging = frozenset[str]()
        self._answers = asyncio.Event()

    def hang(self, *methods: str) -> None:
        """From now on nothing is answered, or no request of some methods."""
        self._hanging = frozenset(methods or ("GET", "PUT", "POST", "DELETE"))
        self._answers.clear()

    def resume(self) -> None:
        """Everything is answered, what hangs included."""
        self._hanging = frozenset()
        self._answers.set()

    def store(self) -> S3Store:
        return S3Store(
            _BUCKET,
            endpoint=f"{self.url}/{_BUCKET}",
            virtual_hosted_style_request=True,
            skip_signature=True,
            region="here",
            client_options={"allow_http": True},
        )

    async def answer(self, request: web.Request) -> web.StreamResponse:
        name = request.match_info["name"]
        body = await request.read()
        self.tries += request.method == "PUT"
        if request.method in self._hanging:
            await self._answers.wait()
        if self.missing:
            return web.Response(status=404)
        if request.method == "PUT":
            if request.headers.get("if-none-match") == "*" and name in self.objects:
                return web.Response(status=412)
            self.objects[name] = body
            return web.Response(headers={"etag": '"1"'})
        if request.method == "GET" and not name:
            return self._listing(request.query.get("prefix", ""), request.query.get("delimiter", ""))
        if name not in self.objects:
            return web.Response(status=404)
        return self._content(request, self.objects[name])

    def _listing(self, prefix: str, delimiter: str) -> web.Response:
        found, folders = list[str](), set[str]()
        for name in sorted(self.objects):
            rest = name.removeprefix(prefix)
            if not name.startswith(prefix):
                continue
            if delimiter and delimiter in rest:
                folders.add(prefix + rest.partition(delimiter)[0] + delimiter)
            else:
                found.append(name)
        contents = "".join(
            f"<Contents><Key>{escape(name)}</Key><LastModified>2026-11-26T12:00:00.000Z</LastModified>"
            f"<ETag>1</ETag><Size>{len(self.objects[name])}</Size></Contents>"
            for name in found
        )
        prefixes = "".join(
            f"<CommonPrefixes><Prefix>{escape(name)}</Prefix></CommonPrefixes>" for name in sorted(folders)
        )
        text = f"<ListBucketResult><IsTruncated>false</IsTruncated>{contents}{prefixes}</ListBucketResult>"
        return web.Response(text=text, content_type="application/xml")

    @staticmethod
    def _content(request: web.Request, data: bytes) -> web.Response:
        headers = {"etag": '"1"', "last-modified": "Thu, 26 Nov 2026 12:00:00 GMT"}
        if "range" not in request.headers:
            return web.Response(body=data, headers=headers)
        part = request.http_range
        begin, end = part.start or 0, min(part.stop or len(data), len(data))
        headers["content-range"] = f"bytes {begin}-{end - 1}/{len(data)}"
        return web.Response(status=206, body=data[begin:end], headers=headers)


@asynccontextmanager
async def object_server() -> AsyncIterator[ObjectServer]:
    """A server on a free port."""
    server = ObjectServer()
    app = web.Application(client_max_size=64 << 20)
    app.router.add_route("*", f"/{_BUCKET}{{slash:/?}}{{name:.*}}", server.answer)
    runner = web.AppRunner(app, shutdown_timeout=0.1)
    await runner.setup()
    site = web.TCPSite(runner, "127.0.0.1", 0)
    await site.start()
    server.url = f"http://127.0.0.1:{runner.addresses[0][1]}"
    try:
        yield server
    finally:
        server.resume()
        await runner.cleanup()
