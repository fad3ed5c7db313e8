#!/usr/bin/env bash
# Brings the tools of one group (controller, dev) into .venv, every file checked by its hash.
# Sourced with the project's folder as working directory; leaves .venv/bin first on PATH. Does nothing when they are there.

bootstrap_python() {
  local candidate
  for candidate in "${LOBSTERPOT_PYTHON:-}" python3 python3.14 python3.13 python3.12 python3.11; do
    [ -n "$candidate" ] || continue
    if "$candidate" -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null; then
      command -v "$candidate"
      return
    fi
  done
  echo "Lobsterpot needs Python 3.11 or newer on this computer, found: $(python3 --version 2>&1)." >&2
  echo "Install one (Debian, Ubuntu: apt install python3 python3-venv; macOS: brew install python), or name it in LOBSTERPOT_PYTHON." >&2
  return 1
}

bootstrap() {
  local group=$1 python want have=.venv/.lobsterpot-$1
  python=$(bootstrap_python) || return 1
  want=$(cat "requirements/$group.txt" scripts/bootstrap.sh | "$python" -c 'import hashlib, sys; print(hashlib.sha256(sys.stdin.buffer.read()).hexdigest())')
  if [ "$(cat "$have" 2>/dev/null)" != "$want" ]; then
    echo "Installing the tools ($group) into .venv, a minute or two the first time ..." >&2
    if ! "$python" -m venv .venv; then
      echo "Python could not make a virtual environment. On Debian and Ubuntu: apt install python3-venv" >&2
      return 1
    fi
    .venv/bin/python -m pip install -qq --timeout 120 --disable-pip-version-check --require-hashes -r "requirements/$group.txt" || return 1
    echo "$want" >"$have"
  fi
  export PATH=$PWD/.venv/bin:$PATH
}
