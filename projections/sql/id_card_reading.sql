-- Every query returns the position with its rows, from one snapshot.

-- name: progress
-- last_version is the log's: a lower version in the view means that it is behind for this application.
SELECT position.position AS as_of_position, head.position AS head, applications.*,
       (SELECT max(events.version) FROM ledger.events WHERE stream = %(receipt_number)s) AS last_version,
       EXISTS (SELECT FROM views.quarantine WHERE permit_number = %(receipt_number)s) AS is_quarantined
FROM views.reached() AS position (position) CROSS JOIN ledger.log_end() AS head (position)
LEFT JOIN views.id_card_applications AS applications ON receipt_number = %(receipt_number)s;

-- name: overdue
-- The longest overdue first.
SELECT applications.*, count(*) OVER () AS found FROM views.id_card_applications AS applications
WHERE stage IN ('accepted', 'sent_to_hukou_police', 'approved', 'produced')
  AND due_date < %(today)s AND accepted_by = %(station)s
ORDER BY due_date, receipt_number LIMIT %(rows_max)s;

-- name: due_soon
SELECT applications.*, count(*) OVER () AS found FROM views.id_card_applications AS applications
WHERE stage IN ('accepted', 'sent_to_hukou_police', 'approved', 'produced')
  AND due_date BETWEEN %(today)s AND %(soon)s
  AND accepted_by = %(station)s
ORDER BY due_date, receipt_number LIMIT %(rows_max)s;

-- name: waiting
-- The card that has waited longest first.
SELECT applications.*, count(*) OVER () AS found FROM views.id_card_applications AS applications
WHERE stage = 'arrived' AND accepted_by = %(station)s
ORDER BY stage_since, receipt_number LIMIT %(rows_max)s;

-- name: counts
SELECT stage, count(*) AS applications,
       count(*) FILTER (WHERE due_date_provisional) AS provisional
FROM views.id_card_applications GROUP BY stage;

-- name: provisional
-- Open applications with a provisional due date, page by page.
SELECT receipt_number, accepted_on FROM views.id_card_applications
WHERE due_date_provisional AND stage NOT IN ('returned', 'collected', 'withdrawn')
  AND receipt_number > %(after)s
ORDER BY receipt_number LIMIT %(rows_max)s;
