"""A TCP proxy that does to connections what networks do: delays, slow lines, tiny segments, resets,
half-closed and dead lines. What it does is decided by a seed, connection by connection, so that a
run repeats. It knows nothing of HTTP.

    with FaultProxy(daemon.address, Slices(), seed=1) as proxy:
        ... connect to proxy.address

One thread with an event loop of its own. Its descriptors are closed at the end."""

import asyncio
import random
import socket
import struct
import threading

PIECE = 65536
MOST_SLICES = 200  # of one piece; the rest of it goes at once


class Fault:
    """What happens to a connection: nothing. plan() is asked once a connection."""

    def plan(self, generator):
        return Line(generator)


class Line:
    """One connection's fate. Each direction: how long a piece is under way, how it is cut, how long
    sending it takes; and after how many bytes of which direction the line is lost."""

    def __init__(self, generator, delay=(0, 0), slices=0, rate=0, lost=None):
        self.generator, self.delay, self.slices, self.rate = generator, delay, slices, rate
        self.lost = lost  # (direction, bytes, reset | dead | end)
        self.quiet = None  # seconds without a byte from the client, then its end is passed on

    def transit(self):
        return self.generator.uniform(*self.delay)

    def cut(self, data):
        """The segments that a piece is sent in: of its beginning, or of any part of it."""
        if self.slices:
            whole = self.generator.choice((0, self.generator.randrange(len(data))))
            if whole:
                yield data[:whole]
            for _ in range(MOST_SLICES):
                count = self.generator.randint(1, self.slices)
                if whole < len(data):
                    yield data[whole:whole + count]
                whole += count
            data = data[whole:]
        if data:
            yield data


class Latency(Fault):
    """Every piece is 10 ms under way."""

    def plan(self, generator):
        return Line(generator, delay=(0.01, 0.01))


class Jitter(Fault):
    """Pieces are under way for different times; their order stays."""

    def plan(self, generator):
        return Line(generator, delay=(0, 0.02))


class Rate(Fault):
    """Lines of 250 kB to 2 MB a second."""

    def plan(self, generator):
        return Line(generator, rate=generator.uniform(250e3, 2e6))


class Slices(Fault):
    """Segments of 1 to 40 bytes, on some lines of single bytes."""

    def plan(self, generator):
        return Line(generator, slices=generator.choice((1, 7, 40, 40)))


class Lossy(Fault):
    """Each line is lost after some bytes in one direction, the first ones sooner or later."""

    HOW = "reset"
    BYTES = 40000

    def plan(self, generator):
        return Line(generator, lost=(generator.choice(("up", "down")),
                                     generator.randrange(self.BYTES), self.HOW))


class Resets(Lossy):
    """Both ends are reset."""


class Blackhole(Lossy):
    """Nothing passes any more, and no end knows."""

    HOW = "dead"


class HalfClose(Lossy):
    """The daemon hears the client's end: as soon as the client is quiet, or within a request."""

    HOW = "end"

    def plan(self, generator):
        line = Line(generator, lost=("up", generator.randrange(6000), self.HOW))
        line.quiet = 0.02
        return line


ALL = {"latency": Latency, "jitter": Jitter, "rate": Rate, "slices": Slices, "reset": Resets,
       "half-close": HalfClose, "blackhole": Blackhole}


