#!/bin/sh
# mega_client, the loader: starts this host's agent, keeps it running, and goes back to
# the release before when a new one does not prove itself. It needs no Node.js.
#
# One loop: `settle` decides what may be started, `start_agent` starts it, `watch_agent`
# lives through it in ticks of a second, `judge_end` says how long to wait; then again.
# A release on trial has a budget of starts and of ticks. The old agent opens the trial
# and swaps `current`; the new one closes it once it is proved. When the budget is used
# up first, the agent is killed and `settle`, which runs only while no agent does, goes
# back: it speaks its verdict into the trial, swaps `current`, and renames the trial, in
# that order. Killed between any two of these, the next loader reads from disk what is
# left to do. Ticks are counted, never read off a clock: clocks jump.
#
# Between loader and agent, plain text in <home>/state:
#   trial         1 <task> <from> <to> <max-starts> <max-ticks> <hang-ticks> end
#                 Written by the old agent: first `previous` is set to <from>, then trial.count
#                 made, then this (tmp, fsync, rename, fsync folder), then `current`
#                 swapped. Removed by the new agent. All behind `end` is the loader's
#                 verdict, spoken in place: crashed exit <n> | crashed signal <name> |
#                 hung <n> ticks | silent <n> ticks | not_switched | unreadable trial|count
#   trial.failed  the same line with its verdict, once `current` is back; the previous
#                 agent judges and removes it. Was the trial unreadable, <task> is
#                 `unknown` and the limits are 0. On a full disk the verdict may be missing.
#   trial.count   SSSS TTTTTTTT, starts and ticks used; made by the old agent as zeros
#   alive         a number of fixed width, changed in place by the agent each second
#   greeted       the pid of the agent that a dispatcher has answered; removed at each start
#   agent.pid, loader.pid
# Agent's exit codes: 0 and 75 start again at once; 111 another agent holds this home's lock.
set -u
PATH=$PATH:/usr/sbin:/usr/bin:/sbin:/bin
umask 022 # whoever starts us: nothing made here may be written by others

# Others know this process by its command line: it must hold the physical path.
self=$(readlink -f "$0")
[ "$0" = "$self" ] || exec sh "$self" "$@"
home=${self%/*/*}
state=$home/state

trial=none task='' from='' to='' verdict='' closed='' lost='' counted='' # the trial: read_trial
agent='' moved='' doomed='' why='' code='' lived=0 quick='' # the agent: start_agent
backoff=1 sleeper='' stopping='' hangup='' said='' timed=''

# Never fails: what is said may decide nothing, though the log's disk be full. The time is
# for whoever reads the log, and decides nothing either.
say() { printf '%smega_client: %s\n' "${timed:+$(date -u +%Y-%m-%dT%H:%M:%SZ) }" "$*" >&2 || :; }
say_once() { case $said in *"|$*|"*) ;; *) said="$said|$*|" && say "$*" ;; esac; }
unwritable() { say_once "cannot write into $state: going on from memory"; }

is_number() { case $1 in '' | *[!0-9]* | 0?* | ?????????*) return 1 ;; esac; } # at most 8 digits
is_version() { case $1 in '' | .* | *[!0-9A-Za-z.+-]*) return 1 ;; esac; }
is_release() { is_version "$1" && [ -f "$home/releases/$1/agent.mjs" ]; }
release_of() { link=$(readlink "$home/$1") && echo "${link##*/}"; }

# ---- who runs

# Where an unprivileged user owns state/, root becomes that user first: else root would run what
# that user may write, and leave files that the agent cannot use.
become_owner() {
  [ "$(id -u)" = 0 ] || return 0
  owner=$(stat -c %U "$state" 2>/dev/null) || return 0
  [ "$owner" != root ] || return 0
  if command -v runuser >/dev/null; then exec runuser -u "$owner" -- sh "$self" "$@"; fi
  # shellcheck disable=SC2016 # the shell that su starts expands these
  exec su -s /bin/sh -c 'exec sh "$0" "$@"' -- "$owner" "$self" "$@"
}

