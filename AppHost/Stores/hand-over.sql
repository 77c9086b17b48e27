-- Gives the service's role its database and what is in it; of a database that an earlier version made, the server's administrator owned all.
--
-- Run in the service's database. Setting of the session: owner.role. May be run again.
DO $$
DECLARE
    role text := current_setting('owner.role');
    found record;
BEGIN
    EXECUTE format('ALTER DATABASE %I OWNER TO %I', current_database(), role);
    EXECUTE format('REVOKE ALL ON DATABASE %I FROM PUBLIC', current_database());
    -- Indexes, and sequences of columns, go with their tables.
    FOR found IN
        SELECT c.oid::regclass AS name FROM pg_class c
        WHERE c.relnamespace = 'public'::regnamespace AND c.relowner <> role::regrole AND c.relkind IN ('r', 'p', 'v', 'm', 'S')
          AND NOT EXISTS (SELECT FROM pg_depend d WHERE c.relkind = 'S' AND d.objid = c.oid AND d.deptype IN ('a', 'i'))
    LOOP
        EXECUTE format('ALTER TABLE %s OWNER TO %I', found.name, role);
    END LOOP;
    FOR found IN SELECT p.oid::regprocedure AS name FROM pg_proc p WHERE p.pronamespace = 'public'::regnamespace AND p.proowner <> role::regrole
    LOOP
        EXECUTE format('ALTER ROUTINE %s OWNER TO %I', found.name, role);
    END LOOP;
END
$$;
