#!/usr/bin/env bash
# One command: the tools into .venv, then site.yml on the host or inventory you name.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")"

usage() {
  cat <<'EOF'
Turn an Ubuntu or Debian host into a hardened, healthy AI agent gateway.

  ./install.sh HOST [options]            a host that you reach by SSH, as [user@]host[:port]
  ./install.sh -i INVENTORY [options]    the hosts of an inventory, see inventories/example

Further options go to ansible-playbook, for example:
  --check --diff           show what would be done, change nothing
  -K                       ask for the password of sudo
  -e gateway_port=18790    set a variable
  --private-key FILE       the SSH key to log in with
EOF
}

inventory=()
case "${1:-}" in
  -h | --help)
    usage
    exit 0
    ;;
  "")
    usage >&2
    echo "install.sh: name a host or an inventory." >&2
    exit 2
    ;;
  -i | --inventory | -i?* | --inventory=*) ;;
  -*)
    echo "install.sh: the first argument is a host or -i INVENTORY, not $1. See ./install.sh --help" >&2
    exit 2
    ;;
  *)
    if [[ ! $1 =~ ^([A-Za-z0-9._-]+@)?[][A-Za-z0-9.:_-]+$ ]]; then
      echo "install.sh: '$1' is not a host. The form is [user@]host[:port]." >&2
      exit 2
    fi
    export LOBSTERPOT_HOST=$1
    shift
    inventory=(-i inventories/one_host.py)
    ;;
esac

# shellcheck source=scripts/bootstrap.sh
. scripts/bootstrap.sh
bootstrap controller

exec ansible-playbook ${inventory[@]+"${inventory[@]}"} site.yml "$@"
