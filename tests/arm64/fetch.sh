#!/bin/sh
# Unpacks what runs the library for arm64 on another machine, to the folder given: qemu of Debian 13 (that of
# Debian 12 crashes in XNNPACK), and Debian 12's Python, Vulkan loader and lavapipe for arm64 with the wheels of
# TensorFlow Lite and numpy. 150 MB to download, 700 MB. Nothing is installed.
#
#   fetch.sh FOLDER PIP
set -eu
[ $# -eq 2 ] || { sed -n '2,6s/^# \{0,1\}//p' "$0" >&2; exit 2; }
pip=$2
mkdir -p "$1" && cd "$1"
rm -rf root qemu site python version apt
mirror=$(sed -n 's/^URIs: *\([^ ]*\/debian\)\/\{0,1\}$/\1/p' /etc/apt/sources.list.d/debian.sources 2>/dev/null | head -1)
keys=/usr/share/keyrings/debian-archive-keyring.gpg

# unpack FOLDER ARCHITECTURE SUITE PACKAGE...: the packages with all that they depend on.
unpack() {
    to=$1 architecture=$2 suite=$3
    shift 3
    rm -rf apt
    mkdir -p "$to/usr/lib" apt/lists/partial apt/archives/partial
    [ -e "$to/lib" ] || ln -s usr/lib "$to/lib"
    : >apt/status
    echo "deb [arch=$architecture signed-by=$keys] ${mirror:-http://deb.debian.org/debian} $suite main" >apt/sources
    cat >apt/config <<END
APT::Architecture "$architecture";
APT::Architectures { "$architecture"; };
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
    APT_CONFIG="$PWD/apt/config" apt-get update -qq
    APT_CONFIG="$PWD/apt/config" apt-get install -y -qq --download-only "$@" >/dev/null
    for package in apt/archives/*.deb; do
        dpkg-deb --fsys-tarfile "$package" | tar -x -C "$to" --keep-directory-symlink
    done
    rm -rf apt
}

unpack qemu amd64 trixie qemu-user
unpack root arm64 bookworm python3 libvulkan1 mesa-vulkan-drivers
"$pip" install --quiet --disable-pip-version-check --target site --only-binary :all: --implementation cp \
    --python-version 3.11 --platform manylinux_2_27_aarch64 --platform manylinux_2_28_aarch64 \
    --platform manylinux2014_aarch64 "ai-edge-litert==2.3.0" "numpy==2.4.6"
cat >python <<'END'
#!/bin/sh
# Python for arm64, with the arguments given; LD_LIBRARY_PATH of the caller comes first.
here=$(dirname "$(readlink -f "$0")")
libraries=$here/root/usr/lib/aarch64-linux-gnu
icd=/usr/share/vulkan/icd.d/lvp_icd.aarch64.json
exec "$here/qemu/usr/bin/qemu-aarch64" -L "$here/root" -E "LD_LIBRARY_PATH=${ARM64_LIBRARIES:-}:$libraries" \
    -E "PYTHONPATH=$here/site" -E "VK_DRIVER_FILES=$icd" -E "VK_ICD_FILENAMES=$icd" -U VK_INSTANCE_LAYERS \
    "$here/root/usr/bin/python3.11" "$@"
END
chmod +x python
./python -c 'import platform, ai_edge_litert; print("Python", platform.python_version(), platform.machine())' >version.new
mv version.new version
cat version
