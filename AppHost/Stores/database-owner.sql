-- A service's role: it owns one database, and may connect to no other.
--
-- Run in the database postgres. Settings of the session: owner.role, owner.password. May be run again, with another password too.
DO $$
BEGIN
    IF NOT EXISTS (SELECT FROM pg_roles WHERE rolname = current_setting('owner.role')) THEN
        EXECUTE format('CREATE ROLE %I', current_setting('owner.role'));
    END IF;
    EXECUTE format('ALTER ROLE %I LOGIN NOSUPERUSER NOCREATEDB NOCREATEROLE PASSWORD %L', current_setting('owner.role'), current_setting('owner.password'));
    REVOKE CONNECT ON DATABASE postgres, template1 FROM PUBLIC;
END
$$;
