#!/bin/sh
# Makes the Debian package target/debian/convened_*.deb: the program, its unit, configuration, documents, and what
# the program writes itself: manual pages and completions. Needs cargo-deb (cargo install cargo-deb).
#
#   sh packaging/build.sh [OPTION]...     options are those of `cargo deb`, such as --output FILE
#
# DEBFULLNAME and DEBEMAIL name who hands it out, as Debian's own tools have it.
# CONVENED_PROFILE=dev packs the debug build instead of the release.
set -eu
profile=${CONVENED_PROFILE-release}
cd "$(dirname "$0")/.."

# Assets of Cargo.toml stand here, so it is this directory, wherever else cargo builds.
made=target/packaging
rm -rf "$made"
mkdir -p "$made/man"

convened() { cargo run --quiet --locked --profile "$profile" --bin convened -- "$@"; }
convened man "$made/man"
convened completions bash >"$made/convened.bash"
convened completions zsh >"$made/_convened"
convened completions fish >"$made/convened.fish"

# Whose work is in the program.
cargo tree --locked --edges normal,no-proc-macro --prefix none --no-dedupe --format '{p} {l}' >"$made/tree"
sed '/^convened /d' "$made/tree" | LC_ALL=C sort -u >"$made/crates.txt"
rm "$made/tree"

if [ -n "${DEBEMAIL-}" ]; then
    set -- --maintainer "${DEBFULLNAME-$DEBEMAIL} <$DEBEMAIL>" "$@"
fi
exec cargo deb --no-build --locked --profile "$profile" "$@"
