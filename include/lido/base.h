/* SPDX-License-Identifier: MIT
 * lido/base.h -- what every other header stands on: version, status, time, call sites, log.
 *
 * Three promises hold for every call of lido:
 *
 *   1. A call that can fail says so with a lido_status and leaves one line for its thread:
 *      lido_last_error() names the field or object, the value, and what to do.
 *      lido_status_advice() says the same to a program.
 *   2. Nothing waits without a limit that the caller gave, and no lock of lido is held while
 *      code of yours runs (callbacks, log).
 *   3. lido never prints, aborts, exits, installs a signal handler or starts a thread unasked.
 *
 * Defaults of all declarations, so that each says only what differs:
 *   Threads  any thread, at any time.       Waits  never for another thread's work.
 *   Errors   none.                          Signal handlers: no call of lido is safe in one.
 *   Cancel   no call of lido is a cancellation point.
 */
#ifndef LIDO_BASE_H
#define LIDO_BASE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#ifdef __cplusplus
#define LIDO_BEGIN extern "C" {
#define LIDO_END   }
#else
#define LIDO_BEGIN
#define LIDO_END
#endif

#if defined(__GNUC__)
#define LIDO_API       __attribute__((visibility("default")))
#define LIDO_NODISCARD __attribute__((warn_unused_result))
#else
#define LIDO_API
#define LIDO_NODISCARD
#endif

/* For calls that end with a locked instruction: behind one, a jump by way of the linker's table costs
 * much, so callers in other objects take the address from there themselves. */
#if defined(__has_attribute)
#if __has_attribute(noplt)
#define LIDO_DIRECT __attribute__((noplt))
#endif
#endif
#ifndef LIDO_DIRECT
#define LIDO_DIRECT
#endif

LIDO_BEGIN

/* ---- Version --------------------------------------------------------------------------- */

#define LIDO_VERSION_MAJOR 0
#define LIDO_VERSION_MINOR 1
#define LIDO_VERSION_PATCH 0

/* Returns  the version of the library in use, "0.1.0"; it may be newer than this header. */
LIDO_API const char *lido_version(void);

/* ---- Status ---------------------------------------------------------------------------- */

/* One code for each decision a caller can take. The numbers never change. */
typedef enum lido_status {
    LIDO_OK              = 0,
    LIDO_ERR_ARGUMENT    = -1, /* a parameter or option is missing or out of range */
    LIDO_ERR_UNSUPPORTED = -2, /* this library version does not know that field or flag */
    LIDO_ERR_NO_MEMORY   = -3, /* the system has no memory to give */
    LIDO_ERR_LIMIT       = -4, /* the limit that you set is reached */
    LIDO_ERR_EMPTY       = -5, /* try_: nothing free at this moment */
    LIDO_ERR_TIMEOUT     = -6, /* nothing became free in the time given */
    LIDO_ERR_BUSY        = -7, /* something is still out; the message names who holds it */
    LIDO_ERR_CLOSED      = -8, /* the resource takes no new users any more */
    LIDO_ERR_NOT_HELD    = -9, /* given back twice, stale, or never handed out by this resource */
    LIDO_ERR_CALLBACK    = -10, /* a callback of yours failed; the message carries its code */
    LIDO_ERR_SYSTEM      = -11, /* the system refused; the message names the call and errno */
    LIDO_ERR_DEADLOCK    = -12, /* waiting could never end; the message names who waits for whom */
} lido_status;

/* What to do about a status; a supervisor can act on it without reading text. */
typedef enum lido_advice {
    LIDO_ADVICE_NONE        = 0, /* nothing is wrong */
    LIDO_ADVICE_RETRY       = 1, /* the same call may succeed at once or a little later */
    LIDO_ADVICE_WAIT        = 2, /* others must give something back first */
    LIDO_ADVICE_RECONNECT   = 3, /* what you hold is dead: discard it and get another */
    LIDO_ADVICE_RECONFIGURE = 4, /* a limit or an option has to change */
    LIDO_ADVICE_BUG         = 5, /* the program is wrong */
} lido_advice;

