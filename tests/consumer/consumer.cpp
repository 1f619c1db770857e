// SPDX-License-Identifier: MIT
// A C++17 program on an installed lido: every header in one file, options without the C macros, and
// the call-site macros, which tell the line of this file.
#include <lido/lido.h>

#include <cstdio>
#include <cstring>

int main() {
    lido_block_pool_options options{};
    options.struct_size = sizeof options;
    options.block_size = 100;
    options.name = "consumer";
    lido_block_pool *pool = nullptr;
    if (lido_block_pool_create(&options, &pool) != LIDO_OK)
        return std::fprintf(stderr, "%s\n", lido_last_error()), 1;

    lido_resource entry{};
    entry.struct_size = sizeof entry;
    if (!lido_registry_next(0, &entry) || std::strstr(entry.made_at, "consumer.cpp:") == nullptr)
        return std::fprintf(stderr, "the registry does not tell the line of this file\n"), 1;

    void *block = lido_block_pool_acquire(pool);
    if (block == nullptr)
        return 1;
    std::memset(block, 1, 100);
    if (lido_block_pool_release(pool, block) != LIDO_OK)
        return 1;
    if (lido_block_pool_release(pool, block) != LIDO_ERR_NOT_HELD)
        return std::fprintf(stderr, "a double release was not refused\n"), 1;
    if (lido_block_pool_destroy(pool) != LIDO_OK)
        return 1;
    std::printf("lido %s\n", lido_version());
    return 0;
}
