/* SPDX-License-Identifier: Apache-2.0 */
/* Which outputs of a group may lie in the line buffers that their layers read. */
#ifndef MN_STREAM_GUEST_H
#define MN_STREAM_GUEST_H

#include "mn_stream_part.h"

/* One row of a window's steps. */
typedef struct
{
    int32_t width; /* of the output */
    int32_t channels;
    int32_t outputs; /* channels */
    int32_t stride;
    int32_t padding;
} mn_stream_line;

static inline mn_stream_line mn_line_of(const mn_stream_stage *stage)
{
    if (stage->kind <= MN_STREAM_DEPTHWISE_PREPARED)
    {
        const mn_depthwise_options *const options = mn_options_of(stage);
        const mn_dw_conv_params *const params = &options->params;
        return (mn_stream_line){options->layer.output.w, options->layer.input.c,
                                options->layer.output.c, params->stride.w, params->padding.w};
    }
    const mn_pool_options *const options = mn_options_of(stage);
    return (mn_stream_line){options->output.w, options->input.c, options->output.c,
                            options->params.stride.w, options->params.padding.w};
}

/* What is written when position `x` of a row is done, less where its window begins. */
static inline int64_t mn_ahead_at(const mn_stream_line *line, int64_t x)
{
    const int64_t first = x * line->stride - line->padding;
    return (x + 1) * line->outputs - (first < 0 ? 0 : first * line->channels);
}

/* Whether a convolution reads pixel by pixel what it writes pixel by pixel. */
static inline int mn_is_pixelwise(const mn_conv_options *options)
{
    const mn_conv_params *const params = &options->params;
    const mn_layer_options *const layer = &options->layer;
    const mn_dims *const filter = &layer->filter;
    return filter->h == 1 && filter->w == 1 && filter->c == layer->input.c &&
           layer->output.h == layer->input.h && layer->output.w == layer->input.w &&
           params->stride.h == 1 && params->stride.w == 1 &&
           (params->padding.h | params->padding.w) == 0;
}

/*
 * Whether the output of a stage may lie in the line buffer that it reads: it reads int8, position by
 * position, what nobody else reads, and what it writes ends before the rows that are still needed. A
 * 1x1 convolution holds the inputs of some positions in its scratch buffer before it writes any
 * output: mn_has_room sees that its first row does not begin behind the one that it reads.
 */
static inline int mn_is_guest(const mn_stream_kernels *kernels, const mn_stream_call *call,
                              int32_t index)
{
    const mn_stream_stage *const stage = call->states[index].stage;
    const mn_stream_stage *const host = call->states[stage->source[0]].stage;
    if (kernels->input_bits != 8 || stage->kind > MN_STREAM_MAX_POOL ||
        index + 1 == call->head->stages || stage->front % 4 != 0)
    {
        return 0;
    }
    for (int32_t i = 0; i < call->head->stages; ++i)
    {
        const int32_t *const source = call->states[i].stage->source;
        if (i != index && (source[0] == stage->source[0] || source[1] == stage->source[0]))
        {
            return 0;
        }
    }
    if (stage->kind == MN_STREAM_CONV)
    {
        return mn_is_pixelwise(mn_options_of(stage)) && stage->row_bytes <= host->row_bytes;
    }
    if (stage->slots != stage->step ||
        stage->row_bytes > (int64_t)stage->stride * host->row_bytes)
    {
        return 0;
    }
    /* Between the first window inside and the last one it rises or falls evenly. */
    const mn_stream_line line = mn_line_of(stage);
    const int32_t last = line.width - 1;
    const int32_t inside = line.padding / line.stride;
    const int32_t places[3] = {inside < last ? inside : last, inside < last ? inside + 1 : last,
                               last};
    for (int32_t i = 0; i < 3; ++i)
    {
        if (mn_ahead_at(&line, places[i]) > stage->front)
        {
            return 0;
        }
    }
    return 1;
}

#endif
