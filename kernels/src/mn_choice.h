/* SPDX-License-Identifier: Apache-2.0 */
/* The kernel that chooses one of two int8 values: `lanes` of four at once, or the first where it
 * `precedes` the second. */
#ifndef MN_CHOICE_H
#define MN_CHOICE_H

#include "mn_broadcast.h"
#include "mn_intrinsics.h"

#define MN_CHOICE(name, lanes, precedes)                                                           \
    static void mn_choose_run(const void *params, const int8_t *input1, int32_t step1,             \
                              const int8_t *input2, int32_t step2, int8_t *output, int32_t count)  \
    {                                                                                              \
        (void)params;                                                                              \
        if (step1 & step2)                                                                         \
        {                                                                                          \
            for (const int8_t *const end = output + (count & ~3); output != end; output += 4)      \
            {                                                                                      \
                mn_write_u32(output, lanes(mn_read_u32(input1), mn_read_u32(input2)));             \
                input1 += 4;                                                                       \
                input2 += 4;                                                                       \
            }                                                                                      \
            count &= 3;                                                                            \
        }                                                                                          \
        for (const int8_t *const end = output + count; output != end; ++output)                    \
        {                                                                                          \
            *output = (int8_t)(*input1 precedes *input2 ? *input1 : *input2);                      \
            input1 += step1;                                                                       \
            input2 += step2;                                                                       \
        }                                                                                          \
    }                                                                                              \
                                                                                                   \
    mn_status name(const mn_dims *input1_dims, const int8_t *input1, const mn_dims *input2_dims,   \
                   const int8_t *input2, const mn_dims *output_dims, int8_t *output)               \
    {                                                                                              \
        if (!mn_is_broadcast(input1_dims, input1, input2_dims, input2, output_dims, output))       \
        {                                                                                          \
            return MN_ARG_ERROR;                                                                   \
        }                                                                                          \
        mn_run_broadcast(mn_choose_run, NULL, input1_dims, input1, input2_dims, input2, output_dims,\
                         output);                                                                  \
        return MN_SUCCESS;                                                                         \
    }

#endif
