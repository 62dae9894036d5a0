/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A group of layers executed in rows. Of a tensor inside the group only the rows that the layers
 * behind it still need are kept, in a line buffer; each row is computed once, by the kernel that
 * computes the whole layer elsewhere, as an image of a few rows.
 *
 * The group is a table in flash: a head, then one stage for each layer, in an order in which they
 * could run. After each run, of `step` rows of a layer, the layer behind it is tried, then those
 * before it, then all others, until one has its inputs and room for its output: which that is depends
 * on the table alone.
 *
 * Overlap. The output may lie over the input: predictor/operators/mn/stream.py computes how far.
 */
#ifndef MN_STREAM_H
#define MN_STREAM_H

#include "mn_types.h"

#ifdef __cplusplus
extern "C" {
#endif

/** Stages and rows of all stages together, at most. */
#define MN_STREAM_STAGES 24
#define MN_STREAM_ROWS 65536

/** Inputs of a group, at most: its own, filters and biases. */
#define MN_STREAM_INPUTS (1 + 2 * MN_STREAM_STAGES)

typedef enum
{
    MN_STREAM_CONV = 0,
    MN_STREAM_DEPTHWISE = 1,
    MN_STREAM_DEPTHWISE_PREPARED = 2,
    MN_STREAM_AVERAGE_POOL = 3,
    MN_STREAM_MAX_POOL = 4,
    MN_STREAM_ADD = 5,
    MN_STREAM_CLAMP = 6,
    MN_STREAM_PAD = 7,
    /** Average pooling over the whole image, the last stage of a group: it takes its input row by row,
        `rows` are those of its input, and its line buffer holds one row: the sums of channels. */
    MN_STREAM_GLOBAL_AVERAGE_POOL = 8,
} mn_stream_kind;

/** The head of the table. */
typedef struct
{
    int32_t version;
    int32_t stages;
    int32_t rows;      /**< of the group's input */
    int32_t row_bytes; /**< of each */
} mn_stream_head;

/** A stage. The options of its layer follow, as its operator has them (mn_options.h). */
typedef struct
{
    int32_t words; /**< of the stage with its options */
    int32_t kind;
    int32_t source[2]; /**< the stage whose output it reads; -1: the group's input; -2: none */
    int32_t filter;    /**< which input of the group; 0: none */
    int32_t bias;
    int32_t step;      /**< rows of its output computed at once */
    int32_t slots;     /**< rows that the line buffer of its output holds; all, of the last stage */
    int32_t rows;      /**< of its output */
    int32_t row_bytes;
    int32_t reach;     /**< rows from a window's first to its last one */
    int32_t stride;    /**< rows from a window to the next */
    int32_t padding;   /**< rows of the first window above the input */
    int32_t front;     /**< bytes that its output begins before the output that it reads, in the
                            same line buffer: rows that nobody reads any more make room for it.
                            0: it has a line buffer of its own. */
    int32_t start;     /**< rows that its first run computes, at most `step` */
} mn_stream_stage;

/** A group with its tensors. */
typedef struct
{
    const int32_t *table;
    int32_t words;
    int32_t input_count;
    const int32_t *input_bytes;
    int32_t output_bytes;
} mn_stream_group;

/**
 * Scratch bytes of a group: line buffers and the largest scratch buffer of its layers. Checks the
 * whole table against the sizes of the tensors: MN_ARG_ERROR where anything does not agree.
 */
int32_t mn_stream_s8_get_buffer_size(const mn_stream_group *group);
int32_t mn_stream_s8_w4_get_buffer_size(const mn_stream_group *group);
int32_t mn_stream_s4_get_buffer_size(const mn_stream_group *group);
int32_t mn_stream_s4_w8_get_buffer_size(const mn_stream_group *group);

/**
 * Runs a group whose buffer size was asked for before: the table is not checked anew.
 *
 * @param ctx    scratch, as many bytes as the group's get_buffer_size returned
 * @param inputs the group's input, filters and biases
 */
mn_status mn_stream_s8(const mn_context *ctx, const mn_stream_group *group,
                       const void *const *inputs, void *output);
mn_status mn_stream_s8_w4(const mn_context *ctx, const mn_stream_group *group,
                          const void *const *inputs, void *output);
mn_status mn_stream_s4(const mn_context *ctx, const mn_stream_group *group,
                       const void *const *inputs, void *output);
mn_status mn_stream_s4_w8(const mn_context *ctx, const mn_stream_group *group,
                          const void *const *inputs, void *output);

#ifdef __cplusplus
}
#endif

#endif
