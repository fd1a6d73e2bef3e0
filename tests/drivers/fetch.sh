#!/bin/sh
# Fetch what the tests need besides the distribution's own lavapipe driver, all out of Debian's
# chromium-common package, which is only unpacked, never installed:
#   libvk_swiftshader.so               SwiftShader, the weak CPU driver
#   libVkLayer_khronos_validation.so   the Khronos validation layer, recent enough to find
#                                      hazards between two dispatches
#
#   fetch.sh DEST     writes the two libraries and their JSON manifests to DEST
set -eu
[ $# -eq 1 ] || { sed -n '2,8s/^# \{0,1\}//p' "$0" >&2; exit 2; }
mkdir -p "$1"
dest=$(cd "$1" && pwd)
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
[ "$(id -u)" -ne 0 ] || chown _apt "$work"      # root's apt drops to this user for the download

(cd "$work" && apt-get -qq download chromium-common)
dpkg-deb --fsys-tarfile "$work"/chromium-common_*.deb |
    tar -x -C "$dest" --strip-components=4 --wildcards \
        './usr/lib/chromium/libvk_swiftshader.so' './usr/lib/chromium/libVkLayer_khronos_validation.so'

cat >"$dest/swiftshader_icd.json" <<JSON
{"file_format_version": "1.0.0",
 "ICD": {"library_path": "$dest/libvk_swiftshader.so", "api_version": "1.1.0"}}
JSON
cat >"$dest/VkLayer_khronos_validation.json" <<JSON
{"file_format_version": "1.2.0",
 "layer": {"name": "VK_LAYER_KHRONOS_validation", "type": "GLOBAL", "api_version": "1.3.239",
           "library_path": "$dest/libVkLayer_khronos_validation.so", "implementation_version": "1",
           "description": "Khronos validation layer",
           "instance_extensions": [
             {"name": "VK_EXT_debug_report", "spec_version": "10"},
             {"name": "VK_EXT_debug_utils", "spec_version": "2"},
             {"name": "VK_EXT_layer_settings", "spec_version": "2"},
             {"name": "VK_EXT_validation_features", "spec_version": "6"}]}}
JSON
dpkg-deb -f "$work"/chromium-common_*.deb Version >"$dest/version"
echo "drivers: SwiftShader and validation layer of chromium-common $(cat "$dest/version") in $dest"
