#!/usr/bin/env bash
# One command: the tools into .venv, then site.yml on a machine made here, or on the host or inventory you name.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")"

usage() {
  cat <<'EOF'
Put a hardened, healthy AI agent gateway where it cannot hurt you.

  ./install.sh [options]                 into a disposable virtual machine on this computer, which it makes
                                         (multipass where it is installed, otherwise qemu)
  ./install.sh HOST [options]            onto an Ubuntu or Debian host that you reach by SSH, as [user@]host[:port]
  ./install.sh -i INVENTORY [options]    onto the hosts of an inventory, see inventories/example

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
  "" | -*) ;; # options only: the inventory is ansible.cfg's, or the one that -i names
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
