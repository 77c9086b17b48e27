# Runs the PostgreSQL server that the arguments name. A request to end (SIGTERM) becomes its fast shutdown (SIGINT), which does not wait
# for clients; the shell ends when the server does, with its exit code.
"$@" & server=$!
trap 'kill -INT "$server"' TERM INT
while kill -0 "$server" 2>/dev/null; do
  wait "$server"
  code=$?
done
exit "$code"
