/* SPDX-License-Identifier: MIT
 * `lido validate`: which rows there are, what is asked of each, and the command itself.
 * docs/validate.md says how to read the report. */
#include "command.h"
#include "validate.h"

#include "common/wrap.h"
#include "common/writable.h"
#include "swarm/measure.h"

#include <errno.h>
#include <getopt.h>
#include <stdlib.h>
#include <string.h>
#include <sys/utsname.h>
#include <time.h>
#include <unistd.h>

static const char checks_id[] = "A9-checks";

const struct entry validate_entries[] = {
    {"basics", "A9", "1,000 blocks of 200 bytes: distinct, aligned to 32, intact, all taken back",
     "1,000 intact, 1,000 taken back, 0 still out", "uses one block in the place of another", false,
     validate_basics},
    {"efficiency", "A4 A9", "4,000 blocks of 800 bytes, reserved, 50 times out and back",
     "utilisation, byte efficiency, re-use: each 0.90 or more at the peak",
     "uses half of the blocks", false, validate_efficiency},
    {"fragmentation", "A3 A9",
     "fragmentation of 100,000 blocks, 10,000 of them out, after coalescing",
     "below 0.10, and below 20 % of the peak's bytes", "leaves the coalescing out", false,
     validate_fragmentation},
    {"trigger", "A3 A9", "the same pool coalesces by itself while it is used",
     "at most 0.20 within 2 s without a call of trim",
     "tells the pool to keep empty slabs for ever", true, validate_trigger},
    {"intensive", "A4 A9", "4 threads, 400,000 random calls, blocks change hands",
     "0 out, 0 damaged, 0 refused at the end; re-use 0.90 or more",
     "forgets to release one block in a thousand", false, validate_intensive},
    {"A1-growth", "A1 A7", "swarm on a reserved pool, 10,000 iterations: growth after number 100",
     "0 bytes, 0 page faults", "keeps 4 KiB every 64 iterations", false, validate_growth},
    {"A1-fixed", "A1", "a reserved pool of 1,000 blocks hands out no more and gives nothing back",
     "1,000, then LIMIT; 0 made later, 0 bytes", "makes the pool with a limit of 1,001", false,
     validate_fixed},
    {"A1-gives-back", "A1", "a growing pool gives back after a peak of 61 MiB, by trim",
     "95 % of the resident memory", "keeps one block in ten", false, validate_gives_back},
    {"A1-by-itself", "A1", "the same peak, released, then a second of light use: no call of trim",
     "95 % of the resident memory", "keeps one block in ten", true, validate_by_itself},
    {"A2-constant", "A2", "cost of a pair with 100,000 blocks out / with 100", "at most 2",
     "does ten times the pairs with 100,000", true, validate_constant},
    {"A2-bulk", "A2", "cost of a block by bulk calls of 32 / by single calls", "at most 1",
     "takes the bulk calls one block at a time", true, validate_bulk},
    {"A2-peers", "A2", "cost of a pair / that of the best unchecked peer", "0.8 (specification, I)",
     NULL, true, NULL},
    {"A3-survivors", "A1 A3", "5 % of a peak of 61 MiB survive, turn over 3 times, then trim",
     "80 % of the resident memory", "leaves turning over and trim out", false, validate_survivors},
    {"A3-pause", "A3", "longest call while another thread coalesces 90,000 of 100,000 blocks",
     "at most 1 ms in the best of 10 rounds", "sleeps 2 ms in each call beside the trim", true,
     validate_pause},
    {"A3-thousand", "A3", "coalescing 1,000 blocks of 800 bytes",
     "below 1 ms in the best of 10 rounds", "sleeps 2 ms in each round", true, validate_thousand},
    {"A4-exact", "A4", "figures against plain counters at 100 quiet points of 50,000 random calls",
     "100 of 100 equal", "counts one release too many", false, validate_exact},
    {"A5-twice", "A5", "a block released 20 times too often",
     "20 of 20 refused by name, pool unharmed", "leaves the second releases out", false,
     validate_twice},
    {"A5-foreign", "A5", "seven pointers that are no block of the pool",
     "7 of 7 refused by name, pool unharmed", "passes a block of the pool among them", false,
     validate_foreign},
    {"A5-index", "A5", "block to index, index to block, release by index, four wrong indices",
     "11 of 11 right, 4 of 4 refused by name", "passes an index in use among the wrong ones", false,
     validate_index},
    {"A6-large", "A6", "book-keeping of reserved pools of 4 MiB, rounding included",
     "at most 1 % of the block bytes", "aligns blocks to 512", false, validate_overhead_large},
    {"A6-small", "A6", "book-keeping of 50 blocks of 1,000 bytes, rounding included",
     "at most 4,096 bytes", "aligns blocks to 4,096", false, validate_overhead_small},
    {"A6-stated", "A6", "resident memory of 100 pools / what their figures state", "0.95 to 1.05",
     "leaves every fifth pool out of the sum", false, validate_stated},
    {"A7-equal", "A7", "swarm: all other variants against in place; 5 functions, both shapes",
     "40 of 40 runs equal to the last bit", "gives the pool another seed", false, validate_equal},
    {"A7-matrix", "A7", "swarm: temporaries of 781 KiB, malloc's CPU time / the pool's",
     "2 or more", "makes them 7 KiB small", true, validate_matrix},
    {"A7-particles", "A7", "swarm: buffers of 240 bytes, the pool's CPU time / malloc's",
     "at most 1.10, and no gain claimed", "gives the pool twice the iterations", true,
     validate_particles},
    {"A8-shared", "A8", "memory that one pool emptied serves another",
     "at most 1.1 of the first pool's peak", "keeps the first pool's blocks", false,
     validate_shared},
    {"A8-merge", "A8", "cost of merging neighbouring extents", "O(log n)", NULL, false, NULL},
    {checks_id, "A9", "the five named checks ran, and stand in the report", "5 of 5",
     "leaves the check efficiency out", false, NULL},
    {"A10-simulation", "A10", "examples/simulation: 50 buffers of 1,000 doubles, 10,000 steps",
     "the same result with and without the pool, 10 of 10 health checks good",
     "stops the one without the pool at step 9,000", false, validate_simulation},
    {"C4-world", "C4 C13", "arena, 700 ticks: five stores play one game",
     "5 of 5 equal in every tick; 5 of 5 add up", "gives the dense pools another seed", false,
     validate_arena_world},
    {"C4-reuse", "C4", "arena on dense pools: creations avoided, re-use, memory, faults once warm",
     "0.70, 0.90 or more, below 500 MB, 0", "ends after 12 ticks", false, validate_arena_reuse},
    {"C4-ticks", "C4", "arena: median tick / dense array's, slowest of 1,000 / malloc's",
     "at most 1.15 and 1.00", "plays on malloc in the place of dense pools", true,
     validate_arena_ticks},
    {"C4-handles", "C4", "50 stale handles and a foreign one; 50 objects found after moving",
     "51 refused by name, 50 found", "leaves the first releases out", false,
     validate_dense_handles},
    {"B1-blame", "B1", "three threads wait six times for what one line holds 20 ms",
     "0.95 to 1.05 of their waiting charged to that line",
     "holds it from another line every second time", true, validate_blame},
    {"B1-kept", "B1", "a lock that 1,200 waits were for", "the latest 1,000 or more, newest first",
     "waits 900 times", false, validate_waits_kept},
    {"B1-sessions", "B1", "two sessions of a class, 1,000 and 3,000 acquisitions, and their diff",
     "1,000 and 3,000", "makes the second one like the first", false, validate_sessions},
    {"B1-inspect", "B1", "inspect, 8 threads, 600 files of Python's library: its worst lock class",
     "at most 23 contention events per 1,000, 98.7 % at the first try",
     "holds one lock around each file", true, validate_inspect_locks},
    {"B1-peers", "B1", "cost of lock and unlock / that of a pthread mutex",
     "1.0 (specification, I)", NULL, true, NULL},
    {"B4-bounded", "B4", "a ring of 1,024: what it takes, gives and refuses",
     "1,024, in order, then LIMIT; no capacity but powers of two", "takes one item out before",
     false, validate_ring_bounded},
    {"B4-exact", "B4", "4 producers, 4 consumers, 200,000 items through a ring of 256",
     "each exactly once, those of a producer in its order", "does not count one item in 1,000",
     false, validate_ring_exact},
    {"B4-peers", "B4", "cost of a pair on a ring / that of the best peer", "1.0 (specification, I)",
     NULL, true, NULL},
    {"B7-private", "B7", "object pool: CPU time of a pair beside another thread's / alone",
     "at most 1.5 in the best of 5 rounds", "takes one mutex for each pair", true,
     validate_private},
    {"B7-affinity", "B7", "threads of inspect when its process may use one processor", "1",
     "leaves it all processors", false, validate_affinity},
    {"B7-scaling", "B7", "inspect: wall time with 1 thread / with 8", "7.1 or more",
     "runs both with 1 thread", true, validate_scaling},
    {"B2-sizing", "B2", "8 threads on a pool that sizes itself from 2 to 32 objects",
     "0 errors, re-use 0.893 or more, the size grown but within its bounds",
     "discards one object in four", false, validate_sizing},
    {"B5-budget", "B5", "8 pools peak in turn under one budget of 256 KiB",
     "0.952 of the bytes in use at each peak, the limit never passed", "leaves idle objects alone",
     false, validate_budget},
    {"C1-window", "C1", "a pool grows with a peak of 24, and shrinks when it has left the window",
     "up to 32, down by a quarter of the surplus each second, a reason for each change",
     "never calls tend", true, validate_window},
    {"B3-parallel", "B3", "8 objects, each some milliseconds of work, built by 2 threads",
     "0.57 or less of the time of one thread, and no object more than wanted", "builds with one",
     true, validate_parallel},
    {"C2-leaks", "C2",
     "one object of 1,001 is lost by a thread that ends, and 40,000 leases are not",
     "one suspect, with its line, object and reason", "acquires it without telling the line", false,
     validate_leaks},
    {"C3-return", "C3",
     "all is returned while it is held, and again and again while 4 threads use it",
     "no object with two users, none handed out again, destroy refused until the last is back",
     "forgets to return what is held", false, validate_return},
    {"C14-million", "C14", "1,000 pools of 1,000 objects, all out at once",
     "1,000,000 objects and no more; up to 1,024 bytes a pool and 72 an object",
     "prepares one object less in each pool", false, validate_million},
    {.id = NULL},
};

