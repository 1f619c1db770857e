/* SPDX-License-Identifier: MIT
 * lido/lido.h -- all of the core. Each header also stands alone. */
#ifndef LIDO_H
#define LIDO_H

#include <lido/base.h>
#include <lido/block_figures.h>
#include <lido/block_pool.h>
#include <lido/budget.h>
#include <lido/dense_pool.h>
#include <lido/lock.h>
#include <lido/object_figures.h>
#include <lido/object_leases.h>
#include <lido/object_pool.h>
#include <lido/panel.h>
#include <lido/registry.h>
#include <lido/ring.h>

#endif
