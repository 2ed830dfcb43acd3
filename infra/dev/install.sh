#!/usr/bin/env bash
# Installs what building and testing medfleet needs on Debian 12, without hand work. Says nothing new when all is there (well under 1 s).
#
#   infra/dev/install.sh [build|brokers|python|node|browser|prometheus|sql|bench]...    no group: all of them but bench
#
#   build    compiler, OpenSSL, zlib and pkg-config for the Rust crates; checks cargo
#   brokers  mosquitto with its clients, and Apache Kafka's jars     → TOOLS/kafka/libs
#   python   an environment with the versions of requirements.txt    → TOOLS/python/bin/python
#   node     npm ci where a package-lock.json is kept
#   browser  chromium with fonts, for the browser tests              → /usr/bin/chromium
#   prometheus  Prometheus, Alertmanager and their checkers          → /usr/bin/promtool, /usr/bin/amtool
#   sql      psql and libpq, for the tests of the SQL endpoint       → /usr/bin/psql
#   bench    rsyslog as the control of agent memory, not installed   → TOOLS/rsyslog
#
# TOOLS is $MEDFLEET_TOOLS, else ~/.cache/medfleet/tools. Registries are those that apt, mvn, pip and npm are configured for.
set -euo pipefail
here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd -P)
root=$(cd "$here/../.." && pwd -P)
readonly TOOLS=${MEDFLEET_TOOLS:-$HOME/.cache/medfleet/tools}
readonly GROUPS_ALL=(build brokers python node browser prometheus sql)
readonly NODE_ROOMS=(dashboards/web tests/browser)
readonly APT_LOCK_SECONDS=300
readonly OTHER_INSTALL_SECONDS=1800
readonly RUST_MINOR_AT_LEAST=95
PATH=$PATH:/usr/sbin

say() { printf 'install: %s\n' "$*"; }

die() {
    printf 'install.sh: %s\n' "$*" >&2
    exit 1
}

have() { command -v "$1" >/dev/null 2>&1; }

