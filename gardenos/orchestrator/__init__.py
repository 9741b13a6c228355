"""The durable queue and who works it off: plain asyncio over PostgreSQL; Ray only in `actor.py`."""
