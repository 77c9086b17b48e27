-- Owners of what upstream keeps until it is deleted (files, conversations, vector stores, ...): they do not go with the log's partitions.
CREATE TABLE owned_ids (
    id           text        PRIMARY KEY,
    kind         text        NOT NULL,
    api_key_id   text        NOT NULL,
    account_id   text        NOT NULL,
    domain       text        NOT NULL,
    session_id   text,
    trace_parent text,
    created_at   timestamptz NOT NULL DEFAULT now()
);

INSERT INTO owned_ids (id, kind, api_key_id, account_id, domain, session_id, trace_parent, created_at)
SELECT DISTINCT ON (request_id) request_id, kind, api_key_id, account_id, domain, session_id, trace_parent, requested_at
FROM request_logs
WHERE kind IN ('conversation', 'file') AND status IN ('success', 'incomplete') AND request_id IS NOT NULL AND account_id IS NOT NULL AND domain IS NOT NULL
ORDER BY request_id, requested_at, id;

-- The items of a stored response, by which a later request may name them. Most rows have none, and cost the index nothing.
ALTER TABLE request_logs ADD COLUMN items text[];
CREATE INDEX request_logs_items ON request_logs USING gin (items) WHERE items IS NOT NULL;
