/* SPDX-License-Identifier: Apache-2.0 */
#include "mn_arguments.h"
#include "mn_depthwise_scratch.h"
#include "mn_requantize.h"

/* A call in progress. */
typedef struct
{
    const mn_depthwise *layer;
    uint8_t *scratch;
    mn_depthwise_scratch parts;
    int32_t tap_count;
    int is_overlapping; /* multiplier 1, 4 channels or more: the last quad ends with the last one */
    int32_t offset;     /* the input offset, for the values in rows */
    int32_t slots;      /* input row y is row y % slots of rows */
    const int8_t *rows; /* int8 input rows of the current image */
    int32_t next_row;   /* int4 inputs: the image's first row not unpacked yet */
    int32_t inner_begin;
    int32_t inner_end;
    int32_t whole_taps;
    int32_t whole_channels;
    mn_quads quads;
} mn_depthwise_call;

/* The first channel of a quad. */
static int32_t mn_quad_channel(const mn_depthwise_call *call, int32_t quad)
{
    const int32_t last = call->layer->output_dims->c - MN_LANES;
    const int32_t channel = quad * MN_LANES;
    return call->is_overlapping && channel > last ? last : channel;
}

static int32_t mn_lanes_from(const mn_depthwise_call *call, int32_t channel)
{
    const int32_t left = call->layer->output_dims->c - channel;
    return left < MN_LANES ? left : MN_LANES;
}

/* Widens all weights and folds the input offset into the bias. */
static void mn_prepare(const mn_depthwise_call *call)
{
    const mn_depthwise *const layer = call->layer;
    const int32_t channels = layer->output_dims->c;
    uint32_t *weights = (uint32_t *)(void *)call->scratch;
    int32_t *bias = (int32_t *)(void *)(call->scratch + call->parts.bias);
    for (int32_t quad = 0; quad < mn_quads_of(channels); ++quad, bias += MN_LANES)
    {
        const int32_t channel = mn_quad_channel(call, quad);
        const int32_t lanes = mn_lanes_from(call, channel);
        for (int32_t lane = 0; lane < MN_LANES; ++lane)
        {
            bias[lane] = layer->bias != NULL && lane < lanes ? layer->bias[channel + lane] : 0;
        }
        weights = layer->kind->prepare_quad(weights, bias, layer->filter, channel, channels,
                                            call->tap_count, lanes, call->offset);
    }
}

/* The distance from `input` to the pixel of zero points. */
static int32_t mn_zero_tap(const mn_depthwise_call *call, const int8_t *input)
{
#if MN_DSP
    return (int32_t)((uintptr_t)(call->scratch + call->parts.zeros) - (uintptr_t)input);
#else
    (void)call;
    (void)input;
    return MN_ZERO_TAP; /* pointers are wider than a distance */
#endif
}

/* Tap distances from `rows` for the first tap at (y, x). */
static void mn_set_taps(const mn_depthwise_call *call, int32_t *taps, int32_t y, int32_t x)
{
    const mn_depthwise *const layer = call->layer;
    const mn_dims *const dims = layer->input_dims;
    const int32_t dilation_h = layer->params->dilation.h;
    const int32_t dilation_w = layer->params->dilation.w;
    const int32_t step = dilation_w * dims->c;
    const int32_t zero_tap = mn_zero_tap(call, call->rows);
    const int32_t *const end = taps + call->tap_count;
    const int32_t width = layer->filter_dims->w;
    for (; taps != end; y += dilation_h)
    {
        /* Outside of the image every x is outside too. */
        const uint32_t limit = y >= 0 && y < dims->h ? (uint32_t)dims->w : 0;
        int32_t distance = limit ? (y % call->slots * dims->w + x) * dims->c : 0;
        int32_t tap_x = x;
        for (const int32_t *const row_end = taps + width; taps != row_end; tap_x += dilation_w)
        {
            *taps++ = (uint32_t)tap_x < limit ? distance : zero_tap;
            distance = mn_add_wrapping(distance, step);
        }
    }
}

/* Whether all lanes are plain (mn_depthwise.h). */
static int mn_are_plain(const mn_depthwise_call *call)
{
    const int32_t channels = call->layer->output_dims->c;
    const int32_t *const shifts = call->layer->quant_params->shift;
    int32_t lowest = -1;
    for (int32_t channel = 0; channel < channels; ++channel)
    {
        if ((uint32_t)shifts[channel] < (uint32_t)-31)
        {
            return 0;
        }
        lowest = shifts[channel] < lowest ? shifts[channel] : lowest;
    }
    if (lowest >= -20)
    {
        return 1;
    }
    /* 2^14 is the largest product of a weight and an input; the offset is in the bias. */
    uint32_t is_large = call->tap_count > 1 << 14;
    const int32_t lanes = mn_quads_of(channels) * MN_LANES;
    for (int32_t lane = 0; lane < lanes && !is_large; ++lane)
    {
        is_large = (uint32_t)call->quads.bias[lane] + (1u << 29) >= 1u << 30;
    }
    return !is_large;
}

