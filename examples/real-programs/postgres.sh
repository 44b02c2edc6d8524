#!/bin/sh
# The database: a PostgreSQL of its own, made when it starts and gone when it ends.
set -eu
bin=$(ls -d /usr/lib/postgresql/*/bin /usr/pgsql-*/bin 2>/dev/null | tail -1)
PATH=${bin:-/usr/bin}:$PATH
data=$(mktemp -d)
as=
if [ "$(id -u)" = 0 ]; then # PostgreSQL refuses to be root
	chown postgres "$data"
	as="setpriv --reuid postgres --regid postgres --init-groups"
fi
trap 'rm -rf "$data"' EXIT
trap 'kill -INT "$server"; wait "$server"' TERM INT
cd "$data"
$as initdb -D "$data" -A trust -U postgres --no-sync >/dev/null
echo "host all all 0.0.0.0/0 trust" >>"$data/pg_hba.conf"
$as postgres -D "$data" -c listen_addresses='*' -c unix_socket_directories="$data" -c fsync=off -c log_min_messages=fatal &
server=$!
wait "$server"