# Prints the pid in <state>/$1.pid if that process lives and its command line holds $2: a
# pid alone may belong to a stranger after a reboot. Without /proc nobody is recognised;
# then the lock of the agent's journal is what keeps two agents apart.
pid_of() {
  pid=''
  { read -r pid _ <"$state/$1.pid"; } 2>/dev/null
  is_number "$pid" && [ "$pid" != $$ ] || return 1
  case $( { tr '\0' ' ' <"/proc/$pid/cmdline"; } 2>/dev/null) in *"$2 "*) echo "$pid" ;; *) return 1 ;; esac
}
loader_pid() { pid_of loader "$self run"; }
agent_pid() { pid_of agent "agent.mjs run --home $home"; }
is_greeted() { { read -r pid _ <"$state/greeted"; } 2>/dev/null && [ "$pid" = "$(agent_pid)" ]; }

# In place and of fixed width, as all that is written here: it works on a full disk, where
# a new file or a truncated one has no block to go to.
write_pid() { { printf '%-10d\n' "$2" 1<>"$state/$1.pid"; } 2>/dev/null || unwritable; }

# An agent outlives a loader that was killed; it goes before another is started.
take_down_orphan() {
  orphan=$(agent_pid) || return 0
  say "an agent without a loader still runs: ending pid $orphan"
  kill -TERM "$orphan"
  patience=10
  while [ "$patience" -gt 0 ] && agent_pid >/dev/null; do await && patience=$((patience - 1)); done
  if agent_pid >/dev/null; then kill -KILL "$orphan"; fi
}

# ---- time

# Returns 0 when a tick is over, 1 when something else woke us: the end of the agent (CHLD)
# or a signal. The sleep goes on meanwhile, so waking early neither adds ticks nor drops
# them. A wake-up that comes just before `wait` is found one tick later, never lost.
await() {
  [ -n "$sleeper" ] || { sleep 1 & sleeper=$!; }
  wait "$sleeper" 2>/dev/null
  ! kill -0 "$sleeper" 2>/dev/null || return 1
  [ -n "$in_bash" ] || wait "$sleeper" 2>/dev/null # see wake_at_end_of_agent
  sleeper=''
}

# The CHLD trap ends the `wait` for a sleep, at the sleep's own end too. Its code must then be
# fetched by a second `wait`: busybox keeps 46 bytes of each child whose code nobody fetched.
# Not so in bash (5.2, tried): there such a trap leaks 30 to 230 bytes a tick, and a second
# `wait` for a child whose first was hit by a signal may hang until all other children are
# gone. So bash has neither, and notices the end of the agent at the next tick.
in_bash=${BASH_VERSION:-}
wake_at_end_of_agent() { [ -n "$in_bash" ] || trap : CHLD; }

# The trial's clock runs whether the agent runs or not; no word of the suspect stops it.
on_tick() {
  lived=$((lived + 1)) quick=''
  read_trial
  on_trial || return 0
  ticks=$((ticks + 1))
  { printf '%04d %08d\n' "$starts" "$ticks" 1<>"$state/trial.count"; } 2>/dev/null || unwritable
}

pause() {
  pause=$1
  while [ -z "$stopping" ] && [ "$pause" -gt 0 ]; do
    if await; then on_tick; pause=$((pause - 1)); fi
  done
}

# ---- the trial

# Sets trial to none, open or unreadable. task, from, to, the limits and the counters stay
# those of the trial last read whole, so a file that goes bad under way stops no clock.
read_trial() {
  if [ ! -e "$state/trial" ]; then
    trial=none task='' from='' to='' closed='' lost='' counted=''
    return
  fi
  trial=unreadable verdict=''
  v='' t='' f='' o='' s='' k='' h='' e='' r=''
  { read -r v t f o s k h e r <"$state/trial"; } 2>/dev/null
  [ "$v $e" = '1 end' ] && is_version "$f" && is_version "$o" && is_number "$s" && [ "$s" -le 9999 ] &&
    is_number "$k" && is_number "$h" || return
  trial=open verdict=$r
  [ "$t $f $o" != "$task $from $to" ] || return 0
  task=$t from=$f to=$o max_starts=$s max_ticks=$k max_still=$h why='' closed='' counted=''
  read_count
}
on_trial() { [ -n "$task" ] && [ -z "$closed$lost" ]; }

