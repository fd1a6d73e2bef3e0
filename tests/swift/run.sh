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
work=$root/work
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
        LD_LIBRARY_PATH=$swift/lib/swift/linux:$swift/lib:/work/lib "$chroot" "$root" "$@"
}
root=$1 chroot=$(command -v chroot)
compile() {
    run swiftc -I /work/c -I /work/TensorFlowLiteC -I /work "$@"
}
run swiftc -I /work/c -parse-as-library -typecheck -module-name TFLiteVulkan /work/VulkanDelegate.swift
for module in TensorFlowLite:TensorFlowLite TFLiteVulkan:VulkanDelegate; do
    name=${module%%:*}
    compile -parse-as-library -emit-module -emit-module-path "/work/$name.swiftmodule" -emit-object \
        -module-name "$name" -o "/work/$name.o" "/work/${module##*:}.swift"
done
compile -use-ld=lld -L /work/lib -ltflite_vulkan -llitert-lm -o /work/main \
    /work/main.swift /work/TFLiteVulkan.o /work/TensorFlowLite.o
run /work/main /work/lib/libvk_swiftshader.so /work/static.tflite
run swift package --disable-sandbox --package-path /work/package describe >"$root/work/described"
grep -q 'Module type: BinaryTarget' "$root/work/described"
echo 'ok, and Swift accepts the package'
RUN
exec unshare --mount sh "$work/run" "$root"
