#include "mn_arguments.h"
#include "mn_depthwise_layout.h"
#include "mn_requantize.h"

/* A call in progress. */
typedef struct
{
    const mn_depthwise *layer;
    uint8_t *scratch;
    mn_layout layout;
    int32_t tap_count;
    int is_overlapping; /* multiplier 1, 4 channels or more: the last quad ends with the last one */
    int fast;           /* mn_run_quads: overlapping quads, short shifts */
    int32_t offset;     /* the input offset, for the values in rows */
    int32_t slots;      /* input row y is row y % slots of rows */
    const int8_t *rows; /* int8 input rows of the current image */
    int32_t next_row;   /* int4 inputs: the image's first row not unpacked yet */
    int32_t inner_begin;
    int32_t inner_end;
    int32_t whole_taps;
    int32_t whole_channels;
    mn_quads quads;
} mn_run;

/* The first channel of a quad. */
static int32_t mn_quad_channel(const mn_run *run, int32_t quad)
{
    const int32_t last = run->layer->output_dims->c - MN_LANES;
    const int32_t channel = quad * MN_LANES;
    return run->is_overlapping && channel > last ? last : channel;
}

static int32_t mn_lanes_from(const mn_run *run, int32_t channel)
{
    const int32_t left = run->layer->output_dims->c - channel;
    return left < MN_LANES ? left : MN_LANES;
}

/* Widens all weights and folds the input offset into the bias. */
static void mn_prepare(const mn_run *run)
{
    const mn_depthwise *const layer = run->layer;
    const int32_t channels = layer->output_dims->c;
    uint32_t *weights = (uint32_t *)(void *)run->scratch;
    int32_t *bias = (int32_t *)(void *)(run->scratch + run->layout.bias);
    for (int32_t quad = 0; quad < mn_quads_of(channels); ++quad, bias += MN_LANES)
    {
        const int32_t channel = mn_quad_channel(run, quad);
        const int32_t lanes = mn_lanes_from(run, channel);
        for (int32_t lane = 0; lane < MN_LANES; ++lane)
        {
            bias[lane] = layer->bias != NULL && lane < lanes ? layer->bias[channel + lane] : 0;
        }
        weights = layer->kind->prepare_quad(weights, bias, layer->filter, channel, channels,
                                            run->tap_count, lanes, run->offset);
    }
}

/* The distance from `input` to the pixel of zero points. */
static int32_t mn_zero_tap(const mn_run *run, const int8_t *input)
{
#if MN_DSP
    return (int32_t)((uintptr_t)(run->scratch + run->layout.zeros) - (uintptr_t)input);
#else
    (void)run;
    (void)input;
    return MN_ZERO_TAP; /* pointers are wider than a distance */
#endif
}

/* Tap distances from `rows` for the first tap at (y, x). */
static void mn_set_taps(const mn_run *run, int32_t *taps, int32_t y, int32_t x)
{
    const mn_depthwise *const layer = run->layer;
    const mn_dims *const dims = layer->input_dims;
    const int32_t dilation_h = layer->params->dilation.h;
    const int32_t dilation_w = layer->params->dilation.w;
    const int32_t step = dilation_w * dims->c;
    const int32_t zero_tap = mn_zero_tap(run, run->rows);
    const int32_t *const end = taps + run->tap_count;
    const int32_t width = layer->filter_dims->w;
    for (; taps != end; y += dilation_h)
    {
        /* Outside of the image every x is outside too. */
        const uint32_t limit = y >= 0 && y < dims->h ? (uint32_t)dims->w : 0;
        int32_t distance = limit ? (y % run->slots * dims->w + x) * dims->c : 0;
        int32_t tap_x = x;
        for (const int32_t *const row_end = taps + width; taps != row_end; tap_x += dilation_w)
        {
            *taps++ = (uint32_t)tap_x < limit ? distance : zero_tap;
            distance = mn_add_wrapping(distance, step);
        }
    }
}