# Read once per trial and loader; from then on memory is never behind the disk.
read_count() {
  lost=yes s='' k=''
  { read -r s k <"$state/trial.count"; } 2>/dev/null
  case "$s $k" in
    [0-9][0-9][0-9][0-9]\ [0-9][0-9][0-9][0-9][0-9][0-9][0-9][0-9])
      lost='' starts=$((1$s - 10000)) ticks=$((1$k - 100000000)) ;;
  esac
}

# A start is durable before it happens: a release that takes the host down with it is counted.
save_start() {
  printf '%04d %08d\n' "$starts" "$ticks" |
    dd of="$state/trial.count" conv=notrunc,fsync 2>/dev/null || unwritable
}
undo_start() {
  read_trial
  [ -n "$counted" ] && starts=$((starts - 1)) && save_start
  counted=''
}

# Decides what the next start runs. No agent runs now, so a trial that is gone was closed by
# the agent itself, even at the last moment: it proved itself, and there is no going back.
settle() {
  boot=$home/current counted=''
  read_trial
  [ "$trial" != none ] || return 0
  [ "$trial" = open ] || { go_back 'unreadable trial'; return; }
  left=$(release_of current)
  [ -z "$lost" ] || read_count
  if [ -n "$verdict" ]; then go_back "$verdict"
  elif [ "$left" != "$to" ]; then go_back not_switched
  elif [ -n "$lost" ]; then go_back 'unreadable count'
  elif [ "$starts" -ge "$max_starts" ]; then go_back "${why:-crashed exit ${code:-unknown}}"
  elif [ "$ticks" -ge "$max_ticks" ]; then go_back "${why:-silent $ticks ticks}"
  else
    starts=$((starts + 1)) counted=yes closed=''
    save_start
  fi
}

# Every step may be done again, by this loader or the next. `current` is only ever swapped
# to a release that is there. The trial is renamed only after that: as long as `current` may
# name the suspect, the trial stands. If `current` cannot be swapped, the release to go back
# to is started all the same; if the trial cannot be renamed, it is over in memory.
go_back() {
  left=$(release_of current)
  back=''
  for candidate in "$from" "$(release_of previous)"; do
    if is_release "$candidate"; then back=$candidate && break; fi
  done
  say "going back from ${to:-$left} to ${back:-nothing}: $1"
  [ -n "$task" ] || task=unknown from=${back:-none} to=${left:-none} max_starts=0 max_ticks=0 max_still=0
  [ -n "$verdict" ] || speak_verdict "$1"
  closed=yes
  if [ -z "$back" ] || { [ "$back" = "$left" ] && [ "$left" != "$from" ]; }; then
    say "there is no other release to go back to: staying at $left"
  elif [ "$back" != "$left" ] && ! point_current_at "$back"; then
    say "cannot swap $home/current: starting $back from its own folder"
    boot=$home/releases/$back
    return 0
  fi
  mv -fT "$state/trial" "$state/trial.failed" 2>/dev/null || { unwritable; return 0; }
  read_trial
}

# In place; of a trial that is unreadable nothing is kept.
speak_verdict() {
  [ "$trial" = open ] || { printf '' >"$state/trial"; } 2>/dev/null
  { echo "1 $task $from $to $max_starts $max_ticks $max_still end $1" 1<>"$state/trial"; } 2>/dev/null ||
    unwritable
}

