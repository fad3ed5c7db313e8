#!/usr/bin/env bash
# One command: every test. `--fast`: lint and unit tests only, in minutes, without root.
# On Debian and Ubuntu, as root, it installs the tools of the distribution that the tests of hosts need.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")"

case "${1:-}" in
  "" | --fast) mode=${1:-} ;;
  *)
    echo "usage: ./test.sh [--fast]" >&2
    exit 2
    ;;
esac

# shellcheck source=scripts/bootstrap.sh
. scripts/bootstrap.sh
bootstrap dev
export NO_COLOR=1 ANSIBLE_NOCOLOR=1 PYTHONDONTWRITEBYTECODE=1

started=$SECONDS
scratch=$(mktemp -d)
others=
trap '[ -z "$others" ] || kill -- "-$others" 2>/dev/null || true; rm -rf "$scratch"' EXIT
touch "$scratch/passed" "$scratch/failed"

# Run one step, show how long it took, go on when it fails.
step() {
  local name=$1 begin=$SECONDS
  shift
  printf '\n=== %s\n' "$name"
  if "$@"; then
    echo "$name" >>"$scratch/passed"
    printf -- '--- %s: passed (%d s)\n' "$name" $((SECONDS - begin))
  else
    echo "$name" >>"$scratch/failed"
    printf -- '--- %s: FAILED (%d s)\n' "$name" $((SECONDS - begin))
  fi
}

# The long scenario and the others keep one processor each busy. What the others print comes when they are through.
the_long_scenario() {
  step "a fresh host, hardened and attacked (molecule default)" molecule test --scenario-name default
}

the_other_scenarios() {
  step "archives from the real registry; senders on real gateways, under faults and attack" pytest tests/integration
  step "the other product (molecule clawdbot)" molecule test --scenario-name clawdbot
  step "a gateway set up by hand, adopted (molecule adopt)" molecule test --scenario-name adopt
  step "Debian 13, upgraded, and moved into a container and back (molecule upgrade)" molecule test --scenario-name upgrade
  step "unsafe input (molecule refuses)" molecule test --scenario-name refuses
}

# The distribution's tools for the tests of hosts: nothing is installed that is there.
distribution_tools() {
  local missing=() package
  for package in podman runc mmdebstrap zstd nftables iproute2 openssh-client openssl nmap uidmap qemu-utils e2fsprogs fdisk gnupg gpgv; do
    dpkg-query -W -f '${db:Status-Abbrev}' "$package" 2>/dev/null | grep -q '^ii' || missing+=("$package")
  done
  [ ${#missing[@]} -eq 0 ] && return
  apt-get update -qq && DEBIAN_FRONTEND=noninteractive apt-get install -qq -y --no-install-recommends "${missing[@]}" >/dev/null
}

step "ruff check" ruff check .
step "ruff format" ruff format --check .
step "mypy" mypy
step "yamllint" yamllint --strict .
step "ansible-lint" ansible-lint -q
step "unit tests" pytest tests/unit

if [ "$mode" != --fast ]; then
  if [ "$(id -u)" -ne 0 ] || ! command -v apt-get >/dev/null; then
    echo "The tests of hosts make network namespaces and privileged containers: they need root on Debian or Ubuntu." >&2
    echo "tests of hosts" >>"$scratch/failed"
  else
    step "tools of the distribution" distribution_tools
    python3 tests/lab.py down # what an earlier run may have left, its addresses above all
    set -m # in a process group of its own, which ends when this script does
    the_other_scenarios >"$scratch/others" 2>&1 </dev/null &
    others=$!
    set +m
    the_long_scenario
    wait "$others"
    others=
    cat "$scratch/others"
    python3 tests/lab.py down
  fi
fi

printf '\n%d min %d s in all\n' $(((SECONDS - started) / 60)) $(((SECONDS - started) % 60))
sed 's/^/FAILED: /' "$scratch/failed"
printf '%d passed, %d failed\n' "$(wc -l <"$scratch/passed")" "$(wc -l <"$scratch/failed")"
[ ! -s "$scratch/failed" ]
