/* SPDX-License-Identifier: MIT
 * lido/lock.h -- mutex, read-write lock and condition that know who waited for whom.
 *
 * They are used like those of pthreads, cost no more, and can answer at any moment: how often was
 * this lock taken at once, how long did threads wait, and which line made them wait?
 *
 *      server.c:118 ---- waits 12 ms for ----> "orders" <---- held by ---- report.c:41
 *                                                 |
 *        12 ms of blame, for each thread that waits, go to report.c:41 when it unlocks
 *
 * Locks of one name are one class; figures are kept for each lock and for each class.
 *
 * What is promised in every build:
 *   - Nothing is timed but waits, and the holding of one acquisition in 1,024.
 *   - Unlock by a thread that does not hold the lock is refused (NOT_HELD) and changes nothing. So
 *     is a second lock by its holder (DEADLOCK), and a wait in a circle: the thread that would
 *     close the circle gets DEADLOCK at once, whatever its deadline, and the message names the
 *     locks and lines. The circle may run through pools.
 *   - A lock works without memory. What it remembers of its waits (8 KiB) is mapped when a thread
 *     first sleeps for it, for at most 1,024 locks at once.
 *   - Unlock needs no memory and never fails for lack of it.
 *
 * Stated, because people ask:
 *   Order      who comes just then may take a mutex before those that sleep, until one of them was
 *              woken in vain for more than a millisecond: then those that sleep go first.
 *   Death      a lock whose holder ended is not given to anybody: its data may be half changed.
 *              Who would wait for it, or does, gets DEADLOCK; the message says who ended.
 *   fork       in the child, the thread that forked holds what it held. A mutex that another thread
 *              held at that moment, or was just locking or unlocking, is like one whose holder ended;
 *              so is an rwlock that one wrote under. Where others read, a writer waits to its deadline.
 *   Priority   is not inherited. A holder without CPU keeps the others asleep; they look for some
 *              four microseconds before they sleep, less where that was mostly in vain.
 *   Signals    change no deadline, and interrupt no wait but that of lido_cond_wait. No call is a
 *              cancellation point.
 *   Many       a thread is known by the eight locks it took first. While it holds more, a second
 *              read lock waits like anybody's, and an unlock of what others read is not refused.
 *
 * A call that takes a lock remembers the line it stands on. `mutex`, `rwlock` and `cond` live in
 * your structures; their memory may be freed once they are destroyed, or simply when the program
 * ends. They may not be copied or moved.
 *
 * Not here: locks between processes; waiting for objects (lido/object_pool.h).
 */
#ifndef LIDO_LOCK_H
#define LIDO_LOCK_H

#include <lido/base.h>

LIDO_BEGIN

/* ---- Mutex ----------------------------------------------------------------------------- */

/* To stand in a structure or alone; what is in it is lido's. All zero is an unlocked mutex of
 * class "unnamed". */
typedef struct lido_mutex {
    const char *lido_name;
    uint64_t    lido_state[12] __attribute__((aligned(8)));
} lido_mutex;

/* An unlocked mutex of a class; the name stays yours and must live as long as the program.
 *     static lido_mutex lock = LIDO_MUTEX_INIT("orders");
 *     static lido_mutex lock = LIDO_MUTEX_INIT(LIDO_HERE);     a class of its own, by its line */
#define LIDO_MUTEX_INIT(name) {name, {0}}

/* Zero in a field is its default. */
typedef struct lido_mutex_options {
    uint64_t    struct_size; /* set by LIDO_MUTEX_OPTIONS; in C++: = sizeof options */
    const char *name;        /* copied, shorter than LIDO_NAME_BYTES; default "unnamed" */
    const char *owner;       /* the part of the program it belongs to; default "application" */
} lido_mutex_options;

#define LIDO_MUTEX_OPTIONS(...)                                                                    \
    (&(const lido_mutex_options){.struct_size = sizeof(lido_mutex_options), __VA_ARGS__})

/* Makes a mutex that the registry lists. Yours until lido_mutex_destroy.
 *
 * Errors   ARGUMENT, UNSUPPORTED, NO_MEMORY, SYSTEM; *mutex becomes NULL and nothing is kept */
#define lido_mutex_create(options, mutex) lido_mutex_create_at(options, mutex, LIDO_HERE)
LIDO_API LIDO_NODISCARD lido_status lido_mutex_create_at(const lido_mutex_options *options,
                                                         lido_mutex **mutex, const char *site);

/* Ends a mutex, made by either way, and gives its memory back. NULL does nothing.
 *
 * Errors   BUSY  a living thread holds it; the message names the line. It lives on, unchanged.
 * Threads  no other call on it may be running. */
LIDO_API lido_status lido_mutex_destroy(lido_mutex *mutex);

