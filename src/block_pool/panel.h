/* SPDX-License-Identifier: MIT
 * What a block pool shows and lets be turned, for its entry in the registry. */
#ifndef LIDO_SRC_BLOCK_POOL_PANEL_H
#define LIDO_SRC_BLOCK_POOL_PANEL_H

#include <lido/panel.h>

extern const lido_panel lido__block_pool_panel;

#endif
