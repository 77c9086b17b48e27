-- The session whose upstream socket carried the turn: where an alias is lost, an id that lives on a socket is still found there.
ALTER TABLE request_logs ADD COLUMN session text;