class FaultProxy:
    """Passes on what comes to `address` to the target; a context manager."""

    def __init__(self, target, fault, seed=1):
        self.target, self.fault, self.seed = target, fault, seed
        self.connections = 0
        self.lost = 0
        self.listener = socket.create_server(("127.0.0.1", 0), backlog=1024)
        self.listener.setblocking(False)
        self.address = self.listener.getsockname()
        self.loop = asyncio.new_event_loop()
        self.thread = threading.Thread(target=self._run, daemon=True)

    def __enter__(self):
        self.thread.start()
        return self

    def __exit__(self, *unused):
        self.loop.call_soon_threadsafe(self.accepting.cancel)
        self.thread.join()
        self.listener.close()

    def _run(self):
        asyncio.set_event_loop(self.loop)
        self.accepting = self.loop.create_task(self._accept())
        try:
            self.loop.run_until_complete(self.accepting)
        except asyncio.CancelledError:
            pass
        rest = asyncio.all_tasks(self.loop)
        for task in rest:
            task.cancel()
        self.loop.run_until_complete(asyncio.gather(*rest, return_exceptions=True))
        self.loop.close()

    async def _accept(self):
        while True:
            client, _ = await self.loop.sock_accept(self.listener)
            self.connections += 1
            generator = random.Random(self.seed * 1000003 + self.connections)
            self.loop.create_task(self._serve(client, self.fault.plan(generator)))

    async def _serve(self, client, line):
        daemon = socket.socket()
        for one in (client, daemon):
            one.setblocking(False)
            one.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        try:
            await self.loop.sock_connect(daemon, self.target)
            pumps = [self.loop.create_task(Pump(self, line, "up", client, daemon).run()),
                     self.loop.create_task(Pump(self, line, "down", daemon, client).run())]
            done, rest = await asyncio.wait(pumps, return_when=asyncio.FIRST_EXCEPTION)
            if any(task.exception() for task in done):
                # The end with a reset tells the other, whichever it was.
                for one in (client, daemon):
                    one.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
            for task in rest:
                task.cancel()
            await asyncio.gather(*rest, return_exceptions=True)
        except OSError:
            pass
        finally:
            client.close()
            daemon.close()


class Pump:
    """One direction of one connection: reads at once, and passes on in its own time."""

    def __init__(self, proxy, line, direction, source, sink):
        self.proxy, self.loop, self.line = proxy, proxy.loop, line
        self.direction, self.source, self.sink = direction, source, sink
        self.passed = 0
        # Bounded, so that a slow line slows its sender.
        self.queue = asyncio.Queue(64)

    async def run(self):
        reader = self.loop.create_task(self._read())
        try:
            while True:
                due, data = await self.queue.get()
                await asyncio.sleep(max(0, due - self.loop.time()))
                if not data:
                    self.sink.shutdown(socket.SHUT_WR)
                    return
                if not await self._send(data):
                    return
        finally:
            reader.cancel()
            await asyncio.gather(reader, return_exceptions=True)

    async def _read(self):
        last = 0
        while True:
            data = await self._receive()
            last = max(last, self.loop.time() + self.line.transit())
            await self.queue.put((last, data))
            if not data:
                return

    async def _receive(self):
        receiving = self.loop.sock_recv(self.source, PIECE)
        if self.direction == "down" or self.line.quiet is None or self.passed == 0:
            return await self._or_reset(receiving)
        try:
            return await asyncio.wait_for(receiving, self.line.quiet)
        except asyncio.TimeoutError:
            return b""

    async def _or_reset(self, receiving):
        try:
            return await receiving
        except OSError:
            return b""

    async def _send(self, data):
        """Whether the line goes on."""
        for piece in self.line.cut(data):
            left = self._left()
            await self.loop.sock_sendall(self.sink, piece[:left])
            self.passed += len(piece[:left])
            if left is not None and left <= len(piece):
                return await self._lose()
            if self.line.rate:
                await asyncio.sleep(len(piece) / self.line.rate)
            elif self.line.slices:
                await asyncio.sleep(0)
        return True

    def _left(self):
        """Bytes that still pass in this direction; None: all."""
        if self.line.lost is None or self.line.lost[0] != self.direction:
            return None
        return self.line.lost[1] - self.passed

    async def _lose(self):
        self.proxy.lost += 1
        how = self.line.lost[2]
        if how == "reset":
            raise ConnectionResetError
        if how == "end":
            self.sink.shutdown(socket.SHUT_WR)
            return False
        # Neither end hears of it. Whoever gives up first closes.
        while await self._or_reset(self.loop.sock_recv(self.source, PIECE)):
            pass
        raise ConnectionResetError
