#!/bin/sh
# Unpacks what an Android library is built with where there is no NDK: Debian's newest rustc, the sources of its
# standard library, and lld. All are packages of Debian 12; nothing is installed, and another Rust stays as it is.
#
#   fetch.sh DEST     writes a tree with usr/bin/rustc, and DEST/version
set -eu
[ $# -eq 1 ] || { sed -n '2,5s/^# \{0,1\}//p' "$0" >&2; exit 2; }
mkdir -p "$1"
dest=$(cd "$1" && pwd)
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
[ "$(id -u)" -ne 0 ] || chown _apt "$work"      # root's apt drops to this user for the download

rust=$(apt-cache show --no-all-versions rustc-web | sed -n 's/^Version: //p')
llvm=$(apt-cache show --no-all-versions rust-web-llvm | sed -n 's/^Depends:.* llvm-\([0-9]*\).*/\1/p')
short=$(echo "$rust" | cut -d. -f1,2)
(cd "$work" && apt-get -qq download rustc-web="$rust" rust-web-src="$rust" libstd-rust-web-dev="$rust" \
    libstd-rust-web-"$short"="$rust" libllvm"$llvm" lld-"$llvm")
rm -rf "$dest/usr"
for package in "$work"/*.deb; do
    dpkg-deb --fsys-tarfile "$package" | tar -x -C "$dest" --keep-directory-symlink ./usr
done
rm -rf "$dest/usr/share"
ln -s "../lib/llvm-$llvm/bin/lld" "$dest/usr/bin/ld.lld"
ln -s "llvm-$llvm" "$dest/usr/lib/llvm"
LD_LIBRARY_PATH="$dest/usr/lib/x86_64-linux-gnu:$dest/usr/lib/llvm/lib" "$dest/usr/bin/rustc" --version >"$dest/version.new"
mv "$dest/version.new" "$dest/version"
echo "android: $(cat "$dest/version") in $dest"
