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
trap 'for job in $(jobs -p); do kill -- "-$job" 2>/dev/null || true; done; rm -rf "$scratch"' EXIT
touch "$scratch/passed" "$scratch/failed"

# Run one step, show how long it took, go on when it fails.
step() {
  local name=$1 since=$SECONDS
  shift
  printf '\n=== %s\n' "$name"
  if "$@"; then
    echo "$name" >>"$scratch/passed"
    printf -- '--- %s: passed (%d s)\n' "$name" $((SECONDS - since))
  else
    echo "$name" >>"$scratch/failed"
    printf -- '--- %s: FAILED (%d s)\n' "$name" $((SECONDS - since))
  fi
}

# Run a step beside the others, two at a time. What it prints comes when it is through, in one piece; until then it is in the file named here.
begin() {
  local output
  while [ "$(jobs -rp | wc -l)" -ge 2 ]; do wait -n || true; done
  output=$(mktemp "$scratch/XXXXXX")
  printf '\n... begun after %d min: %s, see %s\n' $(((SECONDS - started) / 60)) "$1" "$output"
  (
    step "$@" >"$output" 2>&1 </dev/null
    cat "$output"
  ) &
}

# The distribution's tools for the tests of hosts: nothing is installed that is there.
distribution_tools() {
  local missing=() package
  for package in podman runc mmdebstrap zstd nftables iproute2 openssh-client openssl nmap uidmap qemu-utils e2fsprogs fdisk gnupg gpgv \
    qemu-system-x86 passt; do
    dpkg-query -W -f '${db:Status-Abbrev}' "$package" 2>/dev/null | grep -q '^ii' || missing+=("$package")
  done
  [ ${#missing[@]} -eq 0 ] && return
  apt-get update -qq && DEBIAN_FRONTEND=noninteractive apt-get install -qq -y --no-install-recommends "${missing[@]}" >/dev/null
}

hosts=
if [ "$mode" != --fast ]; then
  if [ "$(id -u)" -ne 0 ] || ! command -v apt-get >/dev/null; then
    echo "The tests of hosts make network namespaces and privileged containers: they need root on Debian or Ubuntu." >&2
    echo "tests of hosts" >>"$scratch/failed"
  else
    hosts=yes
    step "tools of the distribution" distribution_tools
    python3 -m tests.lab down # what an earlier run may have left, its addresses above all
  fi
fi

set -m # each in a process group of its own, which ends when this script does
begin "ruff check" ruff check .
begin "ruff format" ruff format --check .
begin "mypy" mypy
begin "yamllint" yamllint --strict .
begin "ansible-lint" ansible-lint -q
begin "unit tests" pytest tests/unit
if [ -n "$hosts" ]; then # the longest first
  begin "a virtual machine, from nothing to destroyed (molecule vm)" molecule test --scenario-name vm
  begin "a fresh host, hardened and attacked (molecule default)" molecule test --scenario-name default
  begin "archives from the real registry; senders on real gateways, under faults and attack" pytest tests/integration
  begin "the other product (molecule clawdbot)" molecule test --scenario-name clawdbot
  begin "a gateway set up by hand, adopted (molecule adopt)" molecule test --scenario-name adopt
  begin "Debian 13, upgraded, and moved into a container and back (molecule upgrade)" molecule test --scenario-name upgrade
  begin "unsafe input (molecule refuses)" molecule test --scenario-name refuses
fi
wait
set +m
[ -z "$hosts" ] || python3 -m tests.lab down

printf '\n%d min %d s in all\n' $(((SECONDS - started) / 60)) $(((SECONDS - started) % 60))
sed 's/^/FAILED: /' "$scratch/failed"
printf '%d passed, %d failed\n' "$(wc -l <"$scratch/passed")" "$(wc -l <"$scratch/failed")"
[ ! -s "$scratch/failed" ]
