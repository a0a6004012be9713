#!/bin/sh
# Runs benches/alloc.c on each skynet executable in turn, with one worker and
# with eight, and prints what it prints.
#
#     benches/alloc.sh SKYNET...
#
# INCLUDE names the directory with skynet.h, CC the compiler.
set -eu

[ $# -gt 0 ] || { echo "usage: $0 SKYNET..." >&2; exit 2; }
here=$(CDPATH='' cd -- "$(dirname -- "$0")" && pwd)
scratch=$(mktemp -d)
trap 'rm -rf "$scratch"' EXIT

"${CC:-cc}" -std=gnu11 -O2 -Wall -Wextra -fPIC -shared \
    -I"${INCLUDE:-$here/../include}" -o "$scratch/alloc.so" "$here/alloc.c"

for skynet in "$@"; do
    root=$(CDPATH='' cd -- "$(dirname -- "$skynet")" && pwd)
    for services in 1 8; do
        cat >"$scratch/config" <<CONFIG
thread = $services
harbor = 0
logger = nil
cpath = "$scratch/?.so;$root/cservice/?.so"
bootstrap = "alloc $services"
start = "none"
CONFIG
        echo "$skynet"
        timeout 300 "$skynet" "$scratch/config" | grep ALLOC
    done
done
