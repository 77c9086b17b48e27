-- Upstream has refused to open a WebSocket: until then the account is used over HTTP only.
ALTER TABLE accounts ADD COLUMN web_sockets_refused_until timestamptz;
