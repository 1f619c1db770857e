#!/usr/bin/env bash
# SPDX-License-Identifier: MIT
# Builds the object bench's peers in other languages. What they need comes from Debian's packages and
# is often not there; a peer that cannot be built is no failure, but a small program that says why
# and answers 127, which the bench shows as missing. Does nothing when all is newer than its source.
#
#   build.sh OUT       OUT is where the bench looks for its peers
set -u
cd "$(dirname "$0")" || exit 1
out=$1
bench=../..
jars=/usr/share/java
crates=/usr/share/cargo/registry
scratch=$out/foreign
mkdir -p "$scratch"

# is_new NAME SOURCE...: the program is there, can do its work, and is newer than its sources.
is_new() {
    local program=$out/$1 source
    shift
    [ -x "$program" ] && ! grep -aq '^# stands in' "$program" || return 1
    for source; do
        [ "$program" -nt "$source" ] || return 1
    done
}

# stand_in NAME WHY
stand_in() {
    rm -f "$out/$1"
    cat >"$out/$1" <<-END
	#!/bin/sh
	# stands in for a peer that could not be built
	echo '${2//\'/}' >&2
	exit 127
	END
    chmod +x "$out/$1"
    printf 'bench: %s is left out: %s\n' "$1" "$2" >&2
}

# attempt NAME COMMAND...: runs a compiler; when it fails, its first error becomes the reason.
attempt() {
    local name=$1
    shift
    "$@" >"$scratch/$name.log" 2>&1 && return 0
    stand_in "$name" "could not be built: $({ grep -m 1 -i error "$scratch/$name.log" || tail -n 1 "$scratch/$name.log"; } | head -n 1)"
    return 1
}

java_peer() { # NAME CLASS JAR PACKAGE
    local name=$1 class=$2 jar=$jars/$3 classes=$scratch/$1
    local path=$jar:$jars/slf4j-api.jar:$jars/slf4j-nop.jar
    if ! command -v javac >/dev/null || ! command -v java >/dev/null; then
        stand_in "$name" "java and javac are not here (default-jdk-headless)"
    elif [ ! -e "$jar" ]; then
        stand_in "$name" "$jar is not here ($4)"
    elif ! is_new "$name" java/*.java build.sh; then
        attempt "$name" javac -d "$classes" -cp "$path" java/ObjectBench.java "java/$class.java" || return
        rm -f "$out/$name"
        # The whole heap is there from the start, and its collector is the quickest for throughput.
        cat >"$out/$name" <<-END
		#!/bin/sh
		exec java -Xms256m -Xmx256m -XX:+UseParallelGC -XX:-UsePerfData -cp '$classes:$path' ObjectBench $class "\$@"
		END
        chmod +x "$out/$name"
    fi
}

go_peer() {
    if ! command -v go >/dev/null; then
        stand_in object_go "go is not here (golang-go)"
    elif ! is_new object_go go/object_go.go build.sh; then
        rm -f "$out/object_go"
        attempt object_go env GO111MODULE=off GOFLAGS= GOCACHE="$scratch/go" go build -o "$out/object_go" go/object_go.go
    fi
}

# Debian's crates are a folder that cargo takes in place of the registry; nothing is downloaded.
rust_peer() {
    local crate name=object_r2d2 folder=$scratch/r2d2
    crate=$(find "$crates" -maxdepth 1 -name 'r2d2-[0-9]*' 2>/dev/null | sort | tail -n 1)
    if ! command -v cargo >/dev/null || ! command -v rustc >/dev/null; then
        stand_in $name "cargo and rustc are not here (cargo, rustc)"
    elif [ -z "$crate" ]; then
        stand_in $name "$crates/r2d2-* is not here (librust-r2d2-dev)"
    elif ! is_new $name r2d2/* $bench/object_*.h $bench/worker.[ch] build.sh; then
        rm -f "$out/$name"
        mkdir -p "$folder/.cargo"
        cp r2d2/Cargo.toml r2d2/lib.rs "$folder"
        printf '[source.crates-io]\nreplace-with = "debian"\n[source.debian]\ndirectory = "%s"\n' "$crates" \
            >"$folder/.cargo/config.toml"
        (cd "$folder" && attempt $name env CARGO_TARGET_DIR=target cargo build --release --offline) || return
        attempt $name "${CC:-cc}" -O2 -std=gnu11 -D_GNU_SOURCE -DR2D2_VERSION="\"${crate##*/r2d2-}\"" \
            -DRUST_VERSION="\"$(rustc --version | cut -d' ' -f1,2)\"" r2d2/object_r2d2.c $bench/worker.c \
            "$folder/target/release/libobject_r2d2.a" -o "$out/$name" -lpthread -ldl -lm
    fi
}

java_peer object_hikari Hikari HikariCP.jar libhikaricp-java
java_peer object_commons CommonsPool commons-pool2.jar libcommons-pool2-java
go_peer
rust_peer
exit 0