/* Locks, waiting for ever if need be; for at most timeout_ns; up to a point in time as
 * lido_now_ns() counts; or not at all.
 *
 * Errors   TIMEOUT   it was held for all that time; the message names the holder's line
 *          BUSY      try: it is held
 *          DEADLOCK  this thread holds it already, or waiting would close a circle, or its holder
 *                    has ended
 *          After an error the thread does not hold it. */
#define lido_mutex_lock(mutex)                  lido_mutex_lock_at(mutex, LIDO_HERE)
#define lido_mutex_lock_for(mutex, timeout_ns)  lido_mutex_lock_for_at(mutex, timeout_ns, LIDO_HERE)
#define lido_mutex_lock_until(mutex, deadline_ns)                                                  \
    lido_mutex_lock_until_at(mutex, deadline_ns, LIDO_HERE)
#define lido_mutex_try_lock(mutex)              lido_mutex_try_lock_at(mutex, LIDO_HERE)
LIDO_API LIDO_NODISCARD lido_status lido_mutex_lock_at(lido_mutex *mutex, const char *site);
LIDO_API LIDO_NODISCARD lido_status lido_mutex_lock_for_at(lido_mutex *mutex, uint64_t timeout_ns,
                                                           const char *site);
LIDO_API LIDO_NODISCARD lido_status lido_mutex_lock_until_at(lido_mutex *mutex,
                                                             uint64_t    deadline_ns,
                                                             const char *site);
LIDO_API LIDO_NODISCARD lido_status lido_mutex_try_lock_at(lido_mutex *mutex, const char *site);

/* Errors   NOT_HELD  this thread does not hold it; nothing changed */
LIDO_API lido_status lido_mutex_unlock(lido_mutex *mutex);

/* ---- Read-write lock ------------------------------------------------------------------- */

/* Many readers or one writer. While a writer sleeps, no new reader enters, so that writers get
 * their turn; therefore a thread must not read-lock it twice, and that is refused. */
typedef struct lido_rwlock {
    const char *lido_name;
    uint64_t    lido_state[16] __attribute__((aligned(8)));
} lido_rwlock;

#define LIDO_RWLOCK_INIT(name) {name, {0}}

/* Ends it. NULL does nothing. Errors and threads as for lido_mutex_destroy. */
LIDO_API lido_status lido_rwlock_destroy(lido_rwlock *lock);

/* Locks for reading or for writing, for at most timeout_ns (0: a try; LIDO_FOREVER).
 *
 * Errors   TIMEOUT, DEADLOCK as for a mutex; BUSY for a timeout of 0 */
#define lido_rwlock_read(lock, timeout_ns)  lido_rwlock_read_at(lock, timeout_ns, LIDO_HERE)
#define lido_rwlock_write(lock, timeout_ns) lido_rwlock_write_at(lock, timeout_ns, LIDO_HERE)
LIDO_API LIDO_NODISCARD lido_status lido_rwlock_read_at(lido_rwlock *lock, uint64_t timeout_ns,
                                                        const char *site);
LIDO_API LIDO_NODISCARD lido_status lido_rwlock_write_at(lido_rwlock *lock, uint64_t timeout_ns,
                                                         const char *site);

/* Unlocks what this thread holds of it.
 *
 * Errors   NOT_HELD  nothing; nothing changed */
LIDO_API lido_status lido_rwlock_unlock(lido_rwlock *lock);

/* ---- Condition ------------------------------------------------------------------------- */

/* For waiting until something that a mutex guards has changed. A wait may end for no reason: look
 * again. Always use one condition with one mutex. */
typedef struct lido_cond {
    uint64_t lido_state[2];
} lido_cond;

#define LIDO_COND_INIT {{0}}

/* Unlocks the mutex, sleeps until a signal or the deadline, locks again.
 *
 * Errors   TIMEOUT   the deadline has passed
 *          NOT_HELD  this thread does not hold the mutex; nothing happened
 *          DEADLOCK  as for lido_mutex_lock: the thread does not hold it any more
 * Waits    for the signal at most timeout_ns, then for the mutex as long as that takes: after OK
 *          and TIMEOUT the thread holds it. */
#define lido_cond_wait(cond, mutex, timeout_ns) lido_cond_wait_at(cond, mutex, timeout_ns, LIDO_HERE)
LIDO_API LIDO_NODISCARD lido_status lido_cond_wait_at(lido_cond *cond, lido_mutex *mutex,
                                                      uint64_t timeout_ns, const char *site);

/* Wakes one waiting thread, or all. Best called with the mutex held: then the wake-up is counted
 * on by everybody who looked before. */
LIDO_API void lido_cond_signal(lido_cond *cond);
LIDO_API void lido_cond_broadcast(lido_cond *cond);

/* ---- Figures of one lock --------------------------------------------------------------- */

/* Counts since it was made. An acquisition that did not get the lock at its first look is
 * contended; one that slept has waited. At rest exact. */