/* Returns  "LIDO_ERR_TIMEOUT" and so on; "LIDO_ERR_?" for a number that is none. */
LIDO_API const char *lido_status_name(lido_status status);

/* Returns  what to do about a status. */
LIDO_API lido_advice lido_status_advice(lido_status status);

/* Returns  the status of the last call of lido that failed on this thread, LIDO_OK if none did. */
LIDO_API lido_status lido_last_status(void);

/* The failure that lido_last_status() names, as one line for people:
 *     block_pool "frames": block_align is 24, must be a power of two up to 4096
 *
 * Returns  never NULL; yours to read until this thread's next call of lido.
 * Cost     the text is made here, not when the call failed. */
LIDO_API const char *lido_last_error(void);

/* ---- Time ------------------------------------------------------------------------------ */

/* Time is nanoseconds in a uint64_t; points in time are those of CLOCK_MONOTONIC. */
#define LIDO_MICROSECONDS(n) (LIDO__NANOSECONDS(n) * UINT64_C(1000))
#define LIDO_MILLISECONDS(n) (LIDO__NANOSECONDS(n) * UINT64_C(1000000))
#define LIDO_SECONDS(n)      (LIDO__NANOSECONDS(n) * UINT64_C(1000000000))
#define LIDO_FOREVER         UINT64_MAX

#ifdef __cplusplus
#define LIDO__NANOSECONDS(n) static_cast<uint64_t>(n)
#else
#define LIDO__NANOSECONDS(n) ((uint64_t)(n))
#endif

/* Returns  now, for the _until form of a waiting call: lido_now_ns() + LIDO_SECONDS(2). */
LIDO_API uint64_t lido_now_ns(void);

/* ---- Call sites ------------------------------------------------------------------------ */

/* The line of code it stands on, "server.c:118", as text that lives as long as the code does.
 * Calls that remember who called are macros that add it; underneath is a function whose name ends
 * in _at, for bindings that have lines of their own ("app.py:12") or none (NULL). A site must stay
 * readable for as long as something acquired there is out: do not dlclose such code before. */
#define LIDO_HERE         __FILE__ ":" LIDO__TEXT(__LINE__)
#define LIDO__TEXT(line)  LIDO__TEXT_(line)
#define LIDO__TEXT_(line) #line

/* ---- Leases ---------------------------------------------------------------------------- */

/* What an acquire of a pool of objects gives and its release takes back. Copies are allowed:
 * the first release wins and any other is refused, also when the object is out again by then. */
typedef struct lido_lease {
    void    *object; /* yours until the release, which sets it to NULL */
    uint32_t slot;   /* lido's: which object ... */
    uint32_t turn;   /* ... and which of the times it was handed out */
} lido_lease;

/* ---- Log ------------------------------------------------------------------------------- */

typedef enum lido_log_level {
    LIDO_LOG_DEBUG   = 0, /* life of resources */
    LIDO_LOG_INFO    = 1, /* changes of size and settings */
    LIDO_LOG_WARNING = 2, /* refused releases, failed callbacks */
    LIDO_LOG_ERROR   = 3, /* something was lost */
} lido_log_level;

typedef struct lido_log_field {
    const char *key;
    const char *text;   /* the value, or NULL: then it is the number */
    int64_t     number;
} lido_log_field;

typedef struct lido_log_record {
    uint64_t              struct_size;
    uint64_t              time_ns; /* CLOCK_REALTIME, since 1970 */
    const char           *event;   /* "object_pool.callback_failed": stable, fit for a filter */
    const lido_log_field *fields;
    uint64_t              field_count;
    uint64_t              level; /* lido_log_level */
} lido_log_record;

/* Everything in the record is gone when it returns. It may call lido, but not lido_log_set. */
typedef void (*lido_log_callback)(const lido_log_record *record, void *context);

/* Sends what lido has to say from now on to a callback; NULL: to nobody, as at the start.
 * Records below the level are not made. A record under way may reach the old callback after this
 * returned: keep its context alive for that.
 *
 * Cost     no fast path logs. */
LIDO_API void lido_log_set(lido_log_level minimum, lido_log_callback callback, void *context);

LIDO_END

#endif
