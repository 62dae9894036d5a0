#include "mn_depthwise.h"

#include "mn_arguments.h"
#include "mn_requantize.h"

#define MN_LANES 4

/* Where the parts of the scratch buffer start, in bytes; all multiples of 4. */
typedef struct
{
    int32_t bias;    /* per quad lane: bias with the input offset folded in */
    int32_t taps;    /* tap distances of the current row's inner positions */
    int32_t edge;    /* tap distances of one position at the border */
    int32_t zeros;   /* one pixel of zero points */
    int32_t rows;    /* int4 inputs: the unpacked input rows in use, row y in slot y modulo slots */
    int32_t outputs; /* int4 outputs: two positions before packing */
    int32_t total;   /* MN_ARG_ERROR when it does not fit int32 */
} mn_layout;

static int32_t mn_quads_of(int32_t channels)
{
    return channels / MN_LANES + (channels % MN_LANES != 0);
}

static int64_t mn_round_up_4(int64_t value)
{
    return (value + 3) & ~(int64_t)3;
}

/* Input rows that one output row reaches. */
static int32_t mn_slots_of(const mn_dw_conv_params *params, const mn_dims *input_dims,
                           const mn_dims *filter_dims)
{
    const int32_t reach = (filter_dims->h - 1) * params->dilation.h + 1;
    return reach < input_dims->h ? reach : input_dims->h;
}

static mn_layout mn_lay_out(const mn_depthwise_kind *kind, const mn_dw_conv_params *params,
                            const mn_dims *input_dims, const mn_dims *filter_dims)
{
    const int32_t taps = filter_dims->h * filter_dims->w;
    const int64_t quads = mn_quads_of(filter_dims->c);
    const int64_t bias = quads * taps * 8;
    const int64_t taps_at = bias + quads * 16;
    const int64_t edge = taps_at + (int64_t)taps * 4;
    const int64_t zeros = edge + (int64_t)taps * 4;
    const int64_t rows = zeros + mn_round_up_4(input_dims->c);
    const int64_t row_bytes = (int64_t)input_dims->w * input_dims->c;
    int64_t outputs = rows;
    int64_t total = rows;
    if (kind->input_bits == 4)
    {
        outputs += mn_round_up_4(row_bytes * mn_slots_of(params, input_dims, filter_dims));
        total = outputs + 2 * mn_round_up_4(filter_dims->c);
    }
    if (total > MN_MAX_BUFFER)
    {
        return (mn_layout){.total = MN_ARG_ERROR};
    }
    return (mn_layout){(int32_t)bias,  (int32_t)taps_at, (int32_t)edge, (int32_t)zeros,
                       (int32_t)rows, (int32_t)outputs, (int32_t)total};
}

static int mn_is_geometry(const mn_dw_conv_params *params, const mn_dims *input_dims,
                          const mn_dims *filter_dims, const mn_dims *output_dims)
{
    if (params == NULL || !mn_is_dims(input_dims) || !mn_is_dims(filter_dims) ||
        !mn_is_dims(output_dims) || input_dims->n != output_dims->n || filter_dims->n != 1 ||
        filter_dims->c != output_dims->c || params->ch_mult < 1 ||
        (int64_t)input_dims->c * params->ch_mult != output_dims->c)
    {
        return 0;
    }
    return mn_is_window(input_dims->h, output_dims->h, filter_dims->h, params->stride.h,
                        params->padding.h, params->dilation.h) &&
           mn_is_window(input_dims->w, output_dims->w, filter_dims->w, params->stride.w,
                        params->padding.w, params->dilation.w);
}

int32_t mn_depthwise_buffer_size(const mn_depthwise_kind *kind, const mn_dw_conv_params *params,
                                 const mn_dims *input_dims, const mn_dims *filter_dims,
                                 const mn_dims *output_dims)
{
    if (!mn_is_geometry(params, input_dims, filter_dims, output_dims))
    {
        return MN_ARG_ERROR;
    }
    return mn_lay_out(kind, params, input_dims, filter_dims).total;
}

