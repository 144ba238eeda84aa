#!/bin/sh
# Makes this machine a host of the fleet: see usage below. `mega package installer` puts a release, its Node.js and the
# service's files behind this script; beside a POSIX sh and tar, busybox's too, nothing is needed on the host.
#
# INVARIANTS
# - Each step looks first whether it is done: the same command completes what an attempt that died has left, and does
#   not touch what runs. What is unpacked gets its name when it is whole and on disk.
# - Root writes where root alone may write. All below state/, releases/ and runtimes/ is written by the agent's user
#   (as_agent), who could otherwise lead root's hand elsewhere by a link; what root starts, that user cannot write.
# - The token is in standard input and in a variable of this shell, never on a command line.
# shellcheck disable=SC2317 # functions that traps and other functions call look unreachable to it
set -u
umask 022
PATH=$PATH:/usr/sbin:/usr/bin:/sbin:/bin

# Filled in by src/cli/package/installer.ts.
version='' runtime='' platform='' payload_line=0 unpacked_kb=0

self=$(readlink -f "$0") mark='agent of mega_client' # how a user that we have made is known
root='' home=/home/xdba/mega_client user='' name='' start=yes patience=60 uninstall='' beside='' new=''

usage() {
  cat <<'END'
usage: printf %s TOKEN | sh mega-install-VERSION-PLATFORM.sh [options]
       sh mega-install-VERSION-PLATFORM.sh --uninstall [options]

Makes this machine a host of the fleet, as root: lays out the agent's home, joins with the token that
`mega token create` has printed, puts in the service, starts it, and waits until a dispatcher has answered.
Run again, it completes what is missing, and changes nothing that runs.

  --name NAME    what the host is to be called, where the token leaves it open
  --user NAME    run the agent as this user, who is made if missing (default: root)
  --home DIR     the agent's home (default: /home/xdba/mega_client)
  --root DIR     put everything below DIR, and leave users and service managers alone; for images and tests
  --no-start     do everything but start
  --wait N       how many seconds to wait for a dispatcher (default: 60)
  --uninstall    stop it and remove all of it; the dispatcher is asked nothing: mega host remove NAME

Exit codes: 0 good; 1 it failed; 2 wrong usage, machine or token; 3 no broker or dispatcher could be reached.

Example:
  printf %s 'mega1.eyJ2IjoxLCJpZCI6...' | sh mega-install-1.0.0-linux-x64.sh --user mega
END
}

say() { printf '%s\n' "mega-install: $*"; }
die() {
  code=$1 && shift
  say "$*" >&2
  exit "$code"
}
have() { command -v "$1" >/dev/null 2>&1; }
clean_up() {
  [ -z "$beside" ] || as_agent rm -rf "$beside"
  [ -z "$new" ] || rm -f "$new"
}

read_options() {
  while [ $# -gt 0 ]; do
    case $1 in
      --name | --user | --home | --root | --wait) [ $# -gt 1 ] || die 2 "$1 needs a value; see --help" ;;
    esac
    case $1 in
      --name) name=$2 && shift ;;
      --user) user=$2 && shift ;;
      --home) home=$2 && shift ;;
      --root) root=$2 && shift ;;
      --wait) patience=$2 && shift ;;
      --no-start) start='' ;;
      --uninstall) uninstall=yes ;;
      --help | -h) usage && exit 0 ;;
      *) die 2 "unknown option '$1'; see --help" ;;
    esac
    shift
  done
}

# What a unit, an init script and sed read as it stands.
is_plain() { case $1 in *[!A-Za-z0-9._/+@\ -]* | *..*) return 1 ;; esac; }
is_name() { case $1 in '' | -* | *[!a-z0-9_-]*) return 1 ;; esac; }