/* What stays the same from position to position. */
static void mn_set_quads(mn_depthwise_call *call)
{
    const mn_depthwise *const layer = call->layer;
    const int32_t channels = layer->output_dims->c;
    const int32_t rest = channels & (MN_LANES - 1);
    mn_quads *const quads = &call->quads;
    quads->multiplier = layer->quant_params->multiplier;
    quads->shift = layer->quant_params->shift;
    quads->offset = layer->params->output_offset;
    quads->back = rest ? MN_LANES - rest : 0;
    quads->zeros = (const int8_t *)call->scratch + call->parts.zeros;
    if (call->parts.is_few)
    {
        return;
    }
    if (layer->kind->prepare_quad != NULL)
    {
        mn_prepare(call);
        quads->weights = (const uint32_t *)(const void *)call->scratch;
        quads->bias = (const int32_t *)(const void *)(call->scratch + call->parts.bias);
    }
    else
    {
        quads->bias = layer->filter;
        quads->weights =
            (const uint32_t *)(const void *)(quads->bias + mn_quads_of(channels) * MN_LANES);
    }
    quads->rest = 2 * (call->tap_count & 7) - mn_are_plain(call);
    mn_set_left_start(quads->left_start, quads->offset);
}

/* All channels of one position. */
static void mn_run_position(mn_depthwise_call *call, const int8_t *input, const int32_t *taps,
                            int8_t *output)
{
    mn_quads *const quads = &call->quads;
    quads->taps = taps;
    quads->input = input;
    quads->output = output;
    quads->blocks_end = taps + call->whole_taps;
    if (call->parts.is_few)
    {
        mn_run_few(quads, call->layer, call->offset);
        return;
    }
    if (!call->is_overlapping)
    {
        mn_run_lanes(quads, call->layer->params->ch_mult, call->layer->output_dims->c);
        return;
    }
    quads->output_end = output + call->whole_channels;
    mn_run_quads(quads);
}

/*
 * Where outputs go. int8: in place, the activation applied `limit` positions at a time. int4: pairs
 * of positions, which always start at a byte, wait in scratch to be packed.
 */
typedef struct
{
    int8_t *next;
    int8_t *begin; /* the first output that has not been finished */
    int32_t count; /* positions since begin */
    int32_t limit;
    int32_t to;    /* element of the output tensor at begin */
} mn_sink;

static void mn_flush(const mn_depthwise_call *call, mn_sink *sink)
{
    const mn_depthwise *const layer = call->layer;
    const int32_t elements = sink->count * layer->output_dims->c;
    layer->kind->finish(layer->output, sink->to, sink->begin, elements,
                        &layer->params->activation);
    sink->to += elements;
    sink->begin = layer->kind->unpack != NULL ? sink->begin : sink->next;
    sink->next = sink->begin;
    sink->count = 0;
}

/* Room for the next position. */
MN_INLINE int8_t *mn_next_output(const mn_depthwise_call *call, mn_sink *sink)
{
    if (sink->count == sink->limit)
    {
        mn_flush(call, sink);
    }
    int8_t *const output = sink->next;
    sink->next += call->layer->output_dims->c;
    ++sink->count;
    return output;
}

/* int4 inputs: unpacks the image's rows up to `last` that are not in scratch yet. */
static void mn_unpack_rows(mn_depthwise_call *call, int32_t image, int32_t last)
{
    const mn_dims *const dims = call->layer->input_dims;
    const int32_t row_elements = dims->w * dims->c;
    for (; call->next_row <= last && call->next_row < dims->h; ++call->next_row)
    {
        call->layer->kind->unpack(call->scratch + call->parts.rows,
                                 call->next_row % call->slots * row_elements, call->layer->input,
                                 (image * dims->h + call->next_row) * row_elements, row_elements);
    }
}

/* Positions whose windows may leave the image, from output column `column` to `end`. */
static void mn_run_edge(mn_depthwise_call *call, int32_t y, int32_t column, int32_t end,
                        mn_sink *sink)
{
    const mn_dw_conv_params *const params = call->layer->params;
    int32_t *const taps = (int32_t *)(void *)(call->scratch + call->parts.edge);
    for (; column < end; ++column)
    {
        mn_set_taps(call, taps, y, column * params->stride.w - params->padding.w);
        mn_run_position(call, call->rows, taps, mn_next_output(call, sink));
    }
}

/* Positions whose windows lie inside the image. */
static void mn_run_inner(mn_depthwise_call *call, int32_t y, int32_t column, int32_t end,
                         mn_sink *sink)
{
    const mn_dw_conv_params *const params = call->layer->params;
    int32_t *const taps = (int32_t *)(void *)(call->scratch + call->parts.taps);
    const int32_t channels = call->layer->input_dims->c;
    const int32_t step = params->stride.w * channels;
    const int8_t *input =
        call->rows + (column * params->stride.w - params->padding.w) * channels;
    mn_set_taps(call, taps, y, 0);
    for (; column < end; ++column, input += step)
    {
        mn_run_position(call, input, taps, mn_next_output(call, sink));
    }
}