/* A call in progress. */
typedef struct
{
    const mn_depthwise *layer;
    uint8_t *scratch;
    mn_layout layout;
    int32_t tap_count;
    int fast;           /* mn_run_quads: multiplier 1, 4 channels or more, short shifts */
    int32_t slots;      /* input row y is row y % slots of rows */
    const int8_t *rows; /* int8 input rows of the current image */
    int32_t next_row;   /* int4 inputs: the image's first row not unpacked yet */
} mn_run;

/* The first channel of a quad: the last quad of the fast path ends with the last channel. */
static int32_t mn_quad_channel(const mn_run *run, int32_t quad)
{
    const int32_t last = run->layer->output_dims->c - MN_LANES;
    const int32_t channel = quad * MN_LANES;
    return run->fast && channel > last ? last : channel;
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
    const uint32_t offset = (uint32_t)layer->params->input_offset;
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
        for (int32_t tap = 0; tap < run->tap_count; ++tap, weights += 2)
        {
            layer->kind->quad_weights(weights, layer->filter, tap * channels + channel, lanes);
            bias[0] = mn_smlabb(weights[0], offset, bias[0]);
            bias[1] = mn_smlabb(weights[1], offset, bias[1]);
            bias[2] = mn_smlatb(weights[0], offset, bias[2]);
            bias[3] = mn_smlatb(weights[1], offset, bias[3]);
        }
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

/* Tap distances from `input`, the first pixel of row 0, for the first tap at (y, x). */
static void mn_set_taps(const mn_run *run, int32_t *taps, const int8_t *input, int32_t y, int32_t x)
{
    const mn_depthwise *const layer = run->layer;
    const mn_dims *const dims = layer->input_dims;
    const mn_tile dilation = layer->params->dilation;
    const int32_t zero_tap = mn_zero_tap(run, input);
    for (int32_t row = 0; row < layer->filter_dims->h; ++row, y += dilation.h)
    {
        const int inside = y >= 0 && y < dims->h;
        const int32_t pixel = inside ? y % run->slots * dims->w : 0;
        int32_t tap_x = x;
        for (int32_t tap = 0; tap < layer->filter_dims->w; ++tap, tap_x += dilation.w)
        {
            *taps++ = inside && tap_x >= 0 && tap_x < dims->w ? (pixel + tap_x) * dims->c : zero_tap;
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
    for (int32_t channel = 0; channel < channels; channel += MN_LANES)
    {
        int32_t sums[MN_LANES] = {bias[0], bias[1], bias[2], bias[3]};
        const int32_t lanes = mn_lanes_from(run, channel);
        int32_t sources[MN_LANES] = {0, 0, 0, 0};
        for (int32_t lane = 0; lane < lanes; ++lane)
        {
            sources[lane] = (channel + lane) / layer->params->ch_mult;
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

/* All channels of one position. */
static void mn_run_position(const mn_run *run, const int8_t *input, const int32_t *taps,
                            int8_t *output)
{
    const mn_depthwise *const layer = run->layer;
    const int32_t channels = layer->output_dims->c;
    mn_quads quads;
    quads.taps = taps;
    quads.weights = (const uint32_t *)(const void *)run->scratch;
    quads.input = input;
    quads.bias = (const int32_t *)(const void *)(run->scratch + run->layout.bias);
    quads.multiplier = layer->quant_params->multiplier;
    quads.shift = layer->quant_params->shift;
    quads.offset = layer->params->output_offset;
    quads.output = output;
    if (!run->fast)
    {
        mn_run_any_quads(run, &quads);
        return;
    }
    quads.zeros = (const int8_t *)run->scratch + run->layout.zeros;
    quads.blocks_end = taps + (run->tap_count & ~7);
    quads.singles = run->tap_count & 7;
    quads.output_end = output + (channels & ~(MN_LANES - 1));
    mn_run_quads(&quads);
    const int32_t rest = channels & (MN_LANES - 1);
    if (rest)
    {
        /* The last quad ends with the last channel; some of its channels are computed again. */
        const int32_t back = MN_LANES - rest;
        quads.input -= back;
        quads.zeros -= back;
        quads.multiplier -= back;
        quads.shift -= back;
        quads.output -= back;
        quads.output_end = output + channels;
        mn_run_quads(&quads);
    }
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

/* One row of output positions, the first of them number `position` of the output. */
static void mn_run_row(const mn_run *run, int32_t y, int32_t position)
{
    const mn_depthwise *const layer = run->layer;
    const mn_dw_conv_params *const params = layer->params;
    const mn_dims *const dims = layer->input_dims;
    const int32_t channels = layer->output_dims->c;
    const int32_t reach_x = (layer->filter_dims->w - 1) * params->dilation.w;
    const int32_t reach_y = (layer->filter_dims->h - 1) * params->dilation.h;
    const int inside_y = y >= 0 && y + reach_y < dims->h;
    const int packed = layer->kind->input_bits == 4;
    int8_t *const staging = (int8_t *)run->scratch + run->layout.outputs;
    int32_t *const inner_taps = (int32_t *)(void *)(run->scratch + run->layout.taps);
    int32_t *const edge_taps = (int32_t *)(void *)(run->scratch + run->layout.edge);
    if (inside_y)
    {
        mn_set_taps(run, inner_taps, run->rows, y, 0);
    }
    const int32_t total = layer->output_dims->n * layer->output_dims->h * layer->output_dims->w;
    int32_t x = -params->padding.w;
    for (int32_t column = 0; column < layer->output_dims->w; ++column, ++position)
    {
        int8_t *const output = packed ? staging + (position & 1) * channels
                                      : (int8_t *)layer->output + position * channels;
        if (inside_y && x >= 0 && x + reach_x < dims->w)
        {
            mn_run_position(run, run->rows + x * dims->c, inner_taps, output);
        }
        else
        {
            mn_set_taps(run, edge_taps, run->rows, y, x);
            mn_run_position(run, run->rows, edge_taps, output);
        }
        if (!packed)
        {
            layer->kind->finish(layer->output, position * channels, output, channels,
                                &params->activation);
        }
        else if ((position & 1) || position == total - 1)
        {
            const int32_t first = position & ~1;
            layer->kind->finish(layer->output, first * channels, staging,
                                (position - first + 1) * channels, &params->activation);
        }
        x += column + 1 < layer->output_dims->w ? params->stride.w : 0;
    }
}

static void mn_run_image(mn_run *run, int32_t image)
{
    const mn_depthwise *const layer = run->layer;
    const mn_dw_conv_params *const params = layer->params;
    const mn_dims *const dims = layer->input_dims;
    const int32_t reach = (layer->filter_dims->h - 1) * params->dilation.h;
    int32_t y = -params->padding.h;
    int32_t position = image * layer->output_dims->h * layer->output_dims->w;
    run->next_row = 0;
    if (layer->kind->unpack == NULL)
    {
        run->rows = (const int8_t *)layer->input + image * dims->h * dims->w * dims->c;
    }
    for (int32_t row = 0; row < layer->output_dims->h; ++row)
    {
        if (layer->kind->unpack != NULL)
        {
            mn_unpack_rows(run, image, y + reach);
        }
        mn_run_row(run, y, position);
        position += layer->output_dims->w;
        y += row + 1 < layer->output_dims->h ? params->stride.h : 0;
    }
}

static int mn_is_fast(const mn_depthwise *layer)
{
    if (layer->params->ch_mult != 1 || layer->output_dims->c < MN_LANES)
    {
        return 0;
    }
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
    return mn_is_geometry(params, layer->input_dims, layer->filter_dims, layer->output_dims) &&
           layer->input != NULL && layer->filter != NULL && layer->output != NULL &&
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
    run.fast = mn_is_fast(layer);
    run.slots = layer->input_dims->h;
    run.rows = NULL;
    if (layer->kind->unpack != NULL)
    {
        run.slots = mn_slots_of(layer->params, layer->input_dims, layer->filter_dims);
        run.rows = (const int8_t *)run.scratch + run.layout.rows;
    }
    mn_fill_s8(run.scratch, run.layout.zeros, -layer->params->input_offset, layer->input_dims->c);
    mn_prepare(&run);
    for (int32_t image = 0; image < layer->input_dims->n; ++image)
    {
        mn_run_image(&run, image);
    }
    return MN_SUCCESS;
}
