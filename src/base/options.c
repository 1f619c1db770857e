/* SPDX-License-Identifier: MIT
 * See options.h. */
#include "base/options.h"

#include "base/status.h"

#include <string.h>

enum { SIZE_MIN_BYTES = sizeof(uint64_t), SIZE_MAX_BYTES = 4096 };

static lido_status read_size(const void *given, uint64_t *size, const char *what) {
    if (!given)
        return LIDO__FAIL(
            LIDO_ERR_ARGUMENT,
            "%s is NULL, must be a structure; the macro of its name in capitals makes one",
            .word = {what});
    memcpy(size, given, sizeof *size);
    if (*size < SIZE_MIN_BYTES || *size > SIZE_MAX_BYTES || *size % sizeof(uint32_t) != 0)
        return LIDO__FAIL(LIDO_ERR_ARGUMENT,
                          "%s: struct_size is %u, must be sizeof the structure (the macro of the "
                          "same name in capitals sets it)",
                          .word = {what}, .number = {*size});
    return LIDO_OK;
}

lido_status lido__options_read(const void *given, void *into, size_t known_bytes,
                               const char *what) {
    uint64_t size = 0;
    lido_status status = read_size(given, &size, what);
    if (status != LIDO_OK)
        return status;
    for (size_t i = known_bytes; i < size; i++)
        if (((const unsigned char *)given)[i] != 0)
            return LIDO__FAIL(LIDO_ERR_UNSUPPORTED,
                              "%s: a field at byte %u is set that lido %s does not know; leave it "
                              "zero or use a newer library",
                              .word = {what, lido_version()}, .number = {i});
    memset(into, 0, known_bytes);
    memcpy(into, given, size < known_bytes ? (size_t)size : known_bytes);
    return LIDO_OK;
}

lido_status lido__figures_write(void *given, const void *from, size_t known_bytes,
                                const char *what) {
    uint64_t size = 0;
    lido_status status = read_size(given, &size, what);
    if (status != LIDO_OK)
        return status;
    size_t covered = size < known_bytes ? (size_t)size : known_bytes;
    memcpy((char *)given + sizeof size, (const char *)from + sizeof size, covered - sizeof size);
    memset((char *)given + covered, 0, (size_t)size - covered);
    return LIDO_OK;
}
