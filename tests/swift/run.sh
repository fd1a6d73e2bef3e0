#!/bin/sh
# Compiles the Swift class against the shape of TensorFlowLiteSwift, runs a model with it, and has Swift read the
# package. As root: the compiler is in a root folder of its own, which `fetch.sh` has made.
#
#   run.sh FOLDER LIBRARY
set -eu
[ $# -eq 2 ] || { sed -n '2,5s/^# \{0,1\}//p' "$0" >&2; exit 2; }
here=$(cd "$(dirname "$0")" && pwd)
top=$here/../..
root=$(cd "$1/root" && pwd)
work=$root/job
rm -rf "$work"
mkdir -p "$work/c" "$work/lib" "$work/package"
cp "$top"/include/tflite_vulkan.h "$top"/ios/module.modulemap "$work/c/"
cp -r "$here/TensorFlowLiteC" "$work/"
cp "$top"/include/tflite_abi.h "$work/TensorFlowLiteC/"
cp "$here"/*.swift "$top"/ios/Sources/TFLiteVulkan/*.swift "$top/tests/c_api/models/static.tflite" "$work/"
cp "$2" "$top/build/litert-lm/liblitert-lm.so" "$top/build/drivers/libvk_swiftshader.so" "$work/lib/"
"${PYTHON:-python3}" "$top/ios/build.py" --empty "$work/package"

# The mounts end with this process.
cat >"$work/run" <<'RUN'
set -eu
for folder in proc sys dev; do mount --rbind "/$folder" "$1/$folder"; done
swift=/usr/libexec/swift
run() {
    env -i HOME=/tmp PATH=$swift/bin:/usr/bin:/usr/sbin TFLITE_VULKAN_LIBRARY=/nonexistent \
        LD_LIBRARY_PATH=$swift/lib/swift/linux:$swift/lib:/job/lib "$chroot" "$root" "$@"
}
root=$1 chroot=$(command -v chroot)
compile() {
    run swiftc -I /job/c -I /job/TensorFlowLiteC -I /job "$@"
}
run swiftc -I /job/c -parse-as-library -typecheck -module-name TFLiteVulkan /job/VulkanDelegate.swift
for module in TensorFlowLite:TensorFlowLite TFLiteVulkan:VulkanDelegate; do
    name=${module%%:*}
    compile -parse-as-library -emit-module -emit-module-path "/job/$name.swiftmodule" -emit-object \
        -module-name "$name" -o "/job/$name.o" "/job/${module##*:}.swift"
done
compile -use-ld=lld -L /job/lib -ltflite_vulkan -llitert-lm -o /job/main \
    /job/main.swift /job/TFLiteVulkan.o /job/TensorFlowLite.o
run /job/main /job/lib/libvk_swiftshader.so /job/static.tflite
run swift package --disable-sandbox --package-path /job/package describe >"$root/job/described"
grep -q 'Module type: BinaryTarget' "$root/job/described"
echo 'ok, and Swift accepts the package'
RUN
exec unshare --mount sh "$work/run" "$root"
