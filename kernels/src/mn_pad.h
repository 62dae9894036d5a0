/* SPDX-License-Identifier: Apache-2.0 */
/* Padding of a four-dimensional tensor of any type. */
#ifndef MN_PAD_H
#define MN_PAD_H

#include "mn_packing.h"
#include "mn_types.h"

int32_t mn_is_padding(const mn_dims *input_dims, const void *input, const mn_dims *before,
                      const mn_dims *after, const void *output);

/* Writes the output in order; `copy` and `fill` are those of its type. */
void mn_run_padding(mn_copy *copy, mn_fill *fill, int32_t value, const mn_dims *input_dims,
                    const void *input, const mn_dims *before, const mn_dims *after, void *output);

#endif
