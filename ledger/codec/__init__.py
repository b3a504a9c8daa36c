"""Events to stored bytes and back: topics, versions, upcasting, sealed parts."""