# rename is the one step that a reader of `current` can see; a name left over goes first.
point_current_at() {
  rm -f "$home/current.loader"
  ln -s "releases/$1" "$home/current.loader" && mv -fT "$home/current.loader" "$home/current"
}

# ---- the agent

start_agent() {
  doomed='' moved='' still=0 lived=0
  read_beat
  "$boot/runtime/bin/node" "$boot/agent.mjs" run --home "$home" &
  agent=$!
  write_pid agent "$agent"
  if [ "$boot" = "$home/current" ]; then back=$(release_of current); fi
  say "started ${back:-nothing}, pid $agent${counted:+ (on trial, start $starts of $max_starts)}"
}

read_beat() { { read -r beat <"$state/alive"; } 2>/dev/null || beat=''; }

watch_agent() {
  while [ -z "$stopping" ] && kill -0 "$agent" 2>/dev/null; do
    if await; then on_tick; check_alive; fi
    pass_on_hangup
  done
  [ -z "$stopping" ] || return 0
  wait "$agent" 2>/dev/null
  code=$?
  [ "$code" -gt 128 ] || return 0
  # A signal may have ended `wait`, not the agent: ask again. 127 says it was answered before.
  # (In bash this second `wait` lasts as long as the one other child, the sleep.)
  wait "$agent" 2>/dev/null
  again=$?
  [ "$again" -eq 127 ] || code=$again
}

check_alive() {
  last=$beat limit=$hang_ticks
  read_beat
  if [ "$beat" = "$last" ]; then still=$((still + 1)); else still=0 moved=yes; fi
  ! on_trial || limit=$max_still
  if on_trial && [ "$ticks" -ge "$max_ticks" ]; then
    if [ -n "$moved" ]; then doom "silent $ticks ticks"; else doom "${why:-hung $still ticks}"; fi
  elif [ "$still" -ge "$limit" ]; then doom "hung $still ticks"
  fi
}
doom() {
  [ -n "$doomed" ] || { doomed=yes why=$1 && say "killing agent $agent: $1"; }
  kill -KILL "$agent" 2>/dev/null
}

# Not before its first beat: until it listens, a HUP would end it.
pass_on_hangup() {
  if [ -n "$hangup" ] && [ -n "$moved" ]; then hangup='' && kill -HUP "$agent" 2>/dev/null; fi
}

# Sets delay, in ticks. At most one restart a tick is immediate.
judge_end() {
  ended="exit $code"
  if [ "$code" -gt 128 ]; then
    case $(kill -l "$code" 2>/dev/null) in [A-Z]*) ended="signal $(kill -l "$code")" ;; esac
  fi
  say "agent $agent ended: $ended"
  agent='' delay=1
  case $code in
    0 | 75)
      [ -n "$quick" ] || delay=0
      quick=yes ;;
    111)
      say_once 'another agent of this home holds the lock: trying again each second'
      undo_start ;;
    *)
      [ -n "$doomed" ] || why="crashed $ended"
      on_trial && return
      [ "$lived" -lt 60 ] || backoff=1
      delay=$backoff backoff=$((backoff * 2))
      [ "$backoff" -le 30 ] || backoff=30 ;;
  esac
}

# ---- commands

# Exits 0: the end that was asked for is a success, for systemd too (143 is not, to it). An
# agent that ends in order when asked has not failed its start.
finish() {
  if [ -n "$agent" ]; then
    kill -TERM "$agent" 2>/dev/null
    patience=30
    while kill -0 "$agent" 2>/dev/null && [ "$patience" -gt 0 ]; do await && patience=$((patience - 1)); done
    if kill -KILL "$agent" 2>/dev/null; then say "killed agent $agent: it did not end"; else undo_start; fi
  fi
  [ -z "$sleeper" ] || kill "$sleeper" 2>/dev/null
  rm -f "$state/agent.pid" "$state/loader.pid" 2>/dev/null
  say stopped
  exit 0
}

