#!/bin/sh
# Unpacks Debian 13's Swift into a folder to change root to: 520 MB to download, 2.5 GB. Nothing is installed.
#
#   fetch.sh FOLDER
set -eu
mkdir -p "$1" && cd "$1"
rm -rf root apt version
mkdir -p root apt/lists/partial apt/archives/partial
: >apt/status
mirror=$(sed -n 's/^URIs: *\([^ ]*\/debian\)\/\{0,1\}$/\1/p' /etc/apt/sources.list.d/debian.sources 2>/dev/null | head -1)
keys=/usr/share/keyrings/debian-archive-keyring.gpg
echo "deb [signed-by=$keys] ${mirror:-http://deb.debian.org/debian} trixie main" >apt/sources
cat >apt/config <<END
APT::Install-Recommends "false";
APT::Sandbox::User "";
Acquire::Languages "none";
Dir::Cache "$PWD/apt";
Dir::Etc::SourceList "$PWD/apt/sources";
Dir::Etc::SourceParts "/dev/null";
Dir::Etc::Preferences "/dev/null";
Dir::Etc::PreferencesParts "/dev/null";
Dir::State "$PWD/apt";
Dir::State::Lists "$PWD/apt/lists";
Dir::State::Status "$PWD/apt/status";
END
export APT_CONFIG="$PWD/apt/config"
apt-get update -qq
apt-get install -y -qq --download-only swiftlang libc6-dev libstdc++-14-dev >/dev/null
name=$(basename apt/archives/swiftlang_*.deb)
for package in apt/archives/*.deb; do
    dpkg-deb --fsys-tarfile "$package" | tar -x -C root --keep-directory-symlink
done
for folder in lib lib64; do [ -e "root/$folder" ] || ln -s "usr/$folder" "root/$folder"; done
mkdir -p root/proc root/sys root/dev root/tmp
rm -rf apt
echo "$name" >version
