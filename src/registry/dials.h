/* SPDX-License-Identifier: MIT
 * Panels of lido's own resources: a capability lists its figures once, and from the list come the
 * rows of its table, their places, and the reading of their values:
 *
 *      #define FIGURES(F) F(live, GAUGE, COUNT, "Blocks out now.") F(...) ...
 *      #define SHARES(S)  S(reuse, "Share of acquires ...") ...
 *      #define KNOBS(K)   K(block_limit, COUNT, 0, UINT64_MAX, 0, "Blocks that ...") ...
 *
 *      static const lido_dial dials[] = {FIGURES(LIDO__FIGURE) SHARES(LIDO__SHARE) KNOBS(LIDO__KNOB)};
 *      enum place { FIGURES(LIDO__AT) SHARES(LIDO__AT) KNOBS(LIDO__AT) PLACES };
 *      ...     FIGURES(LIDO__VALUE) SHARES(LIDO__SHARE_VALUE)      from `s`, the statistics
 *
 * The name of a dial is that of its field there. */
#ifndef LIDO_SRC_REGISTRY_DIALS_H
#define LIDO_SRC_REGISTRY_DIALS_H

#include "registry/registry.h"

#define LIDO__DIAL(name, kind, unit, low, high, initial, about)                                    \
    {#name, about, LIDO_DIAL_##kind, LIDO_UNIT_##unit, low, high, initial},
#define LIDO__FIGURE(name, kind, unit, about) LIDO__DIAL(name, kind, unit, 0, 0, 0, about)
#define LIDO__SHARE(name, about)              LIDO__DIAL(name, GAUGE, SHARE, 0, 0, 0, about)
#define LIDO__KNOB(name, unit, low, high, initial, about)                                          \
    LIDO__DIAL(name, KNOB, unit, low, high, initial, about)

#define LIDO__AT(name, ...)          AT_##name,
#define LIDO__VALUE(name, ...)       values[AT_##name] = s.name;
#define LIDO__SHARE_VALUE(name, ...) values[AT_##name] = (uint64_t)(s.name * 1e6 + 0.5);

/* `dials` and PLACES as above; applier: NULL where there is no knob. */
#define LIDO__PANEL(of_kind, reader, applier)                                                      \
    {sizeof(lido_panel), of_kind, dials, PLACES, reader, applier};                                 \
    _Static_assert((size_t)PLACES == sizeof dials / sizeof dials[0] && PLACES <= LIDO_DIALS_MAX,   \
                   "the table")

#endif
