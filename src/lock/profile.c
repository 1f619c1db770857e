/* SPDX-License-Identifier: MIT
 * Sessions: the tables at two moments, and what happened between. */
#include "lock/figures.h"

#include "base/options.h"
#include "base/status.h"
#include "base/sys.h"

#include <stdlib.h>
#include <string.h>

/* After stop, `end` is the difference, its rows sorted, and the counts say how many there are. */
struct lido_profile {
    struct lido__tables begin, end;
    uint64_t class_count, pair_count;
    bool is_stopped;
};

lido_status lido_profile_start(lido_profile **profile) {
    lido_profile *made = lido__sys.map(sizeof *made);
    *profile = made;
    if (!made)
        return LIDO__FAIL(
            LIDO_ERR_NO_MEMORY,
            "lock profile: no memory for a session of %u bytes; free some memory and call again",
            .number = {sizeof *made});
    lido__tables_copy(&made->begin);
    return LIDO_OK;
}

/* A class keeps its row for ever. */
static void subtract_class(struct lido__class_row *row, const struct lido__class_row *before) {
    uint64_t longest_ns = 0;
    row->acquired -= before->acquired;
    row->contended -= before->contended;
    row->waits -= before->waits;
    row->wait_total_ns -= before->wait_total_ns;
    row->blamed_ns -= before->blamed_ns;
    row->hold_samples -= before->hold_samples;
    row->hold_total_ns -= before->hold_total_ns;
    for (unsigned i = 0; i < LIDO__WAIT_BUCKETS; i++) {
        row->wait_buckets[i] -= before->wait_buckets[i];
        if (row->wait_buckets[i])
            longest_ns = lido__wait_bucket_top_ns(i);
    }
    if (longest_ns < row->wait_max_ns)
        row->wait_max_ns = longest_ns;
}

/* So does a pair. */
static void subtract_pair(struct lido__pair_row *row, const struct lido__pair_row *before) {
    row->waits -= before->waits;
    row->wait_ns -= before->wait_ns;
}

static int worse_class(const void *a, const void *b) {
    const struct lido__class_row *x = a, *y = b;
    if (x->blamed_ns + x->wait_total_ns != y->blamed_ns + y->wait_total_ns)
        return x->blamed_ns + x->wait_total_ns > y->blamed_ns + y->wait_total_ns ? -1 : 1;
    return x->acquired > y->acquired ? -1 : x->acquired < y->acquired;
}

static int worse_pair(const void *a, const void *b) {
    const struct lido__pair_row *x = a, *y = b;
    return x->wait_ns > y->wait_ns ? -1 : x->wait_ns < y->wait_ns;
}

/* Pairs name their class by its row: they are sorted first, and carry the name's place with them in
 * `begin`, which stays as it was. */
static void sort_rows(lido_profile *profile) {
    struct lido__tables *end = &profile->end;
    for (int i = 0; i < LIDO__PAIRS; i++)
        if (end->pairs[i].waits)
            end->pairs[profile->pair_count++] = end->pairs[i];
    memcpy(profile->begin.classes, end->classes, sizeof end->classes);
    for (uint64_t i = 0; i < end->class_count; i++)
        if (end->classes[i].acquired || end->classes[i].waits || end->classes[i].hold_samples)
            end->classes[profile->class_count++] = end->classes[i];
    qsort(end->pairs, (size_t)profile->pair_count, sizeof end->pairs[0], worse_pair);
    qsort(end->classes, (size_t)profile->class_count, sizeof end->classes[0], worse_class);
}

lido_status lido_profile_stop(lido_profile *profile) {
    if (profile->is_stopped)
        return LIDO__FAIL(
            LIDO_ERR_CLOSED,
            "lock profile: session %p was stopped before; read its figures, or start another",
            .number = {(uintptr_t)profile});
    lido__tables_copy(&profile->end);
    for (int i = 0; i < LIDO__CLASSES; i++)
        subtract_class(&profile->end.classes[i], &profile->begin.classes[i]);
    for (int i = 0; i < LIDO__PAIRS; i++)
        subtract_pair(&profile->end.pairs[i], &profile->begin.pairs[i]);
    sort_rows(profile);
    profile->is_stopped = true;
    return LIDO_OK;
}

void lido_profile_destroy(lido_profile *profile) {
    if (profile)
        lido__sys.unmap(profile, sizeof *profile);
}

static uint64_t wait_p99_ns(const struct lido__class_row *row) {
    uint64_t rank = (row->waits * 99 + 99) / 100, seen = 0, top_ns = 0;
    for (unsigned i = 0; i < LIDO__WAIT_BUCKETS && row->waits; i++) {
        seen += row->wait_buckets[i];
        if (seen >= rank) {
            top_ns = lido__wait_bucket_top_ns(i);
            break;
        }
    }
    return top_ns < row->wait_max_ns ? top_ns : row->wait_max_ns;
}

static lido_profile_class public_class(const struct lido__class_row *row) {
    lido_profile_class known = {.struct_size = sizeof known,
                                .acquired = row->acquired,
                                .contended = row->contended,
                                .waits = row->waits,
                                .wait_total_ns = row->wait_total_ns,
                                .wait_max_ns = row->wait_max_ns,
                                .wait_p99_ns = wait_p99_ns(row),
                                .blamed_ns = row->blamed_ns,
                                .hold_samples = row->hold_samples,
                                .hold_total_ns = row->hold_total_ns};
    memcpy(known.name, row->name, sizeof known.name);
    return known;
}

bool lido_profile_read_class(const lido_profile *profile, uint64_t index, lido_profile_class *row) {
    if (!profile->is_stopped || index >= profile->class_count)
        return false;
    lido_profile_class known = public_class(&profile->end.classes[index]);
    return lido__figures_write(row, &known, sizeof known, "lido_profile_class") == LIDO_OK;
}

bool lido_profile_read_pair(const lido_profile *profile, uint64_t index, lido_profile_pair *row) {
    if (!profile->is_stopped || index >= profile->pair_count)
        return false;
    const struct lido__pair_row *pair = &profile->end.pairs[index];
    bool is_other = !pair->held_at;
    lido_profile_pair known = {.struct_size = sizeof known,
                               .waits = pair->waits,
                               .wait_ns = pair->wait_ns,
                               .waits_at = is_other ? "other" : pair->waits_at,
                               .held_at = is_other ? "other" : pair->held_at};
    memcpy(known.name, profile->begin.classes[pair->class_at].name, sizeof known.name);
    return lido__figures_write(row, &known, sizeof known, "lido_profile_pair") == LIDO_OK;
}

bool lido_profile_diff(const lido_profile *before, const lido_profile *after, uint64_t index,
                       lido_profile_class *was, lido_profile_class *is) {
    struct lido__class_row empty = {.name = ""};
    const struct lido__class_row *old = &empty;
    if (!before->is_stopped || !after->is_stopped || index >= after->class_count)
        return false;
    const struct lido__class_row *new = &after->end.classes[index];
    memcpy(empty.name, new->name, sizeof empty.name);
    for (uint64_t i = 0; i < before->class_count; i++)
        if (strcmp(before->end.classes[i].name, new->name) == 0)
            old = &before->end.classes[i];
    lido_profile_class then = public_class(old), now = public_class(new);
    return lido__figures_write(was, &then, sizeof then, "lido_profile_class") == LIDO_OK &&
           lido__figures_write(is, &now, sizeof now, "lido_profile_class") == LIDO_OK;
}
