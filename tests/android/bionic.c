/* What Android's C library has and glibc lacks or calls otherwise, for a library that needs no more. */
#include <errno.h>

int* __errno(void) {
    return &errno;
}

int __system_property_get(const char* name, char* value) {
    (void)name;
    *value = '\0';
    return 0;
}
