#!/bin/sh
# Makes this checkout ready to run: its packages, a RabbitMQ and a MariaDB that the tests and the demo start for
# themselves, and two small tools; for the benchmarks also an nginx to compare with. Silent and quick when nothing is missing; speaks on stderr only, because the
# standard output belongs to the program that runs next.
#
#   sh dev/setup.sh [--no-servers | --bench]
#
# Servers of your own serve instead when MEGA_TEST_RABBITMQ (management URL, http://admin:PASSWORD@HOST:15672) and
# MEGA_TEST_MYSQL (mysql://root:PASSWORD@HOST:3306) name them both.
set -eu

cd "$(dirname "$0")/.."
packages_stamp=node_modules/.mega-lock
policy=/usr/sbin/policy-rc.d
policy_mark='# Written by dev/setup.sh of mega-fleet while it installs packages.'
our_policy=

say() { printf '%s\n' "setup: $*" >&2; }

die() {
  say "$@"
  exit 1
}

have() { command -v "$1" >/dev/null 2>&1; }

# Servers live in /usr/sbin, which is not on the PATH of an ordinary user.
PATH="$PATH:/usr/sbin:/sbin"

packages_ready() { cmp -s package-lock.json "$packages_stamp"; }

servers_ready() {
  [ -x /usr/lib/rabbitmq/bin/rabbitmq-server ] || return 1
  have mariadbd || have mysqld || return 1
  have mariadb-install-db
}

own_servers() { [ -n "${MEGA_TEST_RABBITMQ:-}" ] && [ -n "${MEGA_TEST_MYSQL:-}" ]; }

tools_ready() { have strace && have busybox; }

peers_ready() { have nginx; }

is_debian_root() { [ "$(id -u)" = 0 ] && have apt-get; }

# npm itself runs on the node of the machine: the pinned one lies inside the folder that npm is about to replace.
install_packages() {
  have npm || die 'npm is missing: install Node.js 20 or later (https://nodejs.org), then try again.'
  say 'installing packages (npm ci) ...'
  path_without_ours=$(printf '%s' "$PATH" | tr ':' '\n' | grep -v '/node_modules/' | paste -sd ':' -)
  PATH=$path_without_ours npm ci --loglevel=error --include=dev --include=optional --no-audit --no-fund >&2 </dev/null 9>&- ||
    die 'npm ci failed; its own words are above.'
  cp package-lock.json "$packages_stamp"
}

# Debian starts a service as soon as it is installed, unless this file forbids it.
forbid_service_starts() {
  if [ -e "$policy" ] && ! grep -qxF "$policy_mark" "$policy"; then return; fi
  our_policy=yes
  printf '#!/bin/sh\n%s\nexit 101\n' "$policy_mark" >"$policy"
  chmod 755 "$policy"
}

allow_service_starts() {
  if [ -n "$our_policy" ]; then rm -f "$policy"; fi
  our_policy=
}

apt_install() {
  trap allow_service_starts EXIT
  trap 'exit 130' INT
  trap 'exit 143' TERM HUP
  forbid_service_starts
  say "installing $* (apt-get) ..."
  export DEBIAN_FRONTEND=noninteractive
  apt-get -qq -o DPkg::Lock::Timeout=300 update >&2 </dev/null 9>&- ||
    say 'apt-get update failed; trying with the package lists of before.'
  apt-get -qq -o DPkg::Lock::Timeout=300 install -y --no-install-recommends "$@" >&2 </dev/null 9>&- ||
    die "apt-get could not install $*; its own words are above."
  allow_service_starts
  trap - EXIT INT TERM HUP
}

ask_for_servers() {
  say 'RabbitMQ or MariaDB is missing, and only root on Debian or Ubuntu can have them installed from here. Either'
  say '  install them:  sudo apt-get install --no-install-recommends rabbitmq-server mariadb-server'
  say '  (their system services are not needed and may stay off), or name servers of your own in both'
  say '  MEGA_TEST_RABBITMQ=http://admin:PASSWORD@HOST:15672  (the management plugin, an administrator)'
  say '  MEGA_TEST_MYSQL=mysql://root:PASSWORD@HOST:3306'
  exit 1
}

install_servers() {
  is_debian_root || ask_for_servers
  apt_install rabbitmq-server mariadb-server
  servers_ready || die 'RabbitMQ or MariaDB is still missing after their installation.'
}

install_tools() {
  if is_debian_root; then
    apt_install strace busybox
  else
    say 'strace or busybox is missing: the tests that need them will be skipped.'
  fi
}

install_peers() {
  if is_debian_root; then
    apt_install nginx
  else
    say 'nginx is missing: the benchmark that compares with it will leave it out.'
  fi
}

# Two at once take turns. The kernel drops the lock with its holder, so that none is ever stale.
take_turn() {
  mkdir -p .mega
  exec 9>.mega/setup.lock
  have flock || return 0
  flock -n 9 && return
  say 'waiting for another setup of this checkout ...'
  flock 9
}

want_servers=yes
want_peers=
for argument in "$@"; do
  case $argument in
    --no-servers) want_servers= ;;
    --bench) want_peers=yes ;;
    *) die "unknown argument: $argument (known: --no-servers, --bench)" ;;
  esac
done
# The benchmarks look into their servers' processes, so that servers elsewhere do not serve.
if own_servers && [ -z "$want_peers" ]; then need_servers=; else need_servers=$want_servers; fi

if packages_ready && { [ -z "$need_servers" ] || servers_ready; } && { [ -z "$want_servers" ] || tools_ready; } &&
  { [ -z "$want_peers" ] || peers_ready; }; then
  exit 0
fi

take_turn
packages_ready || install_packages
if [ -n "$need_servers" ] && ! servers_ready; then install_servers; fi
if [ -n "$want_servers" ] && ! tools_ready; then install_tools; fi
if [ -n "$want_peers" ] && ! peers_ready; then install_peers; fi
