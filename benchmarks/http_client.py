"""A client that costs the machine as little as can be: requests by hand over kept connections."""

import asyncio
import json
from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True)
class Answer:
    """A response: its status, its head in small letters, and its body as it came."""

    status: int
    head: bytes
    body: bytes


class Connection:
    """One connection to a server of this machine, one request after the other."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._reader = reader
        self._writer = writer

    @classmethod
    async def open(cls, port: int) -> "Connection":
        return cls(*await asyncio.open_connection("127.0.0.1", port, limit=2**24))

    async def post(self, path: str, document: Any) -> Answer:  # noqa: ANN401 - whatever JSON holds
        body = json.dumps(document).encode()
        head = (
            f"POST {path} HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\nContent-Length: {len(body)}\r\n\r\n"
        )
        self._writer.write(head.encode() + body)
        told = (await self._reader.readuntil(b"\r\n\r\n")).lower()
        length = int(told.split(b"content-length: ")[1].split(b"\r\n")[0])
        return Answer(int(told.split(b" ", 2)[1]), told, await self._reader.readexactly(length))

    def close(self) -> None:
        self._writer.close()
