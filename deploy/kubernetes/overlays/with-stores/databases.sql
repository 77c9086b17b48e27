-- Run once, when the server's directory is made. Each service brings its own schema.
CREATE DATABASE continuity;
CREATE DATABASE accounts;