settle_options() {
  case $home in /*/*) ;; *) die 2 "--home $home: a path such as /home/xdba/mega_client is needed" ;; esac
  [ -z "$user" ] || is_name "$user" || die 2 "--user $user: no name of a user"
  case $patience in '' | *[!0-9]*) die 2 "--wait $patience: no number of seconds" ;; esac
  if [ -n "$root" ]; then
    mkdir -p "$root" || die 1 "--root $root cannot be made"
    root=$(cd "$root" && pwd -P) || die 1 "--root $root cannot be entered"
    root=${root%/}
  fi
  [ -n "$root" ] || [ "$(id -u)" = 0 ] || die 2 'only root may do this'
  home=$root${home%/}
  is_plain "$home" || die 2 "$home: letters, digits, spaces and ._/+@- alone can be used in a path"
  base=${home%/*} state=$home/state loader=$home/bin/mega_client log=$root/var/log/mega
  unit=$root/etc/systemd/system/mega_client.service init=$root/etc/init.d/mega_client
  cd / || exit 1 # the agent's user might not be let into where we stand
}

# Who the home belongs to by now decides.
settle_user() {
  me=$(id -un) owner=''
  if [ -d "$state" ]; then owner=$(stat -c %U "$state"); fi
  if [ -n "$owner" ] && [ -n "$user" ] && [ "$owner" != "$user" ]; then
    die 2 "$home belongs to an agent that runs as $owner: to change that, --uninstall it first"
  fi
  user=${owner:-${user:-$me}}
  [ "$user" = "$me" ] || have runuser || have su || die 1 "neither runuser nor su is here, to become $user with"
}

as_agent() {
  if [ "$user" = "$me" ]; then "$@"
  elif have runuser; then runuser -u "$user" -- "$@"
  else
    # shellcheck disable=SC2016 # the shell that su starts expands these
    su -s /bin/sh -c 'exec "$0" "$@"' -- "$user" "$@"
  fi
}

# ---- before anything is done

check_machine() {
  [ -n "$version" ] || die 2 'no release comes with this file: mega package installer makes one with which it does'
  payload | tar -tzf - >/dev/null 2>&1 || die 2 "$self is damaged or not whole: copy it again"
  case $(uname -s)-$(uname -m) in
    Linux-x86_64) here=linux-x64 ;;
    Linux-aarch64) here=linux-arm64 ;;
    *) here=$(uname -s)-$(uname -m) ;;
  esac
  [ "$here" = "$platform" ] || die 2 "this file is for $platform, and the machine is $here"
  release_runs || check_space
}

check_space() {
  at=$home
  while [ ! -d "$at" ]; do at=${at%/*} && at=${at:-/}; done
  free=$(df -Pk "$at" | { read -r _ && read -r _ _ _ free _ && echo "$free"; })
  [ "${free:-$unpacked_kb}" -ge "$unpacked_kb" ] ||
    die 1 "$at has $((free / 1024)) MB free, and $((unpacked_kb / 1024 + 1)) MB are needed: free some"
}

release_runs() { [ -f "$home/current/agent.mjs" ] && [ -x "$home/current/runtime/bin/node" ]; }
has_joined() { [ -f "$state/identity.json" ]; }

read_token() {
  token=''
  ! has_joined || return 0
  [ ! -t 0 ] || die 2 'no token: it is read from standard input; see --help'
  read -r token || [ -n "$token" ] || die 2 'no token: standard input is empty; mega token create prints the whole line'
  case ${token#mega1.} in
    "$token" | '' | *[!A-Za-z0-9_-]*) die 2 'this is no token: use the line that mega token create prints, as it is' ;;
  esac
}

# ---- the home

make_user() {
  if ! id -u "$user" >/dev/null 2>&1; then
    [ -z "$root" ] || die 2 "there is no user $user, and with --root none is made"
    say "making the user $user"
    if have useradd; then
      useradd --system --user-group --no-create-home --home-dir "$home" --shell /bin/false --comment "$mark" "$user"
    else
      addgroup -S "$user" && adduser -S -D -H -h "$home" -s /bin/false -g "$mark" -G "$user" "$user"
    fi || die 1 "the user $user cannot be made"
  fi
  group=$(id -gn "$user")
}

folder() { [ -d "$1" ] || mkdir -p "$1" || die 1 "$1 cannot be made: see the disk and its mount"; }
link() { [ -h "$2" ] || ln -s "$1" "$2" || die 1 "$2 cannot be made: see the disk and its mount"; }
owned() { [ "$user" = "$me" ] || chown "$@"; }

# The agent swaps its links in the home, so it may make names there; by the sticky bit it can take away only its own.
make_folders() {
  for one in "$base/scripts" "$base/node_modules" "$home/bin" "$home/etc"; do folder "$one"; done
  if [ "$user" = "$me" ]; then chmod 755 "$home"; else chgrp "$group" "$home" && chmod 1775 "$home"; fi ||
    die 1 "the mode of $home cannot be set"
  close_etc
  link "../${home##*/}/current/lib" "$base/node_modules/mega-fleet"
  if [ ! -e "$home/log" ]; then
    folder "$log"
    owned -Rh "$user:$group" "$log"
    link "$log" "$home/log"
  fi
  # shellcheck disable=SC2016 # expanded by the shell of the agent's user
  as_agent sh -c 'cd "$1" && mkdir -p releases runtimes && mkdir -p -m 700 state && mkdir -p -m 700 state/downloads &&
    chmod 700 state' sh "$home" || die 1 "folders cannot be made in $home: see the disk and its mount"
  warn_of_owner
}

