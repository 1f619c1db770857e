// SPDX-License-Identifier: MIT
// A C++ exception thrown out of each callback passes through lido to the caller, and costs nothing
// but the object: the pool's only place can be taken again at once.
#include <lido/lido.h>

#include <cstdio>
#include <stdexcept>

static int failures;
static bool armed;

#define CHECK(condition) check(condition, #condition, __LINE__)

static void check(bool condition, const char *what, int line) {
    if (condition)
        return;
    std::fprintf(stderr, "exceptions.cpp:%d: not true: %s (%s)\n", line, what, lido_last_error());
    failures++;
}

static int meet() {
    if (armed) {
        armed = false;
        throw std::runtime_error("as told");
    }
    return 0;
}

enum which { create_throws, validate_throws, reset_throws, destroy_throws, kinds };

static lido_object_pool *open_pool(int which) {
    static int object;
    lido_object_pool *pool = nullptr;
    lido_object_pool_options options = {};
    options.struct_size = sizeof options;
    options.object_limit = 1;
    options.create = [](void *at, void **made) {
        *made = &object;
        return *static_cast<int *>(at) == create_throws ? meet() : 0;
    };
    options.validate = [](void *at, void *) { return *static_cast<int *>(at) == validate_throws ? meet() : 0; };
    options.reset = [](void *at, void *) { return *static_cast<int *>(at) == reset_throws ? meet() : 0; };
    options.destroy = [](void *at, void *) {
        if (*static_cast<int *>(at) == destroy_throws)
            (void)meet();
    };
    static int contexts[kinds];
    contexts[which] = which;
    options.context = &contexts[which];
    CHECK(lido_object_pool_create(&options, &pool) == LIDO_OK);
    return pool;
}

static void run_into(lido_object_pool *pool, int which) {
    lido_lease lease = {};
    if (which == create_throws || which == validate_throws) {
        CHECK(which == create_throws || lido_object_pool_prepare(pool, 1) == LIDO_OK);
        armed = true;
        CHECK(lido_object_pool_acquire(pool, 0, &lease) != LIDO_OK);
        return;
    }
    CHECK(lido_object_pool_acquire(pool, 0, &lease) == LIDO_OK);
    armed = true;
    CHECK((which == reset_throws ? lido_object_pool_release(pool, &lease)
                                 : lido_object_pool_discard(pool, &lease)) != LIDO_OK);
}

static bool is_thrown(lido_object_pool *pool, int which) {
    try {
        run_into(pool, which);
    } catch (const std::runtime_error &) {
        return true;
    }
    return false;
}

int main() {
    for (int which = 0; which < kinds; which++) {
        lido_object_pool *pool = open_pool(which);
        lido_lease lease = {};
        CHECK(is_thrown(pool, which));
        CHECK(lido_object_pool_acquire(pool, 0, &lease) == LIDO_OK);
        CHECK(lido_object_pool_release(pool, &lease) == LIDO_OK);
        CHECK(lido_object_pool_destroy(pool) == LIDO_OK);
    }
    return failures != 0;
}
