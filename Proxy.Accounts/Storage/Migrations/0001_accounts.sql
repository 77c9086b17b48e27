-- Upstream accounts. The credential is AES-256-GCM with the account id as associated data.
CREATE TABLE accounts (
    id                   uuid        PRIMARY KEY,
    name                 text        NOT NULL UNIQUE,
    base_url             text        NOT NULL,
    domain               text        NOT NULL,
    credential_kind      text        NOT NULL,
    credential           bytea       NOT NULL,
    -- 'seed' or 'admin': a credential that an administrator has set is never overwritten by the seed.
    credential_source    text        NOT NULL,
    web_sockets          boolean     NOT NULL,
    lanes                boolean     NOT NULL,
    priority             integer     NOT NULL,
    weight               integer     NOT NULL CHECK (weight > 0),
    max_concurrent_turns integer     NOT NULL CHECK (max_concurrent_turns > 0),
    models               text[]      NOT NULL,
    state                text        NOT NULL DEFAULT 'active',
    cooling_until        timestamptz,
    cooling_reason       text,
    created_at           timestamptz NOT NULL DEFAULT now(),
    updated_at           timestamptz NOT NULL DEFAULT now()
);

-- Keys of our callers: only their hashes.
CREATE TABLE api_keys (
    id         uuid        PRIMARY KEY,
    name       text        NOT NULL UNIQUE,
    key_hash   text        NOT NULL UNIQUE,
    hint       text        NOT NULL,
    models     text[]      NOT NULL,
    accounts   text[]      NOT NULL,
    limits     jsonb       NOT NULL,
    expires_at timestamptz,
    revoked_at timestamptz,
    created_at timestamptz NOT NULL DEFAULT now()
);

-- The end of every admitted turn, once. A row 'lost' stands for a turn whose lease ended unsettled; a real row replaces it.
CREATE TABLE turn_ledger (
    turn_id             uuid        PRIMARY KEY,
    key_id              text        NOT NULL,
    account_id          text        NOT NULL,
    model               text,
    outcome             text        NOT NULL,
    settled_at          timestamptz NOT NULL,
    estimated           boolean     NOT NULL,
    input_tokens        bigint      NOT NULL,
    cached_input_tokens bigint      NOT NULL,
    output_tokens       bigint      NOT NULL,
    reasoning_tokens    bigint      NOT NULL,
    total_tokens        bigint      NOT NULL
);
CREATE INDEX turn_ledger_key ON turn_ledger (key_id, settled_at);