warn_of_owner() {
  owner=$(stat -c %U "$base")
  [ "$owner" = "$me" ] || say "note: $base belongs to $owner, who so can replace what root starts there"
}

# Joining writes there; afterwards what the agent is told it may not change.
open_etc() { [ "$user" = "$me" ] || { chgrp "$group" "$home/etc" && chmod 775 "$home/etc"; }; }
close_etc() {
  [ "$user" != "$me" ] || return 0
  { chown "$me" "$home/etc" && chmod 755 "$home/etc" && chown -Rh "$me:$group" "$home/etc" &&
    find "$home/etc" -type f -exec chmod g+r,go-w {} +; } || die 1 "the modes below $home/etc cannot be set"
}

payload() { tail -n "+$payload_line" "$self"; }
part() { payload | tar -xzOf - "$1"; }

# place FOLDER NAME PACKAGE: unpacks beside; does what the words behind say, in there; then gives it its name.
place() {
  [ ! -d "$home/$1/$2" ] || return 0
  say "unpacking $2"
  as_agent rm -rf "$home/$1"/.staging-install-*
  beside=$home/$1/.staging-install-$2.$$
  # shellcheck disable=SC2016 # expanded by the shell of the agent's user
  part "$3" | as_agent sh -c 'mkdir "$1" && cd "$1" && exec tar -xzf -' sh "$beside" ||
    die 1 "$2 cannot be unpacked into $home: is there room, and may it be written?"
  # shellcheck disable=SC2016
  as_agent sh -c 'cd "$1" && find . -type d -exec chmod 755 {} + && find . -type f -exec chmod 444 {} + || exit
    if [ -f bin/node ]; then chmod 555 bin/node; else ln -s "../../runtimes/$2" runtime; fi || exit
    sync -f . 2>/dev/null || sync' sh "$beside" "$runtime-$platform" || die 1 "$2 cannot be settled in $home"
  if [ "$1" = runtimes ]; then
    words=$(as_agent "$beside/bin/node" --version 2>&1) ||
      die 1 "$runtime does not start on this machine: $(echo "$words" | head -n 1)"
  fi
  as_agent mv -T "$beside" "$home/$1/$2" || die 1 "$home/$1/$2 cannot be made"
  beside=''
}