static const char usage[] =
    "usage: lido validate [--json FILE] [--markdown FILE] [--only ID]...\n"
    "                     [--break ID]... [--list]\n"
    "Checks every requirement that one machine can check; exit status 0 only if no\n"
    "row fails. docs/validate.md says more.\n"
    "\n"
    "  --json FILE      the report as JSON\n"
    "  --markdown FILE  the report as a table\n"
    "  --only ID        this row alone; may be repeated\n"
    "  --break ID       spoils the work of this row on purpose: it must fail;\n"
    "                   may be repeated\n"
    "  --list           the rows, and how each is spoilt\n";

enum { entry_count = sizeof validate_entries / sizeof validate_entries[0] - 1, named_checks = 5 };

struct command {
    bool only[entry_count], breaks[entry_count], any, list, help;
    const char *json, *markdown;
};

/* ---- Options --------------------------------------------------------------------------------- */

static bool choose(const char *option, const char *id, bool chosen[entry_count], bool spoil) {
    for (size_t i = 0; i < entry_count; i++)
        if (strcmp(id, validate_entries[i].id) == 0 &&
            (!spoil || validate_entries[i].spoil != NULL))
            return chosen[i] = true;
    fprintf(stderr, "lido validate: --%s is %s, which is no row%s; --list names them\n", option, id,
            spoil ? " that can be spoilt" : "");
    return false;
}

