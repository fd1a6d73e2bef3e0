/* Android's log, on standard error, with the tag in front. */
#include <stdio.h>

int __android_log_write(int priority, const char* tag, const char* text) {
    return fprintf(stderr, "%s: %d: %s\n", tag, priority, text);
}

int __android_log_buf_write(int buffer, int priority, const char* tag, const char* text) {
    (void)buffer;
    return __android_log_write(priority, tag, text);
}
