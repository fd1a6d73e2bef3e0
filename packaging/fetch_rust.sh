#!/bin/sh
# Unpacks Rust of Debian's security suite, with the standard library of another architecture, below a folder:
#
#   fetch_rust.sh FOLDER arm64
#
# FOLDER/rustc is then the compiler, for this machine and the other. Nothing is installed, and apt's own lists stay
# as they are. Toolchains of rustup need none of this: `rustup target add`.
set -eu

folder=$1
other=$2
keyring=/usr/share/keyrings/debian-archive-keyring.gpg
mkdir -p "$folder"
folder=$(cd "$folder" && pwd)

# apt with lists and a cache of its own for one architecture.
with_apt() {
    architecture=$1
    shift
    apt=$folder/apt/$architecture
    mkdir -p "$apt/lists/partial" "$apt/cache/archives/partial" "$apt/none"
    : >"$apt/status"
    echo "deb [arch=$architecture signed-by=$keyring] http://deb.debian.org/debian-security bookworm-security main" \
        >"$apt/sources.list"
    cat >"$apt/apt.conf" <<CONF
Dir::Etc::sourcelist "$apt/sources.list";
Dir::Etc::sourceparts "$apt/none";
Dir::Etc::preferencesparts "$apt/none";
Dir::Etc::preferences "$apt/no-preferences";
Dir::State::lists "$apt/lists";
Dir::State::status "$apt/status";
Dir::Cache "$apt/cache";
APT::Architecture "$architecture";
APT::Architectures { "$architecture"; };
APT::Sandbox::User "root";
Acquire::Languages "none";
CONF
    (cd "$folder/apt" && APT_CONFIG=$apt/apt.conf "$@")
}

with_apt amd64 apt-get -qq update
with_apt "$other" apt-get -qq update
newest=$(with_apt amd64 apt-cache show rustc-web | sed -n 's/^Version: //p' | sort -V | tail -1)
series=$(echo "$newest" | cut -d. -f1,2)
# The compiler's LLVM; what that needs in turn comes with libclang-dev, which the build asks for.
llvm=$(with_apt amd64 apt-cache depends "libstd-rust-web-$series=$newest" | grep -o 'libllvm[0-9.]*')
with_apt amd64 apt-get -qq download "$llvm" "rustc-web=$newest" "libstd-rust-web-dev=$newest" "libstd-rust-web-$series=$newest"
with_apt "$other" apt-get -qq download "libstd-rust-web-dev=$newest"
for package in "$folder"/apt/*.deb; do
    dpkg-deb --extract "$package" "$folder"
done
rm -rf "$folder/apt"
cat >"$folder/rustc" <<'RUSTC'
#!/bin/sh
folder=$(dirname "$(readlink -f "$0")")
LD_LIBRARY_PATH=$folder/usr/lib/x86_64-linux-gnu exec "$folder/usr/bin/rustc" "$@"
RUSTC
chmod +x "$folder/rustc"
"$folder/rustc" --version >"$folder/version"
cat "$folder/version"
