#!/usr/bin/env bash
# Runs the C tests against another build of skynet and compares what they print
# with tests/c/expected, which this project's own test suite is held to as well.
#
#   tests/c/compare.sh [--record] SKYNET_DIR OBJECT_DIR [TEST...]
#
# SKYNET_DIR  a checkout of the reference, built in place: its headers, its
#             executable, its cservice/, Lua and jemalloc archives are used.
# OBJECT_DIR  the objects of its skynet-src, all but skynet_main, compiled with
#             the flags of its Makefile.
# --record    writes the expected files instead of comparing.
# Tests marked "only=ours" are skipped: there the reference aborts.
set -euo pipefail

record=0
if [ "${1-}" = --record ]; then record=1; shift; fi
if [ $# -lt 2 ]; then sed -n '2,15s/^# \{0,1\}//p' "$0" >&2; exit 2; fi
skynet=$(cd "$1" && pwd); objects=$(cd "$2" && pwd); shift 2
here=$(cd "$(dirname "$0")" && pwd)
work=$(mktemp -d); trap 'rm -rf "$work"' EXIT
cc=${CC:-cc}
cflags=(-std=gnu11 -g -O1 -Wall -Wextra -pthread "-I$skynet/skynet-src" "-I$skynet/3rd/lua" "-I$here")

mkdir "$work/modules" "$work/programs"
for source in "$here"/modules/*.c "$here"/services/*.c; do
    $cc "${cflags[@]}" -fPIC -shared "$source" -o "$work/modules/$(basename "$source" .c).so"
done
for source in "$here"/modules/*.cpp; do
    ${CXX:-c++} "${cflags[@]/-std=gnu11/-std=c++17}" -fPIC -shared "$source" \
        -o "$work/modules/$(basename "$source" .cpp).so"
done
for source in "$here"/programs/*.c; do
    name=$(basename "$source" .c)
    if [ $# -gt 0 ] && [[ " $* " != *" $name "* ]]; then continue; fi
    grep -q '^// ctest:.*only=ours' "$source" && continue
    $cc "${cflags[@]}" "$source" "$objects"/*.o "$skynet/3rd/lua/liblua.a" \
        "$skynet/3rd/jemalloc/lib/libjemalloc_pic.a" -Wl,-E -lm -ldl -lrt -o "$work/programs/$name"
done

# Takes apart a "// ctest:" line: what the harness needs, and the config's keys.
settings() {
    deadline=60 exit=0 args='' config='' ours=0 environment=()
    local word
    for word in thread=4 harbor=1 logservice=ctlog $1; do
        word=${word//\$SCRATCH/$scratch}
        case $word in
            only=ours) ours=1 ;;
            link=lua | needs=*) ;; # the reference has both
            env=*) environment+=("${word#*=}") ;;
            deadline=*) deadline=${word#*=} ;;
            exit=*) exit=${word#*=} ;;
            args=*) args=${word#*=} ;;
            *) config+="${word%%=*} = \"${word#*=}\""$'\n' ;; # a later line replaces an earlier one
        esac
    done
}

failed=0 passed=0
for source in "$here"/programs/*.c "$here"/services/*.c; do
    name=$(basename "$source" .c); kind=$(basename "$(dirname "$source")")
    if [ $# -gt 0 ] && [[ " $* " != *" $name "* ]]; then continue; fi
    run=0
    while read -r line; do
        run=$((run + 1)); scratch=$work/$name.$run; mkdir "$scratch"
        settings "$line"
        [ $ours = 1 ] && continue
        if [ "$kind" = programs ]; then
            command=("$work/programs/$name" "$work/modules" "$scratch")
        else
            printf '%scpath = "%s/?.so;%s/cservice/?.so"\nbootstrap = "%s"\nscratch = "%s"\nlogpath = "%s"\n' \
                "$config" "$work/modules" "$skynet" "$name${args:+ $args}" "$scratch" "$scratch" > "$scratch/config"
            command=("$skynet/skynet" "$scratch/config")
        fi
        code=0
        timeout -k 1 "$deadline" env "${environment[@]}" "${command[@]}" > "$scratch/out" 2> "$scratch/err" < /dev/null || code=$?
        if [ "$code" != "$exit" ]; then
            echo "$name ($line): exit code $code instead of $exit"; tail -n 5 "$scratch/out" "$scratch/err"; failed=$((failed + 1))
        elif [ $record = 1 ]; then
            cp "$scratch/out" "$here/expected/$name.txt"
        elif diff -u "$here/expected/$name.txt" "$scratch/out"; then
            passed=$((passed + 1))
        else
            echo "$name ($line): output differs"; failed=$((failed + 1))
        fi
    done < <(sed -n 's,^// ctest: *,,p' "$source")
done
# A Lua service with a C module, tests/lua/socket_module.lua.
name=socket_module
if [ $# = 0 ] || [[ " $* " == *" $name "* ]]; then
    lua=$here/../lua scratch=$work/$name; mkdir "$scratch"
    $cc "${cflags[@]}" "-I$skynet/3rd/lua" -fPIC -shared "$lua/sockets.c" -o "$scratch/sockets.so"
    cat > "$scratch/config" <<END
thread = 4
harbor = 0
logservice = "ctlog"
logger = "silent"
bootstrap = "snlua $name"
luaservice = "$lua/?.lua"
lualoader = "$here/../../lualib/loader.lua"
lua_path = "$here/../../lualib/?.lua;$here/../../lualib/?/init.lua"
lua_cpath = "$scratch/?.so;$skynet/luaclib/?.so"
cpath = "$work/modules/?.so;$skynet/cservice/?.so"
END
    code=0
    timeout -k 1 60 "$skynet/skynet" "$scratch/config" > "$scratch/out" 2> "$scratch/err" < /dev/null || code=$?
    if [ $code != 0 ]; then
        echo "$name: exit code $code"; tail -n 5 "$scratch/out" "$scratch/err"; failed=$((failed + 1))
    elif [ $record = 1 ]; then
        cp "$scratch/out" "$lua/$name.expected"
    elif diff -u "$lua/$name.expected" "$scratch/out"; then
        passed=$((passed + 1))
    else
        echo "$name: output differs"; failed=$((failed + 1))
    fi
fi
echo "$passed passed, $failed failed"
[ $failed = 0 ]
