/* SPDX-License-Identifier: MIT
 * The slow half of R2: see bell.h. */
#include "ring/bell.h"

#include "base/gate.h"
#include "base/sys.h"

#include <lido/base.h>

enum { NAP_NS = 1000000 };
#ifndef LIDO_BELL_QUIET
#define LIDO_BELL_QUIET 1024 /* the explorer has less patience */
#endif

static uint64_t pack(uint64_t sleepers, uint64_t told) {
    return told << 32 | sleepers;
}

static uint64_t told_of(uint64_t crowd) {
    return crowd >> 32;
}

static uint64_t sleepers_of(uint64_t crowd) {
    return crowd & UINT32_MAX;
}

/* What the gate knows about this process: can a barrier reach every thread? */
static bool has_barrier(void) {
    lido__gate probe;
    lido__gate_init(&probe, NULL);
    return lido__load(&probe.fenced, relaxed) == 0;
}

void lido__bell_init(struct lido__bell *bell, _Atomic(uint32_t) *is_watched) {
    lido__mutex_init(&bell->lock);
    lido__store(&bell->crowd, 0, relaxed);
    lido__store(&bell->word, 0, relaxed);
    lido__store(&bell->quiet, 0, relaxed);
    lido__store(&bell->is_armed, 0, relaxed);
    bell->is_watched = is_watched;
    bell->is_kept_up = !has_barrier();
    bell->must_nap = false;
    bell->descriptor = -1;
    bell->raisers = 0;
    bell->waits = bell->timeouts = 0;
    lido__store(is_watched, bell->is_kept_up ? LIDO__BELL_ON : LIDO__BELL_OFF, relaxed);
}

void lido__bell_end(struct lido__bell *bell) {
    if (bell->descriptor >= 0)
        lido__sys.event_close(bell->descriptor);
}

/* ---- The changer ------------------------------------------------------------------------ */

static bool is_deserted(struct lido__bell *bell) {
    return sleepers_of(lido__load(&bell->crowd, relaxed)) == 0 &&
           lido__load(&bell->is_armed, relaxed) == 0;
}

/* I5. Relaxed: who enters takes the lock too. */
static void take_down(struct lido__bell *bell) {
    lido__lock(&bell->lock);
    if (!bell->is_kept_up && bell->raisers == 0 && is_deserted(bell))
        lido__store(bell->is_watched, LIDO__BELL_OFF, relaxed);
    lido__store(&bell->quiet, 0, relaxed);
    lido__unlock(&bell->lock);
}

/* Two at once may count one: the number is no promise. */
static void count_quiet(struct lido__bell *bell) {
    uint32_t quiet = lido__load(&bell->quiet, relaxed) + 1;
    lido__store(&bell->quiet, quiet, relaxed);
    if (quiet >= LIDO_BELL_QUIET)
        take_down(bell);
}

static void tell(struct lido__bell *bell, uint32_t count) {
    _Atomic(uint64_t) *told_in = &bell->crowd;
    lido__lock(&bell->lock);
    uint64_t crowd = lido__load(told_in, relaxed);
    uint64_t untold = sleepers_of(crowd) - told_of(crowd);
    uint32_t told = untold < count ? (uint32_t)untold : count;
    if (told) {
        uint32_t word = lido__load(&bell->word, relaxed);
        lido__store(told_in, pack(sleepers_of(crowd), told_of(crowd) + told), relaxed);
        lido__store(&bell->word, word + 1, relaxed);
    }
    lido__unlock(&bell->lock);
    if (told)
        lido__sys.unpark(&bell->word, told > INT32_MAX ? INT32_MAX : (int)told);
}

/* R2: the fence stands between the change and the look at who sleeps; the sleeper has its own
 * between the two the other way round. */
void lido__bell_strike(struct lido__bell *bell, uint32_t count) {
    lido__fence(seq_cst);
    uint64_t crowd = lido__load(&bell->crowd, relaxed);
    if (sleepers_of(crowd) > told_of(crowd)) /* else all will look: I2 */
        tell(bell, count);
    if (lido__load(&bell->is_armed, relaxed) != 0 &&
        lido__exchange(&bell->is_armed, 0, acquire) != 0) /* arm wrote the descriptor before */
        lido__sys.event_set(bell->descriptor);
    if (is_deserted(bell))
        count_quiet(bell);
}

/* ---- The sleeper ------------------------------------------------------------------------ */

