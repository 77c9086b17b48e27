-- Under the word that is used for such rows everywhere.
ALTER TABLE request_logs_set_aside RENAME TO request_logs_quarantine;