place_release() {
  if ! release_runs; then
    place runtimes "$runtime-$platform" "$runtime-$platform.tar.gz"
    place releases "$version" "mega-$version.tar.gz"
    # shellcheck disable=SC2016
    as_agent sh -c 'cd "$1" && rm -f .current.new && ln -s "releases/$2" .current.new && mv -fT .current.new current' \
      sh "$home" "$version" || die 1 "$home/current cannot be made"
  fi
  present=$(readlink "$home/current")
  present=${present##*/}
  [ "$present" = "$version" ] || say "keeping release $present: versions change by upgrade"
  # Of another version's release only its own loader would be the right one.
  if [ ! -x "$loader" ] || [ "$present" = "$version" ]; then write_file "$loader" 755 loader_text; fi
}
loader_text() { part "mega-$version.tar.gz" | tar -xzOf - loader.sh; }

# write_file PATH MODE COMMAND...: what the command prints, under its name when it is whole.
write_file() {
  path=$1 mode=$2 && shift 2
  folder "${path%/*}"
  new=${path%/*}/.${path##*/}.new
  { "$@" >"$new" && [ -s "$new" ] && chmod "$mode" "$new" && mv -f "$new" "$path"; } || die 1 "$path cannot be written"
  new=''
}

join_fleet() {
  if has_joined; then
    say "this machine has joined already, as $(host_name)"
    return 0
  fi
  say 'joining'
  open_etc
  printf %s "$token" |
    as_agent "$home/current/runtime/bin/node" "$home/current/agent.mjs" join --home "$home" ${name:+--name "$name"}
  code=$?
  close_etc
  [ "$code" = 0 ] || die "$code" 'this machine could not join: its reason is above; then run this again'
  has_joined || die 1 "joining has left no $state/identity.json"
}
host_name() { as_agent sed -n 's/.*"host": *"\([a-z0-9-]*\)".*/\1/p' "$state/identity.json"; }

# ---- the service

has_systemd() { [ -d "$root/run/systemd/system" ]; }

filled() { part "$1" | sed "s|@HOME@|$home|g; s|@LOG@|$log|g; s|@USER@|$user|g; s|@GROUP@|$group|g"; }

put_in_service() {
  say 'putting in the service'
  if has_systemd; then
    write_file "$unit" 644 filled mega_client.service
    if [ "$user" != "$me" ]; then write_file "$unit.d/user.conf" 644 filled mega_client-user.conf; fi
    [ -n "$root" ] || { systemctl daemon-reload && systemctl enable --quiet mega_client; } || die 1 'systemd refuses the service'
  else
    write_file "$init" 755 filled mega_client.init
    [ -n "$root" ] || register_init
  fi
}

register_init() {
  if have update-rc.d; then update-rc.d mega_client defaults
  elif have chkconfig; then chkconfig --add mega_client
  else say "note: let this machine run \"$init start\" when it boots: it has neither update-rc.d nor chkconfig"
  fi || die 1 "$init cannot be registered"
}

# Under --root no service manager is asked. None of these restarts what runs.
start_service() {
  say 'starting'
  if [ -n "$root" ]; then "$loader" start
  elif has_systemd; then systemctl start mega_client
  else "$init" start
  fi </dev/null || die 1 "it did not start: see $log"
  "$loader" wait "$patience" ||
    die 3 "the agent runs and goes on trying, but no dispatcher has answered within $patience seconds: see $log; where this host was removed from the fleet, --uninstall it and join anew"
}

# ---- the ways through

add_host() {
  settle_user
  check_machine
  read_token
  make_user
  say "laying out $home"
  make_folders
  place_release
  join_fleet
  put_in_service
  if [ -z "$start" ]; then say "$(host_name) is ready to be started" && return 0; fi
  start_service
  say "$(host_name) is in the fleet, with release $present"
}

stop_service() {
  if [ -z "$root" ] && has_systemd && [ -e "$unit" ]; then
    systemctl disable --quiet --now mega_client || die 1 'systemd does not stop the service'
  elif [ -x "$loader" ]; then
    "$loader" stop || die 1 'the agent does not stop'
  fi
  if [ -z "$root" ] && [ -e "$init" ]; then
    if have chkconfig; then chkconfig --del mega_client; fi
  fi
}

# Under systemd they have ended with the service. What keeps a script is told so, and ends it in a minute at most.
scripts() {
  for one in /proc/[0-9]*; do
    case $( { tr '\0' ' ' <"$one/cmdline"; } 2>/dev/null) in *" $home/state/scripts/"*) echo "${one#/proc/}" ;; esac
  done
}

end_scripts() {
  patience=70
  for pid in $(scripts); do kill -TERM "$pid" 2>/dev/null; done
  while [ -n "$(scripts)" ] && [ "$patience" -gt 0 ]; do sleep 1 && patience=$((patience - 1)); done
  for pid in $(scripts); do kill -KILL "$pid" 2>/dev/null; done
}

remove_service() {
  rm -rf "$unit" "$unit.d" "$init" "${unit%/*}/.${unit##*/}.new" "${init%/*}/.${init##*/}.new" || exit 1
  [ -z "$root" ] || return 0
  if have update-rc.d; then update-rc.d mega_client remove >/dev/null 2>&1; fi
  ! has_systemd || systemctl daemon-reload
}

# By name: what others have put there stays, and is told.
remove_home() {
  for one in bin etc log current previous state releases runtimes work .current.new .previous.new current.loader .writable; do
    rm -rf "${home:?}/$one" || exit 1
  done
  rm -f "$base/node_modules/mega-fleet" "$log"/mega_client.log* "$log"/loader.log* || exit 1
  for one in "$home" "$base/node_modules" "$base/scripts" "$log" "$base"; do
    [ "$one" != "$base" ] || [ "$(stat -c %U "$base" 2>/dev/null)" = "$(id -un)" ] || continue
    [ ! -d "$one" ] || rmdir "$one" 2>/dev/null || say "kept, since it holds what is not ours: $one"
  done
}

remove_user() {
  [ -z "$root" ] || return 0
  made=$(sed -n "s/^\([^:]*\):[^:]*:[^:]*:[^:]*:$mark:.*/\1/p" /etc/passwd)
  [ -n "$made" ] || return 0
  if have userdel; then userdel "$made"; else deluser "$made"; fi || die 1 "the user $made cannot be removed"
}

remove_host() {
  say 'stopping'
  stop_service
  end_scripts
  say "removing $home"
  remove_service
  remove_home
  remove_user
  say 'removed; the fleet still knows this host: mega host remove NAME'
}

trap clean_up EXIT
trap 'exit 130' INT
trap 'exit 143' TERM HUP
read_options "$@"
settle_options
if [ -n "$uninstall" ]; then remove_host; else add_host; fi
exit
