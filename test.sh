#!/usr/bin/env bash
# The tests, as three runs. As root on Debian or Ubuntu, the last two install the tools of the distribution that the tests of hosts need.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")"

usage() {
  cat <<'END'
usage: ./test.sh [--fast | --machine]

  ./test.sh            all that a change must pass: lint, unit tests, hosts in containers, one virtual machine;
                       75 minutes on two cores without KVM
  ./test.sh --fast     lint and unit tests, without root; at most 3 minutes
  ./test.sh --machine  all that takes a virtual machine for long, for a release; no limit
END
}

case "${1:-}" in
  "" | --fast | --machine) mode=${1:-} ;;
  -h | --help)
    usage
    exit
    ;;
  *)
    usage >&2
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
export LOBSTERPOT_FIGURES=$scratch/figures

# Run one step, show how long it took, go on when it fails.
step() {
  local name=$1 since=$SECONDS
  shift
  printf '\n=== %s\n' "$name"
  if LOBSTERPOT_STEP=$name "$@"; then
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

# Have molecule go through a scenario.
scenario() {
  begin "$2 (molecule $1)" molecule --base-config .config/molecule/config.yml test --scenario-name "$1"
}

set -m # each in a process group of its own, which ends when this script does
# Two lanes: the machine is the longest and begins first; the others go by beside it, long ones first, so that both lanes end together.
if [ -n "$hosts" ] && [ "$mode" = --machine ]; then
  scenario machine "a machine that loses its power, with all actors, and rebuilt"
  begin "senders under three times as many changes at once" env LOBSTERPOT_RELEASE=1 pytest tests/integration/test_access_concurrency.py
elif [ -n "$hosts" ]; then
  scenario vm "a virtual machine, from nothing to destroyed"
fi
if [ "$mode" != --machine ]; then
  begin "ruff check" ruff check .
  begin "ruff format" ruff format --check .
  begin "mypy" mypy
  begin "yamllint" yamllint --strict .
  begin "ansible-lint" ansible-lint -q
  begin "unit tests" pytest tests/unit
fi
if [ -n "$hosts" ] && [ "$mode" != --machine ]; then
  scenario default "a fresh host, hardened and attacked"
  begin "archives from the real registry; senders on real gateways, under faults and attack" pytest tests/integration
  scenario clawdbot "the other product"
  scenario adopt "a gateway set up by hand, adopted"
  scenario upgrade "Debian 13, upgraded, and moved into a container and back"
  scenario refuses "unsafe input"
fi
wait
set +m
[ -z "$hosts" ] || python3 -m tests.lab down

printf '\n'
python3 -m tests.lab figures "$LOBSTERPOT_FIGURES"
printf '\n%d min %d s in all\n' $(((SECONDS - started) / 60)) $(((SECONDS - started) % 60))
sed 's/^/FAILED: /' "$scratch/failed"
printf '%d passed, %d failed\n' "$(wc -l <"$scratch/passed")" "$(wc -l <"$scratch/failed")"
[ ! -s "$scratch/failed" ]
