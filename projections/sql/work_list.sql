-- A station's permits, page by page. Each list is a range of one index of views.physical_permits, in its
-- order; the other conditions only leave rows out, unless one of them makes another index cheaper. A
-- permit's anniversary is the first day that its term does not cover (domain/calendar.py).

-- name: due
-- By anniversary, the soonest first: in force, or with an open endorsement window.
SELECT permits.*, (anchor + make_interval(months => 12 * years))::date AS place,
       EXISTS (SELECT FROM views.quarantine
               WHERE quarantine.permit_number = permits.permit_number) AS is_quarantined
FROM views.permits
WHERE issuing_authority = %(station)s AND ended IS NULL
  AND (anchor + make_interval(months => 12 * years))::date BETWEEN %(first)s AND %(last)s
  AND ((anchor + make_interval(months => 12 * years))::date, permit_number) > (%(place)s, %(number)s)
  AND (%(card_status)s::text IS NULL OR card_status = %(card_status)s)
  AND (NOT %(is_waiting)s OR card_delivered_on IS NULL)
  AND updated_at >= %(updated_since)s
ORDER BY (anchor + make_interval(months => 12 * years))::date, permit_number LIMIT %(rows_max)s;

-- name: overdue
-- By anniversary, the latest first: those that may still be within the days of grace.
SELECT permits.*, (anchor + make_interval(months => 12 * years))::date AS place,
       EXISTS (SELECT FROM views.quarantine
               WHERE quarantine.permit_number = permits.permit_number) AS is_quarantined
FROM views.permits
WHERE issuing_authority = %(station)s AND ended IS NULL
  AND (anchor + make_interval(months => 12 * years))::date BETWEEN %(first)s AND %(last)s
  AND ((anchor + make_interval(months => 12 * years))::date, permit_number) < (%(place)s, %(number)s)
  AND (%(card_status)s::text IS NULL OR card_status = %(card_status)s)
  AND (NOT %(is_waiting)s OR card_delivered_on IS NULL)
  AND updated_at >= %(updated_since)s
ORDER BY (anchor + make_interval(months => 12 * years))::date DESC, permit_number DESC
LIMIT %(rows_max)s;

-- name: waiting
-- Cards that their holders have not collected, by the day they are due, the earliest first.
SELECT permits.*, card_due_on AS place,
       EXISTS (SELECT FROM views.quarantine
               WHERE quarantine.permit_number = permits.permit_number) AS is_quarantined
FROM views.permits
WHERE issuing_authority = %(station)s AND ended IS NULL AND card_delivered_on IS NULL
  AND card_status = 'issued' AND (card_due_on, permit_number) > (%(place)s, %(number)s)
  AND updated_at >= %(updated_since)s
ORDER BY card_due_on, permit_number LIMIT %(rows_max)s;

-- name: lost
-- Cards that are reported lost, the latest change first.
SELECT permits.*, updated_at AS place,
       EXISTS (SELECT FROM views.quarantine
               WHERE quarantine.permit_number = permits.permit_number) AS is_quarantined
FROM views.permits
WHERE issuing_authority = %(station)s AND ended IS NULL AND card_status = 'reported_lost'
  AND updated_at >= %(updated_since)s AND (updated_at, permit_number) < (%(place)s, %(number)s)
ORDER BY updated_at DESC, permit_number DESC LIMIT %(rows_max)s;

-- name: ended
-- Permits that have ended, or were voided, the latest first.
SELECT permits.*, updated_at AS place,
       EXISTS (SELECT FROM views.quarantine
               WHERE quarantine.permit_number = permits.permit_number) AS is_quarantined
FROM views.permits
WHERE issuing_authority = %(station)s AND ended IS NOT NULL AND ended = %(ended)s
  AND updated_at >= %(updated_since)s AND (updated_at, permit_number) < (%(place)s, %(number)s)
ORDER BY updated_at DESC, permit_number DESC LIMIT %(rows_max)s;

-- name: updated
-- All, the latest change first.
SELECT permits.*, updated_at AS place,
       EXISTS (SELECT FROM views.quarantine
               WHERE quarantine.permit_number = permits.permit_number) AS is_quarantined
FROM views.permits
WHERE issuing_authority = %(station)s
  AND updated_at >= %(updated_since)s AND (updated_at, permit_number) < (%(place)s, %(number)s)
ORDER BY updated_at DESC, permit_number DESC LIMIT %(rows_max)s;

-- name: counts
-- Each as far as counted_max.
SELECT
    (SELECT count(*) FROM (
        SELECT FROM views.physical_permits WHERE issuing_authority = %(station)s AND ended IS NULL
          AND (anchor + make_interval(months => 12 * years))::date BETWEEN %(tomorrow)s AND %(open_last)s
        LIMIT %(counted_max)s) AS counted) AS open,
    (SELECT count(*) FROM (
        SELECT FROM views.physical_permits WHERE issuing_authority = %(station)s AND ended IS NULL
          AND (anchor + make_interval(months => 12 * years))::date
              BETWEEN %(tomorrow)s AND %(closing_last)s
        LIMIT %(counted_max)s) AS counted) AS closing,
    (SELECT count(*) FROM (
        SELECT FROM views.physical_permits WHERE issuing_authority = %(station)s AND ended IS NULL
          AND (anchor + make_interval(months => 12 * years))::date <= %(today)s
        LIMIT %(counted_max)s) AS counted) AS overdue,
    (SELECT count(*) FROM (
        SELECT FROM views.physical_permits WHERE issuing_authority = %(station)s AND ended IS NULL
          AND card_delivered_on IS NULL AND card_status = 'issued'
        LIMIT %(counted_max)s) AS counted) AS waiting_for_collection;
