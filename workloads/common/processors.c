/* SPDX-License-Identifier: MIT
 * processors.c -- how many threads make sense: affinity, then the quota of the cgroup, v1 and v2. */
#include "processors.h"

#include <sched.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <unistd.h>

/* Reads the first line of a file of a cgroup; false: there is none. */
static bool read_line(const char *folder, const char *group, const char *file, char *line,
                      int size) {
    char path[4400];
    snprintf(path, sizeof path, "%s%s/%s", folder, group, file);
    FILE *stream = fopen(path, "re");
    if (stream == NULL)
        return false;
    bool good = fgets(line, size, stream) != NULL;
    fclose(stream);
    return good;
}

/* Processors that the quota of one cgroup allows; 0: no quota there. */
static double read_quota(const char *group, bool version_2) {
    char line[128], period_line[128];
    double quota, period;
    if (version_2)
        return read_line("/sys/fs/cgroup", group, "cpu.max", line, sizeof line) &&
                       sscanf(line, "%lf %lf", &quota, &period) == 2
                   ? quota / period
                   : 0;
    if (!read_line("/sys/fs/cgroup/cpu", group, "cpu.cfs_quota_us", line, sizeof line) ||
        !read_line("/sys/fs/cgroup/cpu", group, "cpu.cfs_period_us", period_line,
                   sizeof period_line))
        return 0;
    quota = strtod(line, NULL);
    period = strtod(period_line, NULL);
    return quota > 0 && period > 0 ? quota / period : 0;
}

/* The smallest quota of this process's cgroup and those above it; 0: none. In a container the path
 * may be that of the host, then only the root of what is mounted is there. */
static double find_quota(void) {
    char line[4200];
    double smallest = 0;
    FILE *groups = fopen("/proc/self/cgroup", "re");
    while (groups != NULL && fgets(line, sizeof line, groups) != NULL) {
        char *controllers = strchr(line, ':');
        char *path = controllers != NULL ? strchr(controllers + 1, ':') : NULL;
        if (path == NULL)
            continue;
        *path++ = '\0';
        path[strcspn(path, "\n")] = '\0';
        bool version_2 = controllers[1] == '\0';
        if (!version_2 && strstr(controllers, "cpu") == NULL)
            continue;
        for (;;) {
            double quota = read_quota(path, version_2);
            if (quota > 0 && (smallest == 0 || quota < smallest))
                smallest = quota;
            char *slash = strrchr(path, '/');
            if (slash == NULL)
                break;
            *slash = '\0';
        }
    }
    if (groups != NULL)
        fclose(groups);
    return smallest;
}

uint32_t count_processors(void) {
    cpu_set_t set;
    int count = sched_getaffinity(0, sizeof set, &set) == 0 ? CPU_COUNT(&set)
                                                            : (int)sysconf(_SC_NPROCESSORS_ONLN);
    double quota = find_quota();
    if (quota > 0 && quota < count)
        count = (int)quota < quota ? (int)quota + 1 : (int)quota;
    return count > 0 ? (uint32_t)count : 1;
}

struct processors_used processors_used(void) {
    struct rusage used;
    getrusage(RUSAGE_SELF, &used);
    return (struct processors_used){
        (double)(used.ru_utime.tv_sec + used.ru_stime.tv_sec) +
            (double)(used.ru_utime.tv_usec + used.ru_stime.tv_usec) / 1e6,
        (uint64_t)used.ru_maxrss * 1024,
    };
}