/* One row of output positions. */
static void mn_run_row(mn_depthwise_call *call, int32_t y, mn_sink *sink)
{
    const mn_depthwise *const layer = call->layer;
    const int32_t columns = layer->output_dims->w;
    const int32_t reach = (layer->filter_dims->h - 1) * layer->params->dilation.h;
    int32_t begin = columns;
    int32_t end = columns;
    if (y >= 0 && y + reach < layer->input_dims->h)
    {
        begin = call->inner_begin;
        end = call->inner_end;
    }
    mn_run_edge(call, y, 0, begin, sink);
    if (begin < end)
    {
        mn_run_inner(call, y, begin, end, sink);
    }
    mn_run_edge(call, y, end, columns, sink);
}

/* The output columns whose windows lie inside the image, if any: begin to end. */
static void mn_set_inner(mn_depthwise_call *call)
{
    const mn_depthwise *const layer = call->layer;
    const mn_dw_conv_params *const params = layer->params;
    const int32_t columns = layer->output_dims->w;
    const int32_t stride = params->stride.w;
    const int32_t reach = (layer->filter_dims->w - 1) * params->dilation.w;
    /* The last first tap with a whole window; the first column at or right of the image's edge. */
    const int32_t last = layer->input_dims->w - 1 - reach;
    const int32_t begin = params->padding.w / stride + (params->padding.w % stride != 0);
    const int32_t end = last < 0 ? 0 : (last + params->padding.w) / stride + 1;
    call->inner_begin = begin < columns ? begin : columns;
    call->inner_end = end < columns ? end : columns;
    if (call->inner_end < call->inner_begin)
    {
        call->inner_end = call->inner_begin;
    }
}

static void mn_run_image(mn_depthwise_call *call, int32_t image, mn_sink *sink)
{
    const mn_depthwise *const layer = call->layer;
    const mn_dw_conv_params *const params = layer->params;
    const mn_dims *const dims = layer->input_dims;
    const int32_t reach = (layer->filter_dims->h - 1) * params->dilation.h;
    call->next_row = 0;
    if (layer->kind->unpack == NULL)
    {
        call->rows = (const int8_t *)layer->input + image * dims->h * dims->w * dims->c;
    }
    for (int32_t row = 0; row < layer->output_dims->h; ++row)
    {
        const int32_t y = row * params->stride.h - params->padding.h;
        if (layer->kind->unpack != NULL)
        {
            mn_unpack_rows(call, image, y + reach);
        }
        mn_run_row(call, y, sink);
    }
}

static int mn_is_layer(const mn_depthwise *layer)
{
    const mn_dw_conv_params *const params = layer->params;
    const int32_t bits = layer->kind->input_bits;
    return mn_is_depthwise_geometry(params, layer->input_dims, layer->filter_dims,
                                    layer->output_dims) &&
           layer->input != NULL && layer->filter != NULL && layer->output != NULL &&
           (layer->kind->prepare_quad != NULL || (uintptr_t)layer->filter % 4 == 0) &&
           layer->quant_params != NULL && layer->quant_params->multiplier != NULL &&
           layer->quant_params->shift != NULL && mn_is_input_offset(params->input_offset, bits) &&
           mn_is_value(params->output_offset, bits) && mn_is_activation(&params->activation, bits);
}

mn_status mn_depthwise_run(const mn_context *ctx, const mn_depthwise *layer)
{
    if (!mn_is_layer(layer))
    {
        return MN_ARG_ERROR;
    }
    mn_depthwise_call call;
    call.layer = layer;
    call.parts = mn_depthwise_scratch_of(layer->kind, layer->params, layer->input_dims,
                                         layer->filter_dims, layer->output_dims);
    if (call.parts.total < 0 || !mn_is_context(ctx, call.parts.total))
    {
        return MN_ARG_ERROR;
    }
    call.scratch = ctx->buf;
    call.tap_count = layer->filter_dims->h * layer->filter_dims->w;
    call.is_overlapping = layer->params->ch_mult == 1 && layer->output_dims->c >= MN_LANES;
    call.slots = layer->input_dims->h;
    call.rows = NULL;
    call.offset = layer->params->input_offset;
    const int packed = layer->kind->unpack != NULL;
    if (packed)
    {
        call.offset -= MN_NIBBLE_BIAS;
        call.slots = mn_slots_of(layer->params, layer->input_dims, layer->filter_dims);
        call.rows = (const int8_t *)call.scratch + call.parts.rows;
    }
    call.whole_taps = call.tap_count & ~7;
    call.whole_channels = layer->output_dims->c & ~(MN_LANES - 1);
    mn_fill_s8(call.scratch, call.parts.zeros, -call.offset, layer->input_dims->c);
    mn_set_quads(&call);
    mn_set_inner(&call);
    int8_t *const output = packed ? (int8_t *)call.scratch + call.parts.outputs : layer->output;
    mn_sink sink = {output, output, 0, packed ? 2 : layer->output_dims->w, 0};
    for (int32_t image = 0; image < layer->input_dims->n; ++image)
    {
        mn_run_image(&call, image, &sink);
    }
    mn_flush(&call, &sink);
    return MN_SUCCESS;
}
