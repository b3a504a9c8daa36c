-- name: forget
SELECT views.forget(%s);
