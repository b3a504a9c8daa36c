"""Events to stored bytes and back: topics, versions, upcasting, sealed parts."""

__all__ = ["mapper", "topics", "upcasting"]
