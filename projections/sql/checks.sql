-- name: check
-- One batch: records the decided checks, uses up their codes, and reads from one snapshot what the next
-- checks need: each permit on both tracks, its holder's key, the portrait, and the positions of the
-- views and of the log. One row for each query, by its place; without queries, one row whose place is
-- null.
--
-- If the views are behind, the permit's last version shows whether they lack one of its events. Of a
-- code that is not live only its holder is read, to seal the record.
--
-- Without records the commit does not wait for the disk: what used the codes is on the disk before the
-- record of any of their checks, and so before any answer.
WITH done AS MATERIALIZED (
    SELECT * FROM ledger.check_batch(
        %(record_state)b::bytea[],
        %(code_number)b::integer[], %(code_digest)b::bytea[], %(code_challenge_digest)b::bytea[],
        %(code_verifier_index)b::bytea[], %(code_scenario)b::text[], %(at)b, %(ahead_max)b)
), asked AS MATERIALIZED (
    SELECT own.place, done.permit_number AS shown_permit, done.holder_id AS shown_holder,
           done.device AS shown_by, coalesce(done.is_live, false) AS is_live,
           done.issued_at AS code_issued_at, done.expires_at AS code_expires_at,
           done.mac AS code_mac,
           CASE WHEN done.is_live THEN done.permit_number ELSE own.permit_number END AS wanted
    FROM unnest(%(permit_number)b::text[]) WITH ORDINALITY AS own (permit_number, place)
    LEFT JOIN done ON done.number = own.place
)
SELECT (SELECT before FROM done WHERE number IS NULL) AS checks_before,
       place, shown_permit, shown_holder, shown_by, is_live, code_issued_at, code_expires_at, code_mac,
       position.position AS as_of_position, head.position AS head, permits.*,
       holders.holder_id AS key_of, kek_id, wrapped,
       holders.holder_id IS NOT NULL AS has_key, holders.restricted AS kept_unused,
       portraits.image AS portrait_image,
       EXISTS (SELECT FROM views.quarantine WHERE quarantine.permit_number = wanted) AS is_quarantined,
       CASE WHEN position.position < head.position
            THEN (SELECT max(events.version) FROM ledger.events WHERE stream = wanted)
       END AS last_version
FROM views.reached() AS position (position) CROSS JOIN ledger.log_end() AS head (position)
CROSS JOIN (
    SELECT set_config(
        'synchronous_commit',
        CASE WHEN cardinality(%(record_state)b::bytea[]) > 0
             THEN current_setting('synchronous_commit') ELSE 'off' END,
        true)
) AS until_commit
LEFT JOIN asked ON true
LEFT JOIN views.permits ON permit_number = wanted
LEFT JOIN ledger.portraits ON stream = permit_number AND portraits.version = portrait_version
LEFT JOIN ledger.holders ON holders.holder_id = coalesce(permits.holder_id, shown_holder)
ORDER BY place;
