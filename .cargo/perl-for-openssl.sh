#!/bin/sh
# Runs OpenSSL's Configure without `-static`, which it takes for a wish to have no
# threads. The program is linked statically all the same; build.rs checks that
# OpenSSL has threads.
count=$#
for argument in "$@"; do
    [ "$argument" = -static ] || set -- "$@" "$argument"
done
shift "$count"
exec perl "$@"
