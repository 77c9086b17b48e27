-- Run once, when the server's directory is made. Each service brings its own schema, owns its database and may connect to no other.
\getenv continuity_password CONTINUITY_DB_PASSWORD
\getenv accounts_password ACCOUNTS_DB_PASSWORD
CREATE ROLE continuity LOGIN PASSWORD :'continuity_password';
CREATE ROLE accounts LOGIN PASSWORD :'accounts_password';
CREATE DATABASE continuity OWNER continuity;
CREATE DATABASE accounts OWNER accounts;
REVOKE ALL ON DATABASE continuity, accounts, postgres, template1 FROM PUBLIC;