typedef struct lido_lock_stats {
    uint64_t    struct_size;     /* set it to sizeof before the call */
    uint64_t    acquired;        /* times it was locked */
    uint64_t    contended;       /* of these, not at the first look */
    uint64_t    waits;           /* of these, asleep */
    uint64_t    wait_total_ns;   /* and for how long in all */
    uint64_t    wait_max_ns;     /* the longest */
    uint64_t    wait_p99_ns;     /* 99 of 100 were not longer; of the last 1,000 */
    uint64_t    given_up;        /* TIMEOUT, BUSY, DEADLOCK */
    uint64_t    blamed_ns;       /* waiting while it was held, times the threads that waited */
    uint64_t    hold_samples;    /* acquisitions whose holding was timed */
    uint64_t    hold_total_ns;   /* and for how long */
    uint64_t    hold_max_ns;     /* the longest of them */
    uint64_t    waiting;         /* threads asleep for it now */
    uint64_t    holder_id;       /* the thread that holds it alone now; 0: none */
    const char *holder_site;     /* and where it locked; NULL: nobody, or not told */
    double      first_look;      /* share of acquired that was not contended; 1 before the first */
    double      events_per_1000; /* contended, of 1,000 acquired */
} lido_lock_stats;

/* Errors   ARGUMENT  struct_size is not set */
LIDO_API lido_status lido_mutex_read_stats(const lido_mutex *mutex, lido_lock_stats *stats);
LIDO_API lido_status lido_rwlock_read_stats(const lido_rwlock *lock, lido_lock_stats *stats);

/* Copies out the latest waits, newest first, at most count and 1,000.
 *
 * Returns  how many. */
LIDO_API uint64_t lido_mutex_read_waits(const lido_mutex *mutex, uint64_t count, uint64_t wait_ns[]);

/* ---- Profile: all locks, between two moments ------------------------------------------- */

typedef struct lido_profile lido_profile;

typedef struct lido_profile_class {
    uint64_t struct_size; /* set by LIDO_PROFILE_CLASS */
    uint64_t acquired;    /* may lack up to 255 for each lock that is alive and was never waited for */
    uint64_t contended;   /* as above */
    uint64_t waits;
    uint64_t wait_total_ns;
    uint64_t wait_max_ns; /* these two to within an eighth: classes keep a histogram */
    uint64_t wait_p99_ns;
    uint64_t blamed_ns;
    uint64_t hold_samples;
    uint64_t hold_total_ns;
    char     name[64]; /* "other": the classes beyond 255 */
} lido_profile_class;

/* Who waited where for whom. A row without waits_at is blame alone: for waits_ns, threads waited
 * while held_at held a lock of this class. "other" takes the rows beyond 1,024. */
typedef struct lido_profile_pair {
    uint64_t    struct_size; /* set by LIDO_PROFILE_PAIR */
    uint64_t    waits;
    uint64_t    wait_ns;
    const char *waits_at; /* NULL: blame */
    const char *held_at;
    char        name[64]; /* the class */
} lido_profile_pair;

#define LIDO_PROFILE_CLASS {sizeof(lido_profile_class), 0, 0, 0, 0, 0, 0, 0, 0, 0, {0}}
#define LIDO_PROFILE_PAIR  {sizeof(lido_profile_pair), 0, 0, 0, 0, {0}}

/* Begins to look, and ends it; figures are read after stop, worst first. Locks measure all the time,
 * whether anybody looks or not; sessions may overlap.
 *
 * Errors   NO_MEMORY  start: *profile becomes NULL
 *          CLOSED     stop: it was stopped before */
LIDO_API LIDO_NODISCARD lido_status lido_profile_start(lido_profile **profile);
LIDO_API lido_status                lido_profile_stop(lido_profile *profile);
LIDO_API void                       lido_profile_destroy(lido_profile *profile);

/* Copies out row number `index` of a stopped session.
 *
 * Returns  false: there is none, or struct_size is not set. */
LIDO_API bool lido_profile_read_class(const lido_profile *profile, uint64_t index,
                                      lido_profile_class *row);
LIDO_API bool lido_profile_read_pair(const lido_profile *profile, uint64_t index,
                                     lido_profile_pair *row);

/* The same class in two sessions, for row `index` of the later one; zero where it was not there.
 *
 * Returns  as above. */
LIDO_API bool lido_profile_diff(const lido_profile *before, const lido_profile *after,
                                uint64_t index, lido_profile_class *was, lido_profile_class *is);

/* ---- For reports of crashes ------------------------------------------------------------ */

/* The classes of the locks that this thread took last, newest first, at most 8. One that was taken
 * several times in a row stands there once.
 *
 * Returns  how many.
 * Threads  also in a signal handler. */
LIDO_API uint64_t lido_lock_recent(uint64_t count, const char *names[]);

LIDO_END

#endif