/* Quads of any multiplier and shift, a lane at a time where channels are not neighbours. */
static void mn_run_any_quads(const mn_run *run, const mn_quads *quads)
{
    const mn_depthwise *const layer = run->layer;
    const int32_t channels = layer->output_dims->c;
    const int8_t *const zeros = (const int8_t *)run->scratch + run->layout.zeros;
    const uint32_t *weights = quads->weights;
    const int32_t *bias = quads->bias;
    for (int32_t quad = 0; quad < mn_quads_of(channels); ++quad)
    {
        const int32_t channel = mn_quad_channel(run, quad);
        int32_t sums[MN_LANES] = {bias[0], bias[1], bias[2], bias[3]};
        const int32_t lanes = mn_lanes_from(run, channel);
        int32_t sources[MN_LANES];
        for (int32_t lane = 0; lane < MN_LANES; ++lane)
        {
            /* Lanes beyond the last channel, which are not stored, read the last one's input. */
            const int32_t last = lane < lanes ? lane : lanes - 1;
            sources[lane] = (channel + last) / layer->params->ch_mult;
        }
        for (int32_t tap = 0; tap < run->tap_count; ++tap, weights += 2)
        {
            const int8_t *const pixel = mn_tap_pixel(quads->input, quads->taps[tap], zeros);
            sums[0] = mn_smlabb(weights[0], (uint32_t)pixel[sources[0]], sums[0]);
            sums[1] = mn_smlabb(weights[1], (uint32_t)pixel[sources[1]], sums[1]);
            sums[2] = mn_smlatb(weights[0], (uint32_t)pixel[sources[2]], sums[2]);
            sums[3] = mn_smlatb(weights[1], (uint32_t)pixel[sources[3]], sums[3]);
        }
        for (int32_t lane = 0; lane < lanes; ++lane)
        {
            quads->output[channel + lane] = (int8_t)mn_requantize_s8_any(
                sums[lane], quads->multiplier[channel + lane], quads->shift[channel + lane],
                quads->offset);
        }
        bias += MN_LANES;
    }
}

/* What stays the same from position to position. */
static void mn_set_quads(mn_run *run)
{
    const mn_depthwise *const layer = run->layer;
    const int32_t channels = layer->output_dims->c;
    const int32_t rest = channels & (MN_LANES - 1);
    mn_quads *const quads = &run->quads;
    quads->multiplier = layer->quant_params->multiplier;
    quads->shift = layer->quant_params->shift;
    quads->offset = layer->params->output_offset;
    quads->singles = run->tap_count & 7;
    quads->back = rest ? MN_LANES - rest : 0;
    if (layer->kind->prepare_quad != NULL)
    {
        mn_prepare(run);
        quads->weights = (const uint32_t *)(const void *)run->scratch;
        quads->bias = (const int32_t *)(const void *)(run->scratch + run->layout.bias);
    }
    else
    {
        quads->bias = layer->filter;
        quads->weights =
            (const uint32_t *)(const void *)(quads->bias + mn_quads_of(channels) * MN_LANES);
    }
    quads->zeros = (const int8_t *)run->scratch + run->layout.zeros;
}

