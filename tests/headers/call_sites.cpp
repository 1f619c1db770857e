// SPDX-License-Identifier: MIT
// Every macro of every header in C++17, and the functions underneath: each must compile without
// warnings and tell the line of this file, or the one that was given.
#include <lido/lido.h>

#include <cstdio>
#include <cstring>

static int failures;

static void check(bool condition, const char *what, int line) {
    if (condition)
        return;
    std::fprintf(stderr, "call_sites.cpp:%d: not true: %s (%s)\n", line, what, lido_last_error());
    failures++;
}

#define CHECK(condition) check(condition, #condition, __LINE__)

static bool is_here(const char *site, int line) {
    char text[64];
    std::snprintf(text, sizeof text, "call_sites.cpp:%d", line);
    const char *found = site == nullptr ? nullptr : std::strstr(site, text);
    return found != nullptr && (found[std::strlen(text)] < '0' || found[std::strlen(text)] > '9');
}

static const char *made_at() {
    lido_resource resource = LIDO_RESOURCE;
    return lido_registry_next(0, &resource) ? resource.made_at : nullptr;
}

static void use_base() {
    static_assert(LIDO_MILLISECONDS(5) == 5000 * LIDO_MICROSECONDS(1));
    static_assert(LIDO_SECONDS(1) < LIDO_FOREVER && LIDO_VERSION_MAJOR >= 0);
    static constexpr char here[] = LIDO_HERE;
    CHECK(is_here(here, __LINE__ - 1));
    lido_log_set(LIDO_LOG_ERROR, nullptr, nullptr);
    CHECK(std::strcmp(lido_status_name(lido_last_status()), "LIDO_OK") == 0);
}

static void use_block_pool() {
    lido_block_pool *pool = nullptr;
    lido_block_pool_options options{};
    options.struct_size = sizeof options;
    options.block_size = 64;
    options.flags = LIDO_BLOCK_POOL_ZERO;
    CHECK(lido_block_pool_create(&options, &pool) == LIDO_OK);
    CHECK(is_here(made_at(), __LINE__ - 1));
    void *blocks[2];
    CHECK(lido_block_pool_acquire_many(pool, 2, blocks) == 2);
    uint64_t index = 0;
    CHECK(lido_block_pool_read_index(pool, blocks[0], &index) == LIDO_OK);
    CHECK(lido_block_pool_release_index(pool, index) == LIDO_OK);
    CHECK(lido_block_pool_release_many(pool, 2, blocks) == LIDO_ERR_NOT_HELD);
    CHECK(is_here(lido_last_error(), __LINE__ - 1));
    CHECK(lido_block_pool_release(pool, blocks[1]) == LIDO_ERR_NOT_HELD);
    CHECK(is_here(lido_last_error(), __LINE__ - 1));
    CHECK(lido_block_pool_release_at(pool, blocks[1], "app.py:12") == LIDO_ERR_NOT_HELD);
    CHECK(std::strstr(lido_last_error(), "app.py:12") != nullptr);
    CHECK(lido_block_pool_release_at(pool, blocks[1], nullptr) == LIDO_ERR_NOT_HELD);
    CHECK(lido_block_pool_destroy(pool) == LIDO_OK);
    CHECK(lido_block_pool_create_at(&options, &pool, "app.py:1") == LIDO_OK);
    CHECK(std::strcmp(made_at(), "app.py:1") == 0);
    CHECK(lido_block_pool_destroy(pool) == LIDO_OK);
    CHECK(lido_block_pool_create_at(&options, &pool, nullptr) == LIDO_OK);
    CHECK(made_at() == nullptr);
    CHECK(lido_block_pool_destroy(pool) == LIDO_OK);
}

static void use_dense_pool() {
    lido_dense_pool *pool = nullptr;
    lido_dense_pool_options options{};
    options.struct_size = sizeof options;
    options.object_bytes = 16;
    CHECK(lido_dense_pool_create(&options, &pool) == LIDO_OK);
    CHECK(is_here(made_at(), __LINE__ - 1));
    lido_dense_handle handle = LIDO_DENSE_HANDLE_NONE;
    void *object = lido_dense_pool_acquire(pool, &handle);
    CHECK(object != nullptr && lido_dense_pool_find(pool, handle) == object);
    CHECK(lido_dense_pool_release(pool, handle) == LIDO_OK);
    CHECK(lido_dense_pool_destroy(pool) == LIDO_OK);
}