/* Behind it, whoever changes something sees that the bell is watched. A failure is for good. */
static void raise_watch(struct lido__bell *bell) {
    bool reached = lido__gate_barrier();
    lido__lock(&bell->lock);
    lido__store(bell->is_watched, LIDO__BELL_ON, relaxed);
    bell->raisers--;
    if (!reached)
        bell->must_nap = bell->is_kept_up = true;
    lido__unlock(&bell->lock);
}

/* With the lock. Returns whether a barrier is due: it is not when another one's has been passed. */
static bool must_raise(struct lido__bell *bell) {
    _Atomic(uint32_t) *to_raise = bell->is_watched;
    uint32_t watched = lido__load(to_raise, relaxed);
    if (watched == LIDO__BELL_OFF)
        lido__store(to_raise, LIDO__BELL_RAISING, relaxed);
    bell->raisers += watched != LIDO__BELL_ON;
    return watched != LIDO__BELL_ON;
}

void lido__bell_enter(struct lido__bell *bell) {
    lido__lock(&bell->lock);
    uint64_t crowd = lido__load(&bell->crowd, relaxed);
    lido__store(&bell->crowd, crowd + 1, relaxed);
    bell->waits++;
    bool raises = must_raise(bell);
    lido__unlock(&bell->lock);
    if (raises)
        raise_watch(bell);
}

/* With the lock: one told less, if any. */
static uint64_t less_told(uint64_t crowd) {
    uint64_t told = told_of(crowd);
    return pack(sleepers_of(crowd), told ? told - 1 : 0);
}

/* R2: the fence stands between what the changer looks at and what the sleeper looks at next. */
uint32_t lido__bell_listen(struct lido__bell *bell) {
    lido__lock(&bell->lock);
    uint64_t crowd = lido__load(&bell->crowd, relaxed);
    lido__store(&bell->crowd, less_told(crowd), relaxed);
    uint32_t seen = lido__load(&bell->word, relaxed);
    lido__unlock(&bell->lock);
    lido__fence(seq_cst);
    return seen;
}

bool lido__bell_sleep(struct lido__bell *bell, uint32_t seen, uint64_t deadline_ns) {
    lido__lock(&bell->lock);
    bool naps = bell->must_nap;
    lido__unlock(&bell->lock);
    if (!naps)
        return lido__sys.park(&bell->word, seen, deadline_ns);
    uint64_t now_ns = lido__sys.now_ns();
    uint64_t nap_ns = deadline_ns - now_ns < NAP_NS ? deadline_ns - now_ns : NAP_NS;
    if (now_ns >= deadline_ns)
        return false;
    (void)lido__sys.park(&bell->word, seen, now_ns + nap_ns);
    return true;
}

void lido__bell_leave(struct lido__bell *bell, bool timed_out) {
    lido__lock(&bell->lock);
    uint64_t crowd = less_told(lido__load(&bell->crowd, relaxed));
    lido__store(&bell->crowd, crowd - 1, relaxed);
    bell->timeouts += timed_out;
    lido__unlock(&bell->lock);
}

/* ---- The descriptor --------------------------------------------------------------------- */

bool lido__bell_arm(struct lido__bell *bell) {
    lido__lock(&bell->lock);
    bool raises = false;
    bool has_descriptor = bell->descriptor >= 0;
    if (has_descriptor) {
        lido__sys.event_clear(bell->descriptor);
        lido__store(&bell->is_armed, 1, release); /* the descriptor is clear, and stands */
        raises = must_raise(bell);
    }
    lido__unlock(&bell->lock);
    if (raises)
        raise_watch(bell);
    lido__fence(seq_cst); /* R2, as in listen */
    lido__lock(&bell->lock);
    bool naps = bell->must_nap;
    uint32_t seen = lido__load(&bell->word, relaxed);
    lido__unlock(&bell->lock);
    if (naps) /* nobody can be relied on to signal: the caller comes by himself, not too often */
        (void)lido__sys.park(&bell->word, seen, lido__sys.now_ns() + NAP_NS);
    return has_descriptor && !naps;
}

void lido__bell_disarm(struct lido__bell *bell) {
    lido__store(&bell->is_armed, 0, relaxed);
}

void lido__bell_in_child(struct lido__bell *bell) {
    lido__store(&bell->crowd, 0, relaxed);
    lido__store(&bell->is_armed, 0, relaxed);
    lido__bell_end(bell);
    bell->descriptor = -1;
    if (bell->raisers != 0) /* their barriers never came to an end */
        lido__store(bell->is_watched, LIDO__BELL_OFF, relaxed);
    bell->raisers = 0;
    lido__unlock(&bell->lock);
}
