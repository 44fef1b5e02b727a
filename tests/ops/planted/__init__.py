"""An app for tests alone, whose migrations are good or bad on purpose: each folder here is one kind of them.

It has no models: what its migrations do is SQL on the product's own tables. `settings.py` is for other processes.
"""
