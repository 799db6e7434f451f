#!/bin/bash
# Redmine in Docker's official image, step by step; up.py decides which step to take.
set -euo pipefail

NAME=redmine-mcp-real-redmine
IMAGE=redmine:6.1
APP=/usr/src/redmine
DATABASE=$APP/sqlite/redmine.db
SEEDED=$APP/sqlite/seeded
HERE=$(cd "$(dirname "$0")" && pwd)

inside() { docker exec --interactive --user redmine --workdir "$APP" "$NAME" "$@"; }

# The same as up.py does for the chroot: SQLite's own backup, then make the workers reread settings.
copy_database() {
  inside ruby -r sqlite3 -e '
    from, to = ARGV.map { |path| SQLite3::Database.new(path) }
    to.busy_timeout = 15_000
    backup = SQLite3::Backup.new(to, "main", from, "main")
    backup.step(-1)
    backup.finish
    soon = (Time.now.utc + 1).strftime("%F %T.%6N")
    to.execute("update settings set updated_on = ?", [soon])
  ' "$1" "$2"
}

copy_files() {
  # shellcheck disable=SC2016 # the inner shell expands these
  inside sh -c 'mkdir -p "$1" && find "$1" -mindepth 1 -delete && cp -a "$0/." "$1"' "$1" "$2"
}

case $1 in
  engine) docker info ;;
  running) test "$(docker inspect --format '{{.State.Running}}' "$NAME")" = true ;;
  made-from) test "$(docker inspect --format '{{index .Config.Labels "seed"}}' "$NAME")" = "$2" ;;
  make) # make SEED_KEY PORT
    docker create --name "$NAME" --label "seed=$2" --publish "127.0.0.1:$3:3000" \
      --env TZ=UTC "$IMAGE"
    settings=$(mktemp)
    trap 'rm -f "$settings"' EXIT
    sed "s|{path}|$DATABASE|" "$HERE/database.yml" >"$settings"
    docker cp "$settings" "$NAME:$APP/config/database.yml"
    docker cp "$HERE/additional_environment.rb" "$NAME:$APP/config/"
    ;;
  start) docker start "$NAME" ;;
  address) docker port "$NAME" 3000/tcp ;;
  seeded) inside test -e "$SEEDED/done" ;;
  seed) # seed SEED_JSON
    inside sh -c 'cat >/tmp/seed.rb' <"$HERE/seed.rb"
    inside sh -c 'cat >/tmp/seed.json' <"$2"
    inside rails runner /tmp/seed.rb /tmp/seed.json
    inside mkdir -p "$SEEDED"
    copy_database "$DATABASE" "$SEEDED/redmine.db"
    copy_files "$APP/files" "$SEEDED/files"
    inside touch "$SEEDED/done"
    ;;
  reset)
    copy_database "$SEEDED/redmine.db" "$DATABASE"
    copy_files "$SEEDED/files" "$APP/files"
    ;;
  stop) docker stop "$NAME" ;;
  purge) docker rm --force --volumes "$NAME" ;;
  *) exit 2 ;;
esac
