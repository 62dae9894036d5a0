/* SPDX-License-Identifier: Apache-2.0 */
/* Some rows of a layer as an image of their own, and the kernels that compute them. */
#ifndef MN_STREAM_PART_H
#define MN_STREAM_PART_H

#include <stddef.h>

#include "mn_options.h"
#include "mn_stream.h"

typedef struct
{
    mn_context scratch;
    const void *options; /* of the whole layer */
    int32_t input_rows;
    int32_t output_rows;
    int32_t padding;      /* rows above the input */
    int32_t elements;     /* of the output */
    int32_t first;        /* which row of the output is the first */
    const void *input[2]; /* their first rows */
    const void *filter;
    const void *bias;
    void *output;
    int32_t *sums; /* of GLOBAL_AVERAGE_POOL */
} mn_stream_part;

typedef mn_status mn_run_part(const mn_stream_part *part);
typedef int32_t mn_part_buffer(const mn_stream_part *part);

/* The kernels of a pair of types, by kind. */
typedef struct
{
    int32_t input_bits;
    int32_t weight_bits;
    mn_run_part *run[MN_STREAM_GLOBAL_AVERAGE_POOL + 1];
    mn_part_buffer *buffer[MN_STREAM_DEPTHWISE_PREPARED + 1];
} mn_stream_kernels;

#define MN_STREAM_HEAD_WORDS ((int32_t)(sizeof(mn_stream_head) / 4))
#define MN_STREAM_STAGE_WORDS ((int32_t)(sizeof(mn_stream_stage) / 4))
#define MN_STREAM_INPUT (-1)
#define MN_STREAM_NONE (-2)

/* A stage and the rows of its output: those from `base` to `end` are in its line buffer. */
typedef struct
{
    const mn_stream_stage *stage;
    int32_t offset; /* of row `base` */
    int32_t base;   /* below 0: rows above the first one have their place, too */
    int32_t end;
    int32_t guest;  /* the stage whose output lies in this line buffer, or MN_STREAM_NONE */
} mn_stream_state;

typedef struct
{
    const mn_stream_kernels *kernels; /* null: nothing is computed, only counted */
    const mn_stream_head *head;
    const void *const *inputs;
    uint8_t *lines;
    uint8_t *output;
    mn_context scratch; /* of the layers */
    mn_stream_state states[MN_STREAM_STAGES];
} mn_stream_call;

/* Sets the states of a table whose stages lie inside it. The bytes of all line buffers, or
 * MN_ARG_ERROR. */
int32_t mn_stream_begin(mn_stream_call *call, const mn_stream_group *group);

/* Runs all rows. MN_ARG_ERROR where a stage waits for ever. */
mn_status mn_stream_rows(mn_stream_call *call);

/* Whether a stage has a line buffer: all but the last, whose output is the group's; that of
 * GLOBAL_AVERAGE_POOL holds sums. */
static inline int mn_has_line(const mn_stream_call *call, int32_t index)
{
    return index + 1 < call->head->stages ||
           call->states[index].stage->kind == MN_STREAM_GLOBAL_AVERAGE_POOL;
}

/* The options of a stage's layer. */
static inline const void *mn_options_of(const mn_stream_stage *stage)
{
    return stage + 1;
}

int32_t mn_stream_buffer_size(const mn_stream_kernels *kernels, const mn_stream_group *group);

mn_status mn_stream_run(const mn_stream_kernels *kernels, const mn_context *ctx,
                        const mn_stream_group *group, const void *const *inputs, void *output);

#endif
