"""The discovery sidecar: says in EndpointSlices which member of a Patroni cluster leads.

Standard library only, and nothing else of ours: it runs in a container of its own beside each
member, in 32 MiB. It routes and does not fence; `docs/discovery.md` says what does.
"""
