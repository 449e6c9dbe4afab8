"""The pure half of ringbook: arrays in, arrays out; no sockets, files, asyncio, environment or wall clock."""