read_conf() {
  hang_ticks=180
  [ -f "$home/etc/loader.conf" ] || return 0
  while IFS='=' read -r key value || [ -n "$key" ]; do
    if [ "$key" = hang_ticks ] && is_number "$value" && [ "$value" -gt 0 ]; then hang_ticks=$value; fi
  done <"$home/etc/loader.conf"
}

run() {
  if other=$(loader_pid); then say "already running as pid $other" && exit 1; fi
  trap 'stopping=yes' TERM INT
  trap 'hangup=yes' HUP
  wake_at_end_of_agent
  [ -n "${JOURNAL_STREAM:-}" ] || timed=yes # systemd's journal knows the time
  trap '' PIPE # a log that goes away must not take us with it
  unset NODE_OPTIONS NODE_PATH # of the shell that happened to start us
  cd "$home" || exit 1
  write_pid loader $$
  read_conf
  take_down_orphan
  while [ -z "$stopping" ]; do
    settle
    start_agent
    watch_agent
    [ -n "$stopping" ] || { judge_end; pause "$delay"; }
  done
  finish
}

start() {
  if pid=$(loader_pid); then say "already running as pid $pid" && return 0; fi
  mkdir -p "$home/log"
  detach=$(command -v setsid) # else a closing terminal may take it along
  ${detach:+"$detach"} sh "$self" run </dev/null >>"$home/log/loader.log" 2>&1 &
  for _ in 1 2 3 4 5; do
    sleep 1
    if pid=$(loader_pid); then say "started, pid $pid" && return 0; fi
  done
  say "did not start: see $home/log/loader.log"
  return 1
}

stop() {
  pid=$(loader_pid) || { say 'not running' && return 0; }
  kill -TERM "$pid" || return 1
  patience=45 # more than the loader gives its agent
  while [ "$patience" -gt 0 ] && loader_pid >/dev/null; do sleep 1 && patience=$((patience - 1)); done
  if pid=$(loader_pid); then say "loader $pid does not end: killing it" && kill -KILL "$pid" && take_down_orphan; fi
  say stopped
}

# Exits 0 once a dispatcher has answered the agent that runs now, 1 if none did in time.
await_greeting() {
  patience=${1:-60}
  is_number "$patience" || { say "not a number of seconds: $patience" && return 2; }
  until is_greeted; do
    [ "$patience" -gt 0 ] || { say 'no dispatcher has answered yet' && return 1; }
    sleep 1 && patience=$((patience - 1))
  done
  say 'a dispatcher has answered'
}

status() {
  pid=$(loader_pid) || { echo "mega_client: not running, release $(release_of current)" && return 3; }
  read_trial
  echo "mega_client: running as pid $pid, agent pid $(agent_pid), release $(release_of current)"
  if is_greeted; then echo 'a dispatcher has answered'; else echo 'no dispatcher has answered yet'; fi
  ! on_trial || echo "on trial: from $from to $to, starts $starts of $max_starts, ticks $ticks of $max_ticks"
}

usage() {
  cat <<'END'
usage: mega_client run | start | stop | restart | status | wait [seconds] | upgrade [args] | join [args] | help

  run      run in the foreground (what systemd or init starts)
  start    run in the background, log to <home>/log/loader.log
  status   tell what runs (exit 0) or that nothing does (exit 3)
  wait     until a dispatcher has answered (exit 0), 60 seconds at most (exit 1)
  upgrade  ask for an upgrade of this host; --to VERSION, else to the newest
  join     join the fleet with the token on standard input; --name NAME, else this machine's

Example:  mega_client restart && mega_client status
END
}

become_owner "$@"
case ${1:-} in
  run | start | stop | status) "$1" ;;
  restart) stop && start ;;
  wait) shift && await_greeting "$@" ;;
  upgrade | join)
    word=$1 && shift
    exec "$home/current/runtime/bin/node" "$home/current/agent.mjs" "$word" --home "$home" "$@" ;;
  help | --help | -h) usage ;;
  *) say "unknown command '${1:-}'; try: mega_client help" && exit 2 ;;
esac
