-- A rate limit is one of a model: the account goes on serving others. Rows that are over are deleted as new ones come.
CREATE TABLE model_cool_downs (
    account_id     uuid        NOT NULL REFERENCES accounts (id) ON DELETE CASCADE,
    model          text        NOT NULL,
    cooling_until  timestamptz NOT NULL,
    cooling_reason text        NOT NULL,
    PRIMARY KEY (account_id, model)
);
