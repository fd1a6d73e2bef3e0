#!/bin/sh
# Unpacks Mesa's Vulkan drivers for phones (Debian's arm64 packages, with the shims that stand for the GPUs'
# kernel drivers) to the folder given, to be run by qemu-user. Nothing is installed, and the machine's
# apt configuration stays as it is.
#
#   fetch.sh FOLDER [SUITE]      SUITE: sid by default, for the newest Mesa
set -eu
mkdir -p "$1" && cd "$1"
suite=${2:-sid}
rm -rf root version packages apt
mkdir -p root/usr/lib packages apt/lists/partial apt/archives/partial
ln -s usr/lib root/lib
: >apt/status
mirror=$(sed -n 's/^URIs: *\([^ ]*\/debian\)\/\{0,1\}$/\1/p' /etc/apt/sources.list.d/debian.sources 2>/dev/null | head -1)
keys=/usr/share/keyrings/debian-archive-keyring.gpg
echo "deb [arch=arm64 signed-by=$keys] ${mirror:-http://deb.debian.org/debian} $suite main" >apt/sources
cat >apt/config <<END
APT::Architecture "arm64";
APT::Architectures { "arm64"; };
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

# Of all that the drivers depend on only libraries, and not the one that needs most room: drivers for desktops
# and CPUs want it, which are not asked.
wanted=$(apt-get install --simulate mesa-vulkan-drivers mesa-drm-shim |
    sed -n 's/^Inst \([^ ]*\) (\([^ ]*\) .*/\1=\2/p' | grep -E '^(lib|mesa|zlib)' | grep -v '^libllvm')
(cd packages && apt-get download -qq $wanted)
for package in packages/*.deb; do
    dpkg-deb --fsys-tarfile "$package" | tar -x -C root --keep-directory-symlink --wildcards '*.so*' 2>/dev/null || true
done
ls packages | sed -n 's/^mesa-vulkan-drivers_\(.*\)_arm64.deb$/Mesa \1/p' | sed 's/%3a/:/' >version
rm -rf packages apt root/usr/lib/aarch64-linux-gnu/gconv
test -s version
