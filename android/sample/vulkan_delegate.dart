// For tflite_flutter: copy it into the application, and
//
//     final options = InterpreterOptions()..addDelegate(VulkanDelegate());
//
// The AAR, or build/ios on iOS, brings the native library.
import 'dart:ffi';
import 'dart:io';

import 'package:ffi/ffi.dart';
import 'package:tflite_flutter/src/bindings/tensorflow_lite_bindings_generated.dart' show TfLiteDelegate;
import 'package:tflite_flutter/tflite_flutter.dart';

typedef _Texts = Pointer<Pointer<Utf8>>;
typedef _CreateC = Pointer<TfLiteDelegate> Function(_Texts, _Texts, Size, Pointer<Void>);
typedef _Create = Pointer<TfLiteDelegate> Function(_Texts, _Texts, int, Pointer<Void>);
typedef _DeleteC = Void Function(Pointer<TfLiteDelegate>);
typedef _Delete = void Function(Pointer<TfLiteDelegate>);

final DynamicLibrary _library =
    Platform.isIOS ? DynamicLibrary.process() : DynamicLibrary.open('libtflite_vulkan.so');
final _create = _library.lookupFunction<_CreateC, _Create>('tflite_plugin_create_delegate');
final _delete = _library.lookupFunction<_DeleteC, _Delete>('tflite_plugin_destroy_delegate');

/// Runs models on the GPU through Vulkan. A bad option makes creating the interpreter fail, with the reason in the log.
class VulkanDelegate implements Delegate {
  VulkanDelegate([Map<String, String> options = const {}]) : base = _make(options);

  @override
  final Pointer<TfLiteDelegate> base;

  @override
  void delete() => _delete(base);

  static Pointer<TfLiteDelegate> _make(Map<String, String> options) => using((arena) {
        final keys = arena<Pointer<Utf8>>(options.length + 1), values = arena<Pointer<Utf8>>(options.length + 1);
        var i = 0;
        options.forEach((key, value) {
          keys[i] = key.toNativeUtf8(allocator: arena);
          values[i++] = value.toNativeUtf8(allocator: arena);
        });
        return _create(keys, values, options.length, nullptr);
      });
}