/* All channels of one position. */
static void mn_run_position(mn_run *run, const int8_t *input, const int32_t *taps, int8_t *output)
{
    mn_quads *const quads = &run->quads;
    quads->taps = taps;
    quads->input = input;
    quads->output = output;
    if (!run->fast)
    {
        mn_run_any_quads(run, quads);
        return;
    }
    quads->blocks_end = taps + run->whole_taps;
    quads->output_end = output + run->whole_channels;
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

static void mn_flush(const mn_run *run, mn_sink *sink)
{
    const mn_depthwise *const layer = run->layer;
    const int32_t elements = sink->count * layer->output_dims->c;
    layer->kind->finish(layer->output, sink->to, sink->begin, elements,
                        &layer->params->activation);
    sink->to += elements;
    sink->begin = layer->kind->unpack != NULL ? sink->begin : sink->next;
    sink->next = sink->begin;
    sink->count = 0;
}

/* Room for the next position. */
MN_INLINE int8_t *mn_next_output(const mn_run *run, mn_sink *sink)
{
    if (sink->count == sink->limit)
    {
        mn_flush(run, sink);
    }
    int8_t *const output = sink->next;
    sink->next += run->layer->output_dims->c;
    ++sink->count;
    return output;
}

/* int4 inputs: unpacks the image's rows up to `last` that are not in scratch yet. */
static void mn_unpack_rows(mn_run *run, int32_t image, int32_t last)
{
    const mn_dims *const dims = run->layer->input_dims;
    const int32_t row_elements = dims->w * dims->c;
    for (; run->next_row <= last && run->next_row < dims->h; ++run->next_row)
    {
        run->layer->kind->unpack(run->scratch + run->layout.rows,
                                 run->next_row % run->slots * row_elements, run->layer->input,
                                 (image * dims->h + run->next_row) * row_elements, row_elements);
    }
}

/* Positions whose windows may leave the image, from output column `column` to `end`. */
static void mn_run_edge(mn_run *run, int32_t y, int32_t column, int32_t end, mn_sink *sink)
{
    const mn_dw_conv_params *const params = run->layer->params;
    int32_t *const taps = (int32_t *)(void *)(run->scratch + run->layout.edge);
    for (; column < end; ++column)
    {
        mn_set_taps(run, taps, y, column * params->stride.w - params->padding.w);
        mn_run_position(run, run->rows, taps, mn_next_output(run, sink));
    }
}

/* Positions whose windows lie inside the image. */
static void mn_run_inner(mn_run *run, int32_t y, int32_t column, int32_t end, mn_sink *sink)
{
    const mn_dw_conv_params *const params = run->layer->params;
    int32_t *const taps = (int32_t *)(void *)(run->scratch + run->layout.taps);
    const int32_t channels = run->layer->input_dims->c;
    const int32_t step = params->stride.w * channels;
    const int8_t *input =
        run->rows + (column * params->stride.w - params->padding.w) * channels;
    mn_set_taps(run, taps, y, 0);
    for (; column < end; ++column, input += step)
    {
        mn_run_position(run, input, taps, mn_next_output(run, sink));
    }
}

/* One row of output positions. */
static void mn_run_row(mn_run *run, int32_t y, mn_sink *sink)
{
    const mn_depthwise *const layer = run->layer;
    const int32_t columns = layer->output_dims->w;
    const int32_t reach = (layer->filter_dims->h - 1) * layer->params->dilation.h;
    int32_t begin = columns;
    int32_t end = columns;
    if (y >= 0 && y + reach < layer->input_dims->h)
    {
        begin = run->inner_begin;
        end = run->inner_end;
    }
    mn_run_edge(run, y, 0, begin, sink);
    if (begin < end)
    {
        mn_run_inner(run, y, begin, end, sink);
    }
    mn_run_edge(run, y, end, columns, sink);
}

/* The output columns whose windows lie inside the image, if any: begin to end. */
static void mn_set_inner(mn_run *run)
{
    const mn_depthwise *const layer = run->layer;
    const mn_dw_conv_params *const params = layer->params;
    const int32_t columns = layer->output_dims->w;
    const int32_t stride = params->stride.w;
    const int32_t reach = (layer->filter_dims->w - 1) * params->dilation.w;
    /* The last first tap with a whole window; the first column at or right of the image's edge. */
    const int32_t last = layer->input_dims->w - 1 - reach;
    const int32_t begin = params->padding.w / stride + (params->padding.w % stride != 0);
    const int32_t end = last < 0 ? 0 : (last + params->padding.w) / stride + 1;
    run->inner_begin = begin < columns ? begin : columns;
    run->inner_end = end < columns ? end : columns;
    if (run->inner_end < run->inner_begin)
    {
        run->inner_end = run->inner_begin;
    }
}

static void mn_run_image(mn_run *run, int32_t image, mn_sink *sink)
{
    const mn_depthwise *const layer = run->layer;
    const mn_dw_conv_params *const params = layer->params;
    const mn_dims *const dims = layer->input_dims;
    const int32_t reach = (layer->filter_dims->h - 1) * params->dilation.h;
    run->next_row = 0;
    if (layer->kind->unpack == NULL)
    {
        run->rows = (const int8_t *)layer->input + image * dims->h * dims->w * dims->c;
    }
    for (int32_t row = 0; row < layer->output_dims->h; ++row)
    {
        const int32_t y = row * params->stride.h - params->padding.h;
        if (layer->kind->unpack != NULL)
        {
            mn_unpack_rows(run, image, y + reach);
        }
        mn_run_row(run, y, sink);
    }
}

static int mn_are_short_shifts(const mn_depthwise *layer)
{
    for (int32_t channel = 0; channel < layer->output_dims->c; ++channel)
    {
        if (!mn_is_short_shift(layer->quant_params->shift[channel]))
        {
            return 0;
        }
    }
    return 1;
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
    mn_run run;
    run.layer = layer;
    run.layout = mn_lay_out(layer->kind, layer->params, layer->input_dims, layer->filter_dims);
    if (run.layout.total < 0 || !mn_is_context(ctx, run.layout.total))
    {
        return MN_ARG_ERROR;
    }
    run.scratch = ctx->buf;
    run.tap_count = layer->filter_dims->h * layer->filter_dims->w;
    run.is_overlapping = layer->params->ch_mult == 1 && layer->output_dims->c >= MN_LANES;
    run.fast = run.is_overlapping && mn_are_short_shifts(layer);
    run.slots = layer->input_dims->h;
    run.rows = NULL;
    run.offset = layer->params->input_offset;
    const int packed = layer->kind->unpack != NULL;
    if (packed)
    {
        run.offset -= MN_NIBBLE_BIAS;
        run.slots = mn_slots_of(layer->params, layer->input_dims, layer->filter_dims);
        run.rows = (const int8_t *)run.scratch + run.layout.rows;
    }
    run.whole_taps = run.tap_count & ~7;
    run.whole_channels = layer->output_dims->c & ~(MN_LANES - 1);
    mn_fill_s8(run.scratch, run.layout.zeros, -run.offset, layer->input_dims->c);
    mn_set_quads(&run);
    mn_set_inner(&run);
    int8_t *const output = packed ? (int8_t *)run.scratch + run.layout.outputs : layer->output;
    mn_sink sink = {output, output, 0, packed ? 2 : layer->output_dims->w, 0};
    for (int32_t image = 0; image < layer->input_dims->n; ++image)
    {
        mn_run_image(&run, image, &sink);
    }
    mn_flush(&run, &sink);
    return MN_SUCCESS;
}
