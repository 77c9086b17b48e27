-- One row per accepted turn. request_id is the upstream id that the turn minted.
CREATE TABLE request_logs (
    id                  uuid             NOT NULL,
    requested_at        timestamptz      NOT NULL,
    request_id          text,
    kind                text             NOT NULL,
    api_key_id          text             NOT NULL,
    session_id          text,
    account_id          text,
    domain              text,
    surface             text             NOT NULL,
    model               text,
    status              text             NOT NULL,
    http_status         integer          NOT NULL,
    error_code          text,
    stored              boolean          NOT NULL,
    input_tokens        bigint,
    cached_input_tokens bigint,
    output_tokens       bigint,
    reasoning_tokens    bigint,
    total_tokens        bigint,
    usage_estimated     boolean          NOT NULL,
    first_event_ms      double precision,
    duration_ms         double precision NOT NULL,
    edge_id             text             NOT NULL,
    trace_parent        text,
    continuity          text,
    received_at         timestamptz      NOT NULL DEFAULT now(),
    PRIMARY KEY (requested_at, id)
) PARTITION BY RANGE (requested_at);

-- Owner lookup by the minted id, with and without the session scope.
CREATE INDEX request_logs_owner ON request_logs (request_id, status, api_key_id, requested_at DESC, id DESC);
CREATE INDEX request_logs_owner_in_session ON request_logs (request_id, status, api_key_id, session_id, requested_at DESC, id DESC);

-- Takes what no day's partition takes, so that an intake never fails for want of one.
CREATE TABLE request_logs_default PARTITION OF request_logs DEFAULT;

-- Rows that the table refuses for what they contain, as they came.
CREATE TABLE request_logs_set_aside (
    id          uuid        PRIMARY KEY,
    received_at timestamptz NOT NULL DEFAULT now(),
    reason      text        NOT NULL,
    row_json    bytea       NOT NULL
);

-- Makes the partitions of the days first .. first + days - 1 that are not there yet.
CREATE FUNCTION ensure_request_log_partitions(first date, days integer) RETURNS integer LANGUAGE plpgsql AS $$
DECLARE
    day     date;
    made    integer := 0;
    name    text;
BEGIN
    PERFORM pg_advisory_xact_lock(hashtext('request_logs_partitions'));
    FOR day IN SELECT first + i FROM generate_series(0, days - 1) AS i LOOP
        name := 'request_logs_' || to_char(day, 'YYYYMMDD');
        IF to_regclass(name) IS NULL THEN
            -- Rows of that day may already be in the default partition: a new partition may not overlap them.
            IF NOT EXISTS (SELECT 1 FROM request_logs_default
                           WHERE requested_at >= (day::timestamp AT TIME ZONE 'UTC')
                             AND requested_at < ((day + 1)::timestamp AT TIME ZONE 'UTC')) THEN
                EXECUTE format('CREATE TABLE %I PARTITION OF request_logs FOR VALUES FROM (%L) TO (%L)',
                    name, day::timestamp AT TIME ZONE 'UTC', (day + 1)::timestamp AT TIME ZONE 'UTC');
                made := made + 1;
            END IF;
        END IF;
    END LOOP;
    RETURN made;
END $$;

-- Drops the partitions of days before the given one, and such rows of the default partition.
CREATE FUNCTION drop_request_log_partitions(before date) RETURNS integer LANGUAGE plpgsql AS $$
DECLARE
    name    text;
    dropped integer := 0;
BEGIN
    PERFORM pg_advisory_xact_lock(hashtext('request_logs_partitions'));
    FOR name IN SELECT c.relname FROM pg_inherits i JOIN pg_class c ON c.oid = i.inhrelid
                WHERE i.inhparent = 'request_logs'::regclass AND c.relname ~ '^request_logs_\d{8}$'
                  AND to_date(right(c.relname, 8), 'YYYYMMDD') < before LOOP
        EXECUTE format('DROP TABLE %I', name);
        dropped := dropped + 1;
    END LOOP;
    DELETE FROM request_logs_default WHERE requested_at < (before::timestamp AT TIME ZONE 'UTC');
    RETURN dropped;
END $$;