static int create(void *context, void **object) {
    *object = context;
    return 0;
}

static const char *holders_site(lido_object_pool *pool) {
    lido_object_pool_holder holder = LIDO_OBJECT_POOL_HOLDER;
    return lido_object_pool_next_holder(pool, 0, &holder) ? holder.site : nullptr;
}

static void use_object_pool() {
    lido_object_pool *pool = nullptr;
    lido_object_pool_options options{};
    lido_lease lease{};
    options.struct_size = sizeof options;
    options.object_limit = 1;
    options.create = create;
    options.context = &options;
    CHECK(lido_object_pool_create(&options, &pool) == LIDO_OK);
    CHECK(is_here(made_at(), __LINE__ - 1));
    CHECK(lido_object_pool_acquire(pool, 0, &lease) == LIDO_OK);
    CHECK(is_here(holders_site(pool), __LINE__ - 1));
    lido_lease copy = lease;
    CHECK(lido_object_pool_release(pool, &lease) == LIDO_OK);
    CHECK(lido_object_pool_release(pool, &copy) == LIDO_ERR_NOT_HELD);
    CHECK(is_here(lido_last_error(), __LINE__ - 1));
    CHECK(lido_object_pool_discard(pool, &copy) == LIDO_ERR_NOT_HELD);
    CHECK(is_here(lido_last_error(), __LINE__ - 1));
    CHECK(lido_object_pool_try_acquire(pool, &lease) == LIDO_OK);
    CHECK(is_here(holders_site(pool), __LINE__ - 1));
    CHECK(lido_object_pool_discard(pool, &lease) == LIDO_OK);
    CHECK(lido_object_pool_acquire_until(pool, lido_now_ns(), &lease) == LIDO_OK);
    CHECK(is_here(holders_site(pool), __LINE__ - 1));
    CHECK(lido_object_pool_destroy(pool) == LIDO_ERR_BUSY);
    CHECK(lido_object_pool_release_at(pool, &lease, nullptr) == LIDO_OK);
    CHECK(lido_object_pool_acquire_at(pool, 0, &lease, nullptr) == LIDO_OK);
    CHECK(holders_site(pool) == nullptr);
    CHECK(lido_object_pool_discard_at(pool, &lease, "app.py:7") == LIDO_OK);
    CHECK(lido_object_pool_close(pool, 0) == LIDO_OK);
    CHECK(lido_object_pool_destroy(pool) == LIDO_OK);
}

static void read_nothing(void *, uint64_t values[]) {
    values[0] = 0;
}

static void use_budget() {
    lido_budget *budget = nullptr;
    lido_budget_options options{};
    options.struct_size = sizeof options;
    CHECK(lido_budget_create(&options, &budget) == LIDO_OK);
    CHECK(is_here(made_at(), __LINE__ - 1));
    CHECK(lido_budget_destroy(budget) == LIDO_OK);
}

static void use_panel() {
    static const lido_dial dial = {"depth", "How deep.", LIDO_DIAL_GAUGE, LIDO_UNIT_COUNT, 0, 0, 0};
    static const lido_panel panel = {sizeof panel, "well", &dial, 1, read_nothing, nullptr};
    lido_panel_options options{};
    uint64_t id = 0;
    options.struct_size = sizeof options;
    options.panel = &panel;
    CHECK(lido_panel_insert(&options, &id) == LIDO_OK);
    CHECK(is_here(made_at(), __LINE__ - 1));
    CHECK(lido_panel_remove(id) == LIDO_OK);
}

static void use_ring() {
    lido_ring *ring = nullptr;
    lido_ring_options options{};
    options.struct_size = sizeof options;
    options.capacity = 2;
    CHECK(lido_ring_create(&options, &ring) == LIDO_OK);
    CHECK(is_here(made_at(), __LINE__ - 1));
    CHECK(lido_ring_destroy(ring) == LIDO_OK);
    CHECK(lido_ring_create_at(&options, &ring, "app.py:9") == LIDO_OK);
    CHECK(std::strcmp(made_at(), "app.py:9") == 0);
    CHECK(lido_ring_destroy(ring) == LIDO_OK);
}

int main() {
    use_base();
    use_block_pool();
    use_dense_pool();
    use_object_pool();
    use_budget();
    use_panel();
    use_ring();
    return failures != 0;
}