static bool read_options(struct command *c, int argc, char **argv) {
    static const struct option options[] = {{"json", required_argument, NULL, 'j'},
                                            {"markdown", required_argument, NULL, 'm'},
                                            {"only", required_argument, NULL, 'o'},
                                            {"break", required_argument, NULL, 'b'},
                                            {"list", no_argument, NULL, 'l'},
                                            {"help", no_argument, NULL, 'h'},
                                            {NULL, 0, NULL, 0}};
    int option;
    bool good = true;
    optind = 0; /* getopt starts afresh: the command has used it before */
    while (good && (option = getopt_long(argc, argv, "h", options, NULL)) != -1)
        switch (option) {
        case 'j':
            good = writable_or_refuse("lido validate", "json", c->json = optarg);
            break;
        case 'm':
            good = writable_or_refuse("lido validate", "markdown", c->markdown = optarg);
            break;
        case 'o':
            good = c->any = choose("only", optarg, c->only, false);
            break;
        case 'b':
            good = choose("break", optarg, c->breaks, true);
            break;
        case 'l':
            c->list = true;
            break;
        case 'h':
            c->help = true;
            break;
        default:
            fputs(usage, stderr);
            good = false;
        }
    if (good && optind < argc) {
        fprintf(stderr, "lido validate: '%s' is no option; --help lists them\n", argv[optind]);
        good = false;
    }
    return good;
}

