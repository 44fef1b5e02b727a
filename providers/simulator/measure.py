"""What the simulator carries on one core: `manage.py simulate_providers --measure`."""

import asyncio
import json
import multiprocessing
import os
import socket
import time
from pathlib import Path

from .calls import Simulator
from .server import listen, serve

JOBS, CONNECTIONS = 2_000, 16
_KEY = "key_" + "0" * 128
_HEAD = f"Host: 127.0.0.1\r\nAuthorization: Bearer {_KEY}\r\nX-Runway-Version: 2024-11-06\r\n"
_BODY = json.dumps({"model": "gen4.5", "promptText": "a fox in snow", "ratio": "1280:720", "duration": 5})


def report(seconds: float) -> str:
    """Put 2,000 jobs in flight, then look at them without pause for so many seconds; the figures in words."""
    listener = listen("127.0.0.1", 0)
    process = multiprocessing.get_context("fork").Process(target=_served, args=(listener,), daemon=True)
    process.start()
    submits, looks = asyncio.run(_load(listener.getsockname()[1], seconds))
    cpu = _cpu(process.pid or 0)
    process.terminate()
    process.join()
    rate = looks / seconds
    return (
        f"{JOBS} jobs accepted at {submits:.0f} a second; with all of them in flight, {rate:.0f} looks a second "
        f"over {CONNECTIONS} connections. The server used {cpu:.1f} s of CPU in all."
    )


def _served(listener: socket.socket) -> None:
    serve(Simulator(speed=0.001, concurrency={"runway": 0}), listener)


async def _load(port: int, seconds: float) -> tuple[float, int]:
    start = time.perf_counter()
    ids = [job for found in await asyncio.gather(*(_submits(port) for _ in range(CONNECTIONS))) for job in found]
    rate = len(ids) / (time.perf_counter() - start)
    end = time.perf_counter() + seconds
    counts = await asyncio.gather(*(_looks(port, ids[n::CONNECTIONS], end) for n in range(CONNECTIONS)))
    return rate, sum(counts)


async def _submits(port: int) -> list[str]:
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    head = f"POST /runway/v1/text_to_video HTTP/1.1\r\n{_HEAD}Content-Length: {len(_BODY)}\r\n\r\n"
    found = [json.loads(await _ask(reader, writer, head + _BODY))["id"] for _ in range(JOBS // CONNECTIONS)]
    writer.close()
    return found


async def _looks(port: int, ids: list[str], end: float) -> int:
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    count = 0
    while time.perf_counter() < end:
        job = ids[count % len(ids)]
        answer = await _ask(reader, writer, f"GET /runway/v1/tasks/{job} HTTP/1.1\r\n{_HEAD}\r\n")
        if b'"RUNNING"' not in answer:
            raise RuntimeError(f"a job should still run: {answer[:200]!r}")
        count += 1
    writer.close()
    return count


async def _ask(reader: asyncio.StreamReader, writer: asyncio.StreamWriter, text: str) -> bytes:
    writer.write(text.encode())
    head = (await reader.readuntil(b"\r\n\r\n")).lower()
    length = int(head.partition(b"content-length: ")[2].partition(b"\r\n")[0])
    return await reader.readexactly(length)


def _cpu(pid: int) -> float:
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(") ")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")