# Installs Debian packages in one call; nothing to do without arguments.
apt_install() {
    (($# > 0)) || return 0
    local as_root=()
    have apt-get || die "missing: $*. This is no Debian: install them with its own package manager, then run this again"
    if ((EUID != 0)); then
        have sudo || die "missing Debian packages: $*. Run as root: apt-get install $*"
        as_root=(sudo)
    fi
    say "apt-get install $*"
    # 9>&-: a service that a package starts would otherwise inherit this script's lock and hold it for ever.
    "${as_root[@]}" apt-get -qq -o "DPkg::Lock::Timeout=$APT_LOCK_SECONDS" -o Acquire::Retries=3 update 9>&- \
        || say "the package lists could not be refreshed (another apt at work, or no network); trying with the old ones"
    "${as_root[@]}" env DEBIAN_FRONTEND=noninteractive apt-get -qq -y -o "DPkg::Lock::Timeout=$APT_LOCK_SECONDS" -o Acquire::Retries=3 \
        install --no-install-recommends "$@" >/dev/null 9>&- \
        || die "apt-get could not install: $*. If its lock is held, let the other apt end; if dpkg was interrupted, run" \
            "'dpkg --configure -a'; if a package is not found, run 'apt-get update'. Then run this again"
}

# True when the result in DIR was made from exactly these files.
made_from() {
    local dir=$1
    shift
    [[ -f $dir/.made-from && $(<"$dir/.made-from") == "$(cat "$@" | sha256sum)" ]]
}

mark_made_from() {
    local dir=$1
    shift
    cat "$@" | sha256sum >"$dir/.made-from"
}

install_build() {
    local missing=() minor
    have gcc || missing+=(gcc libc6-dev)
    have g++ || missing+=(g++)
    have make || missing+=(make)
    have pkg-config || missing+=(pkg-config)
    [[ -f /usr/include/openssl/ssl.h ]] || missing+=(libssl-dev)
    [[ -f /usr/include/zlib.h ]] || missing+=(zlib1g-dev)
    apt_install "${missing[@]}"
    have cargo || die "no cargo in PATH: install Rust 1.$RUST_MINOR_AT_LEAST or newer (Debian's own is too old)"
    # The version of the default toolchain; asked in the root, so that an override there counts.
    minor=$(cd "$root" && cargo --version | sed -n 's/^cargo 1\.\([0-9]*\)\..*/\1/p')
    ((${minor:-0} >= RUST_MINOR_AT_LEAST)) || die "cargo is 1.${minor:-?}: Rust 1.$RUST_MINOR_AT_LEAST or newer is needed"
}

install_brokers() {
    local missing=() libs=$TOOLS/kafka/libs
    have mosquitto || missing+=(mosquitto)
    have mosquitto_sub || missing+=(mosquitto-clients)
    have openssl || missing+=(openssl)
    have python3 || missing+=(python3)
    have java || missing+=(openjdk-17-jre-headless)
    made_from "$libs" "$root/infra/kafka/pom.xml" || have mvn || missing+=(maven)
    apt_install "${missing[@]}"
    ! made_from "$libs" "$root/infra/kafka/pom.xml" || return 0
    java_is_new_enough || die "java is older than 17: install openjdk-17-jre-headless, or put a newer java first in PATH"
    say "Apache Kafka → $libs"
    rm -rf "$libs.new"
    mvn -B -q -Dstyle.color=never -f "$root/infra/kafka/pom.xml" dependency:copy-dependencies -DoutputDirectory="$libs.new" \
        || die "Maven could not fetch Kafka: check the network and the mirror in ~/.m2/settings.xml, then run this again"
    mark_made_from "$libs.new" "$root/infra/kafka/pom.xml"
    rm -rf "$libs"
    mv "$libs.new" "$libs"
}

java_is_new_enough() {
    local major
    major=$(java -version 2>&1 | sed -n 's/.* version "\([0-9]*\).*/\1/p')
    ((${major:-0} >= 17))
}

# The first Python that is new enough and can make an environment.
usable_python() {
    local candidate
    for candidate in python3.11 python3 /usr/bin/python3; do
        if "$candidate" -c 'import sys, venv, ensurepip; sys.exit(sys.version_info < (3, 11))' 2>/dev/null; then
            printf '%s\n' "$candidate"
            return 0
        fi
    done
    return 1
}

install_python() {
    local venv=$TOOLS/python python
    ! made_from "$venv" "$here/requirements.txt" || return 0
    usable_python >/dev/null || apt_install python3 python3-venv
    python=$(usable_python) || die "no Python 3.11 or newer with venv: apt-get install python3-venv"
    say "Python environment → $venv"
    rm -rf "$venv"
    "$python" -m venv "$venv"
    "$venv/bin/python" -m pip install --quiet --disable-pip-version-check --only-binary :all: -r "$here/requirements.txt" \
        || die "pip could not install requirements.txt: check the network and pip's configured index ('pip config list'), then run this again"
    mark_made_from "$venv" "$here/requirements.txt"
}

install_node() {
    local room
    for room in "${NODE_ROOMS[@]}"; do
        [[ -f $root/$room/package-lock.json ]] || continue
        ! made_from "$root/$room/node_modules" "$root/$room/package-lock.json" || continue
        have npm || apt_install nodejs npm
        say "npm ci in $room"
        (cd "$root/$room" && npm ci --silent --no-audit --no-fund) \
            || die "npm ci failed in $room: check the network and npm's configured registry ('npm config get registry'), then run this again"
        mark_made_from "$root/$room/node_modules" "$root/$room/package-lock.json"
    done
}

install_browser() {
    local missing=()
    have chromium || missing+=(chromium)
    # Without fonts every page is a page of empty boxes.
    [[ -d /usr/share/fonts/truetype/dejavu ]] || missing+=(fonts-dejavu-core)
    [[ -d /usr/share/fonts/truetype/liberation ]] || missing+=(fonts-liberation)
    apt_install "${missing[@]}"
}

install_prometheus() {
    local missing=()
    have prometheus || missing+=(prometheus)
    have prometheus-alertmanager || missing+=(prometheus-alertmanager)
    have curl || missing+=(curl)
    apt_install "${missing[@]}"
}

# Unpacked beside the system, so that no daemon is installed or started.
install_bench() {
    local home=$TOOLS/rsyslog
    [[ ! -x $home/usr/sbin/rsyslogd ]] || return 0
    have apt-get || die "the bench's control is Debian's rsyslog, and this is no Debian"
    say "rsyslog → $home"
    rm -rf "$home.new"
    mkdir -p "$home.new/packages"
    (cd "$home.new/packages" && apt-get -qq download rsyslog libestr0 libfastjson4 liblognorm5) \
        || die "apt-get could not download rsyslog: run 'apt-get update', then this again"
    local package
    for package in "$home.new/packages"/*.deb; do
        dpkg -x "$package" "$home.new"
    done
    rm -rf "$home"
    mv "$home.new" "$home"
}

install_sql() {
    local missing=()
    # psycopg loads libpq, which comes with it.
    have psql || missing+=(postgresql-client)
    apt_install "${missing[@]}"
}

main() {
    local groups=("$@") group
    (($# > 0)) || groups=("${GROUPS_ALL[@]}")
    for group in "${groups[@]}"; do
        [[ " ${GROUPS_ALL[*]} bench " == *" $group "* ]] || die "unknown group '$group': choose from ${GROUPS_ALL[*]} bench"
    done
    mkdir -p "$TOOLS"
    exec 9>"$TOOLS/.lock"
    # Two test runs at once must not build the same folder.
    flock -w "$OTHER_INSTALL_SECONDS" 9 || die "another install.sh holds $TOOLS/.lock: let it end, or end it (fuser $TOOLS/.lock)"
    for group in "${groups[@]}"; do
        "install_$group"
    done
    say "ready: ${groups[*]} (tools in $TOOLS)"
}

main "$@"
