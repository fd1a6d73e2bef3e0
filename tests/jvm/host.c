/* TensorFlow Lite's C interface for Host.java: the library is opened, so nothing is linked. */
#include <dlfcn.h>
#include <jni.h>
#include <stdint.h>
#include <stdio.h>

#define FUNCTION(result, name, ...) static result (*name)(__VA_ARGS__)

FUNCTION(void*, TfLiteModelCreateFromFile, const char*);
FUNCTION(void, TfLiteModelDelete, void*);
FUNCTION(void*, TfLiteInterpreterOptionsCreate, void);
FUNCTION(void, TfLiteInterpreterOptionsDelete, void*);
FUNCTION(void, TfLiteInterpreterOptionsAddDelegate, void*, void*);
FUNCTION(void*, TfLiteInterpreterCreate, void*, void*);
FUNCTION(void, TfLiteInterpreterDelete, void*);
FUNCTION(int, TfLiteInterpreterAllocateTensors, void*);
FUNCTION(int, TfLiteInterpreterInvoke, void*);
FUNCTION(void*, TfLiteInterpreterGetInputTensor, void*, int32_t);
FUNCTION(void*, TfLiteInterpreterGetOutputTensor, void*, int32_t);
FUNCTION(size_t, TfLiteTensorByteSize, void*);
FUNCTION(void*, TfLiteTensorData, void*);

static void* library;

static void* find(const char* name) {
    void* symbol = dlsym(library, name);
    if (!symbol) fprintf(stderr, "%s\n", dlerror());
    return symbol;
}

#define FIND(name) ((*(void**)&name = find(#name)) != NULL)

JNIEXPORT jboolean JNICALL Java_Host_open(JNIEnv* env, jclass class, jstring path) {
    (void)class;
    const char* text = (*env)->GetStringUTFChars(env, path, NULL);
    library = dlopen(text, RTLD_NOW | RTLD_LOCAL);
    (*env)->ReleaseStringUTFChars(env, path, text);
    return library && FIND(TfLiteModelCreateFromFile) && FIND(TfLiteModelDelete) &&
           FIND(TfLiteInterpreterOptionsCreate) && FIND(TfLiteInterpreterOptionsDelete) &&
           FIND(TfLiteInterpreterOptionsAddDelegate) && FIND(TfLiteInterpreterCreate) &&
           FIND(TfLiteInterpreterDelete) && FIND(TfLiteInterpreterAllocateTensors) &&
           FIND(TfLiteInterpreterInvoke) && FIND(TfLiteInterpreterGetInputTensor) &&
           FIND(TfLiteInterpreterGetOutputTensor) && FIND(TfLiteTensorByteSize) && FIND(TfLiteTensorData);
}

JNIEXPORT jlong JNICALL Java_Host_model(JNIEnv* env, jclass class, jstring path) {
    (void)class;
    const char* text = (*env)->GetStringUTFChars(env, path, NULL);
    void* model = TfLiteModelCreateFromFile(text);
    (*env)->ReleaseStringUTFChars(env, path, text);
    return (jlong)model;
}

JNIEXPORT jlong JNICALL Java_Host_interpreter(JNIEnv* env, jclass class, jlong model, jlong delegate) {
    (void)env, (void)class;
    void* options = TfLiteInterpreterOptionsCreate();
    if (delegate) TfLiteInterpreterOptionsAddDelegate(options, (void*)delegate);
    void* interpreter = TfLiteInterpreterCreate((void*)model, options);
    TfLiteInterpreterOptionsDelete(options);
    if (interpreter && TfLiteInterpreterAllocateTensors(interpreter)) {
        TfLiteInterpreterDelete(interpreter);
        return 0;
    }
    return (jlong)interpreter;
}

JNIEXPORT jint JNICALL Java_Host_inputSize(JNIEnv* env, jclass class, jlong interpreter, jint input) {
    (void)env, (void)class;
    return (jint)(TfLiteTensorByteSize(TfLiteInterpreterGetInputTensor((void*)interpreter, input)) / sizeof(float));
}

JNIEXPORT void JNICALL Java_Host_set(JNIEnv* env, jclass class, jlong interpreter, jint input, jfloatArray values) {
    (void)class;
    void* tensor = TfLiteInterpreterGetInputTensor((void*)interpreter, input);
    (*env)->GetFloatArrayRegion(env, values, 0, (*env)->GetArrayLength(env, values), TfLiteTensorData(tensor));
}

JNIEXPORT jfloatArray JNICALL Java_Host_invoke(JNIEnv* env, jclass class, jlong interpreter) {
    (void)class;
    if (TfLiteInterpreterInvoke((void*)interpreter)) return NULL;
    void* tensor = TfLiteInterpreterGetOutputTensor((void*)interpreter, 0);
    jsize count = (jsize)(TfLiteTensorByteSize(tensor) / sizeof(float));
    jfloatArray values = (*env)->NewFloatArray(env, count);
    if (values) (*env)->SetFloatArrayRegion(env, values, 0, count, TfLiteTensorData(tensor));
    return values;
}

JNIEXPORT void JNICALL Java_Host_delete(JNIEnv* env, jclass class, jlong interpreter, jlong model) {
    (void)env, (void)class;
    if (interpreter) TfLiteInterpreterDelete((void*)interpreter);
    if (model) TfLiteModelDelete((void*)model);
}