static int list(void) {
    for (const struct entry *e = validate_entries; e->id != NULL; e++) {
        printf("%-14s %-6s ", e->id, e->requirement);
        wrap_print(stdout, 22, 14, e->what);
        printf("    --break: %s\n", e->spoil != NULL ? e->spoil : "nothing, it is not measured");
    }
    return 0;
}

/* ---- Rows that the command makes up ----------------------------------------------------------- */

static const char *bench_of(const struct entry *entry) {
    return strcmp(entry->requirement, "B1") == 0   ? "lock"
           : strcmp(entry->requirement, "B4") == 0 ? "ring"
                                                   : "block_pool";
}

static void make_up(const struct entry *entry, struct row *row, const struct report *report) {
    if (entry->id != checks_id) {
        if (entry->timed)
            row_not_measured(row, "needs the peers beside it: `lido bench %s`", bench_of(entry));
        else
            row_not_measured(row, "cannot be seen from outside the library");
        return;
    }
    int asked = 0, ran = 0;
    for (size_t i = 0; i < report->count && report->entries[i] != entry; i++) {
        bool is_check = report->entries[i] < validate_entries + named_checks;
        asked += is_check;
        ran += is_check && report->rows[i].verdict != VERDICT_NOT_MEASURED;
    }
    if (asked < named_checks)
        row_not_measured(row, "needs the five checks, and not all were asked for");
    else
        row_result(row, ran == named_checks, "%d of %d", ran, named_checks);
}

/* Spoiling A9 leaves a check out, which then says so. */
static void run_row(const struct command *c, struct report *report, size_t i) {
    const struct entry *entry = report->entries[i];
    struct row *row = &report->rows[i];
    row->broken = c->breaks[entry - validate_entries];
    bool left_out = false;
    for (size_t e = 0; e < entry_count; e++)
        left_out = left_out || (validate_entries[e].id == checks_id && c->breaks[e]);
    if (entry->run == validate_efficiency && left_out)
        row_not_measured(row, "left out on purpose");
    else if (entry->run == NULL)
        make_up(entry, row, report);
    else
        validate_run(entry, row);
    report_print_row(entry, row, stdout);
}

/* ---- The command ------------------------------------------------------------------------------ */

static void look_at_machine(struct report *report) {
    struct utsname system;
    time_t now = time(NULL);
    struct tm utc;
    strftime(report->started, sizeof report->started, "%Y-%m-%dT%H:%M:%SZ", gmtime_r(&now, &utc));
    report->machine.cores = sysconf(_SC_NPROCESSORS_ONLN);
    report->machine.page_bytes = sysconf(_SC_PAGESIZE);
    report->machine.sanitizer = measure_sanitizer();
    if (uname(&system) == 0)
        snprintf(report->machine.system, sizeof report->machine.system, "%s %s %s", system.sysname,
                 system.release, system.machine);
}

static bool write_files(const struct command *c, const struct report *report) {
    bool written = true;
    if (c->json != NULL && !report_write_json(report, c->json)) {
        fprintf(stderr,
                "lido validate: %s cannot be written: %s; make room, or name another file\n",
                c->json, strerror(errno));
        written = false;
    }
    if (c->markdown != NULL && !report_write_markdown(report, c->markdown)) {
        fprintf(stderr,
                "lido validate: %s cannot be written: %s; make room, or name another file\n",
                c->markdown, strerror(errno));
        written = false;
    }
    return written;
}

int cmd_validate(int argc, char *argv[]) {
    static const struct entry *entries[entry_count];
    static struct row rows[entry_count];
    struct command c = {.json = NULL};
    struct report report = {.entries = entries, .rows = rows};
    if (!read_options(&c, argc, argv))
        return 2;
    if (c.help)
        return fputs(usage, stdout) < 0;
    if (c.list)
        return list();
    for (size_t i = 0; i < entry_count; i++)
        if (c.only[i] || !c.any)
            entries[report.count++] = &validate_entries[i];
    look_at_machine(&report);
    uint64_t start_ns = lido_now_ns();
    for (size_t i = 0; i < report.count; i++)
        run_row(&c, &report, i);
    report.wall_s = (double)(lido_now_ns() - start_ns) * 1e-9;
    report_print_summary(&report, stdout);
    return write_files(&c, &report) && report_count(&report, VERDICT_FAIL) == 0 ? 0 : 1;
}
