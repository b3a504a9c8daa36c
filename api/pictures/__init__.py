"""Pictures that callers send: decoded in processes of their own, whose time and memory are limited.

A decoder is given bytes that anyone can craft. It runs in C, some of it for a long time on a small
picture, so neither the event loop nor a thread of the service decodes anything.
"""

__all__ = ["processes"]
