/* SPDX-License-Identifier: Apache-2.0 */
/* Element-wise operators of two int8 tensors of which each may be repeated along any dimension. */
#ifndef MN_BROADCAST_H
#define MN_BROADCAST_H

#include "mn_types.h"

/*
 * `count` elements that lie one after the other in the output, and in each input, too (step 1), or
 * are one value there (step 0). An element is read before it may be written over.
 */
typedef void mn_binary_run(const void *params, const int8_t *input1, int32_t step1,
                           const int8_t *input2, int32_t step2, int8_t *output, int32_t count);

/* Whether the tensors are there, and each dimension of the inputs is 1 or the output's. */
int32_t mn_is_broadcast(const mn_dims *input1_dims, const void *input1, const mn_dims *input2_dims,
                        const void *input2, const mn_dims *output_dims, const void *output);

/* Runs as long as possible: the whole tensor, or its last dimension. */
void mn_run_broadcast(mn_binary_run *run, const void *params, const mn_dims *input1_dims,
                      const int8_t *input1, const mn_dims *input2_dims, const int8_t *input2,
                      const mn_dims *output_dims, int8_t *output);

#endif
