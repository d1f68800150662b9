"""A slow wire to a server that can be cut: `python forwarder.py PORT TARGET_PORT BYTES_PER_SECOND`.

Forwards TCP connections on loopback. Killing it is, for a client, the server's end in the middle of
a transfer, while the server keeps what it had received.
"""

from __future__ import annotations

import asyncio
import contextlib
import sys

CHUNK = 16 * 1024


async def pipe(
    reader: asyncio.StreamReader, writer: asyncio.StreamWriter, rate: float | None
) -> None:
    with contextlib.suppress(OSError):
        while data := await reader.read(CHUNK):
            if rate is not None:
                await asyncio.sleep(len(data) / rate)
            writer.write(data)
            await writer.drain()
        writer.close()


async def serve(port: int, target: int, rate: float) -> None:
    async def connect(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        far_reader, far_writer = await asyncio.open_connection("127.0.0.1", target)
        await asyncio.gather(pipe(reader, far_writer, rate), pipe(far_reader, writer, None))

    server = await asyncio.start_server(connect, "127.0.0.1", port)
    async with server:
        await server.serve_forever()


if __name__ == "__main__":
    asyncio.run(serve(int(sys.argv[1]), int(sys.argv[2]), float(sys.argv[3])))
