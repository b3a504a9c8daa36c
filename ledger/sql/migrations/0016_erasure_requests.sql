-- Requests to erase are few and wait for a second officer, who looks for them here.
CREATE INDEX events_erasure_requests ON ledger.events (position)
    WHERE topic IN ('permit.erasure-requested.v1', 'id-card.erasure-requested.v1');
