/* SPDX-License-Identifier: Apache-2.0 */
#include "mn_convolution.h"

#include "mn_arguments.h"
#include "mn_conv_windows.h"

#define MN_BLOCK 4

/* Where the parts of the scratch buffer start, in bytes; all multiples of 4. */
typedef struct
{
    int32_t patch;
    int32_t weights;
    int32_t outputs;
    int32_t total; /* MN_ARG_ERROR when it does not fit int32 */
} mn_conv_scratch;

static int mn_is_pointwise(const mn_conv_params *params, const mn_dims *input_dims,
                           const mn_dims *filter_dims, const mn_dims *output_dims)
{
    return filter_dims->h == 1 && filter_dims->w == 1 && filter_dims->c == input_dims->c &&
           params->padding.h == 0 && params->padding.w == 0 &&
           (output_dims->h - 1) * params->stride.h < input_dims->h &&
           (output_dims->w - 1) * params->stride.w < input_dims->w;
}

/* Whether columns are built straight from the input, without gathering a patch. */
static int mn_is_direct(const mn_conv_kind *kind, int pointwise, const mn_dims *filter_dims)
{
    return kind->column_x4 != NULL &&
           (pointwise || filter_dims->c % mn_group_of(kind) == 0);
}

static mn_conv_scratch mn_conv_scratch_of(const mn_conv_kind *kind, const mn_conv_params *params,
                                          const mn_dims *input_dims, const mn_dims *filter_dims,
                                          const mn_dims *output_dims)
{
    const int32_t group = mn_group_of(kind);
    const int32_t depth = filter_dims->h * filter_dims->w * filter_dims->c;
    const int pointwise = mn_is_pointwise(params, input_dims, filter_dims, output_dims);
    const int direct = mn_is_direct(kind, pointwise, filter_dims);
    const int32_t limit = MN_MAX_BUFFER / 32;
    if (depth > limit || output_dims->c > limit)
    {
        return (mn_conv_scratch){.total = MN_ARG_ERROR};
    }
    /* Where there is no whole block, single positions. */
    const int32_t positions = output_dims->n * output_dims->h * output_dims->w;
    const int32_t step = positions >= MN_BLOCK ? MN_BLOCK : 1;
    mn_conv_scratch parts;
    parts.patch = mn_column_words(depth, group) * 4 * step;
    parts.weights = parts.patch + (direct ? 0 : (depth + 3) & ~3);
    parts.outputs = parts.weights + (depth < group ? output_dims->c * 4 : 0);
    parts.total = parts.outputs + (kind->input_bits == 4 ? (output_dims->c * step + 3) & ~3 : 0);
    return parts;
}

static int mn_is_geometry(const mn_conv_params *params, const mn_dims *input_dims,
                          const mn_dims *filter_dims, const mn_dims *output_dims)
{
    if (params == NULL || !mn_is_dims(input_dims) || !mn_is_dims(filter_dims) ||
        !mn_is_dims(output_dims) || input_dims->n != output_dims->n ||
        filter_dims->n != output_dims->c || input_dims->c % filter_dims->c != 0 ||
        output_dims->c % (input_dims->c / filter_dims->c) != 0)
    {
        return 0;
    }
    return mn_is_window(input_dims->h, output_dims->h, filter_dims->h, params->stride.h,
                        params->padding.h, params->dilation.h) &&
           mn_is_window(input_dims->w, output_dims->w, filter_dims->w, params->stride.w,
                        params->padding.w, params->dilation.w);
}

int32_t mn_convolution_buffer_size(const mn_conv_kind *kind, const mn_conv_params *params,
                                   const mn_dims *input_dims, const mn_dims *filter_dims,
                                   const mn_dims *output_dims)
{
    if (!mn_is_geometry(params, input_dims, filter_dims, output_dims))
    {
        return MN_ARG_ERROR;
    }
    return mn_conv_scratch_of(kind, params, input_dims, filter_dims, output_dims).total;
}

/* A call in progress. */
typedef struct
{
    const mn_convolution *layer;
    mn_rows rows; /* of one group */
    const void *filter;
    int32_t groups;
    uint8_t *scratch;
    mn_conv_scratch parts;
    int32_t patch_offset; /* the input offset, for the values in the patch */
    int direct;           /* columns are built straight from the input, without a patch */
    int contiguous;       /* the taps of a row are one piece */
    int adjacent;         /* columns are all pixels, one after the other */
    int32_t y_limit;      /* the last first taps of windows inside the image */
    int32_t x_limit;
    mn_piece window; /* a whole window inside the image where it is contiguous; its first varies */
    mn_piece patch;
    /* Of the current block. */
    int32_t step;          /* its positions: words from one of a column to the next */
    mn_column *column;     /* from the input */
    mn_column *from_patch; /* from the patch */
    mn_matmul *matmul;
} mn_conv_call;

/* `piece` to element `to` of the column or the patch. */
static void mn_put_inputs(const mn_conv_call *call, uint32_t *column, int32_t to,
                          const mn_piece *piece)
{
    const mn_convolution *const layer = call->layer;
    if (call->direct)
    {
        call->column(column + to / 2 * call->step, layer->input, piece,
                     layer->params->input_offset);
    }
    else
    {
        layer->kind->gather((int8_t *)call->scratch + call->parts.patch + to, layer->input, piece);
    }
}

/* The taps of rows `y` and columns `x` of the window whose first tap is at element `first`. */
static void mn_put_taps(const mn_conv_call *call, uint32_t *column, int32_t first, mn_taps y,
                        mn_taps x)
{
    const mn_dims *const input = call->layer->input_dims;
    const mn_dims *const filter = call->layer->filter_dims;
    const mn_tile dilation = call->layer->params->dilation;
    const int32_t line = dilation.h * input->w * input->c;
    const int32_t width = x.end - x.begin;
    int32_t to = (y.begin * filter->w + x.begin) * filter->c;
    first += y.begin * line + x.begin * dilation.w * input->c;
    if (call->contiguous)
    {
        const mn_piece piece = {first, width * input->c, y.end - y.begin, line,
                                (filter->w - width) * input->c};
        mn_put_inputs(call, column, to, &piece);
        return;
    }
    mn_piece piece = {first, filter->c, width, dilation.w * input->c, 0};
    for (int32_t tap = y.begin; tap < y.end; ++tap)
    {
        mn_put_inputs(call, column, to, &piece);
        piece.first += line;
        to += filter->w * filter->c;
    }
}

/* What a window that leaves the image reads outside. */
static void mn_put_padding(const mn_conv_call *call, uint32_t *column)
{
    if (call->direct)
    {
        mn_column_zero(column, call->step, call->patch.count / 2);
    }
    else
    {
        mn_fill_s8(call->scratch + call->parts.patch, 0, -call->patch_offset, call->patch.count);
    }
}

/* A window that may leave the image, or whose taps are no neighbours. */
static void mn_put_window(const mn_conv_call *call, uint32_t *column, const mn_position *position,
                          int32_t channel, int is_inside)
{
    const mn_dims *const input = call->layer->input_dims;
    const mn_dims *const filter = call->layer->filter_dims;
    mn_taps y = {0, filter->h};
    mn_taps x = {0, filter->w};
    if (!is_inside)
    {
        const mn_tile dilation = call->layer->params->dilation;
        y = mn_taps_inside(position->y, input->h, filter->h, dilation.h);
        x = mn_taps_inside(position->x, input->w, filter->w, dilation.w);
        mn_put_padding(call, column);
    }
    if (y.begin < y.end && x.begin < x.end)
    {
        mn_put_taps(call, column, position->first + channel, y, x);
    }
}

/* The column of one position for the input channels from `channel` on. */
static void mn_gather_position(mn_conv_call *call, uint32_t *column, const mn_position *position,
                               int32_t channel)
{
    const int is_inside = position->y >= 0 && position->y <= call->y_limit && position->x >= 0 &&
                          position->x <= call->x_limit;
    if (is_inside && call->contiguous)
    {
        call->window.first = position->first;
        mn_put_inputs(call, column, 0, &call->window);
    }
    else
    {
        mn_put_window(call, column, position, channel, is_inside);
    }
    if (!call->direct)
    {
        call->from_patch(column, call->scratch + call->parts.patch, &call->patch,
                         call->patch_offset);
    }
}

/* The columns of a block for the input channels from `channel` on. */
static void mn_gather_block(mn_conv_call *call, mn_walk *walk, int32_t channel)
{
    uint32_t *column = (uint32_t *)(void *)call->scratch;
    uint32_t *const end = column + call->step;
    if (call->adjacent)
    {
        for (; column != end; ++column)
        {
            mn_put_inputs(call, column, 0, &call->window);
            call->window.first += call->window.count;
        }
        return;
    }
    for (; column != end; ++column)
    {
        mn_gather_position(call, column, &walk->next, channel);
        mn_advance(walk, call->layer);
    }
}

static void mn_multiply_block(const mn_conv_call *call, int32_t first, const mn_rows *rows,
                              int8_t *output)
{
    mn_multiply(call->matmul, (const uint32_t *)(const void *)call->scratch, call->filter, first,
                rows, output, call->layer->output_dims->c);
}

/* Groups of channels one after the other. */
static void mn_run_groups(mn_conv_call *call, mn_walk *walk, int8_t *output)
{
    const mn_walk start = *walk;
    mn_rows rows = call->rows;
    for (int32_t group = 0; group < call->groups; ++group)
    {
        *walk = start;
        mn_gather_block(call, walk, group * call->layer->filter_dims->c);
        mn_multiply_block(call, group * rows.rows * rows.depth, &rows, output);
        output += rows.rows;
        rows.bias = rows.bias == NULL ? NULL : rows.bias + rows.rows;
        rows.multiplier += rows.rows;
        rows.shift += rows.rows;
    }
}

/* A block of positions, or where fewer are left, one. */
static void mn_set_block(mn_conv_call *call, int is_block)
{
    const mn_conv_kind *const kind = call->layer->kind;
    call->step = is_block ? MN_BLOCK : 1;
    call->column = is_block ? kind->column_x4 : kind->column_x1;
    call->from_patch = is_block ? kind->patch_x4 : kind->patch_x1;
    call->matmul = is_block ? kind->matmul_x4 : kind->matmul_x1;
}

static void mn_run_positions(mn_conv_call *call)
{
    const mn_convolution *const layer = call->layer;
    const mn_dims *const dims = layer->output_dims;
    const mn_activation *const activation = &layer->params->activation;
    const int packed = layer->kind->input_bits == 4;
    const int32_t total = dims->n * dims->h * dims->w * dims->c;
    int8_t *output = packed ? (int8_t *)call->scratch + call->parts.outputs : layer->output;
    mn_walk walk = mn_start_walk(layer);
    mn_set_block(call, total >= MN_BLOCK * dims->c);
    for (int32_t done = 0; done < total;)
    {
        if (call->groups == 1)
        {
            mn_gather_block(call, &walk, 0);
            mn_multiply_block(call, 0, &call->rows, output);
        }
        else
        {
            mn_run_groups(call, &walk, output);
        }
        const int32_t count = call->step * dims->c;
        if (packed)
        {
            layer->kind->finish(layer->output, done, output, count, activation);
        }
        else
        {
            output += count;
        }
        done += count;
        if (total - done < count)
        {
            mn_set_block(call, 0);
        }
    }
    if (!packed)
    {
        layer->kind->finish(layer->output, 0, layer->output, total, activation);
    }
}

static int mn_is_convolution(const mn_convolution *layer)
{
    const mn_conv_params *const params = layer->params;
    const int32_t bits = layer->kind->input_bits;
    return mn_is_geometry(params, layer->input_dims, layer->filter_dims, layer->output_dims) &&
           layer->quant_params != NULL && layer->quant_params->multiplier != NULL &&
           layer->quant_params->shift != NULL && layer->input != NULL && layer->filter != NULL &&
           layer->output != NULL && mn_is_input_offset(params->input_offset, bits) &&
           mn_is_value(params->output_offset, bits) && mn_is_activation(&params->activation, bits);
}

/* Rows shorter than a group are padded. */
static void mn_set_rows(mn_conv_call *call)
{
    const mn_convolution *const layer = call->layer;
    const mn_dims *const filter_dims = layer->filter_dims;
    const int32_t channels = layer->output_dims->c;
    mn_rows *const rows = &call->rows;
    rows->rows = channels / call->groups;
    rows->depth = filter_dims->h * filter_dims->w * filter_dims->c;
    rows->bias = layer->bias;
    rows->multiplier = layer->quant_params->multiplier;
    rows->shift = layer->quant_params->shift;
    rows->quant_step = 1;
    rows->output_offset = layer->params->output_offset;
    call->filter = layer->filter;
    if (rows->depth < mn_group_of(layer->kind))
    {
        uint8_t *const padded = call->scratch + call->parts.weights;
        mn_pad_rows(layer->kind, padded, layer->filter, channels, rows->depth);
        call->filter = padded;
        rows->depth = mn_group_of(layer->kind);
    }
}

/* Where windows lie inside the image, and how far apart their taps are. */
static void mn_set_window(mn_conv_call *call)
{
    const mn_convolution *const layer = call->layer;
    const mn_dims *const input_dims = layer->input_dims;
    const mn_dims *const filter_dims = layer->filter_dims;
    const mn_tile dilation = layer->params->dilation;
    call->contiguous = dilation.w == 1 && filter_dims->c == input_dims->c;
    call->window = (mn_piece){0, filter_dims->w * input_dims->c, filter_dims->h,
                              dilation.h * input_dims->w * input_dims->c, 0};
    call->patch = (mn_piece){0, filter_dims->h * filter_dims->w * filter_dims->c, 1, 0, 0};
    call->y_limit = input_dims->h - 1 - (filter_dims->h - 1) * dilation.h;
    call->x_limit = input_dims->w - 1 - (filter_dims->w - 1) * dilation.w;
}

mn_status mn_convolution_run(const mn_context *ctx, const mn_convolution *layer)
{
    if (!mn_is_convolution(layer))
    {
        return MN_ARG_ERROR;
    }
    const mn_dims *const filter_dims = layer->filter_dims;
    mn_conv_call call;
    call.parts = mn_conv_scratch_of(layer->kind, layer->params, layer->input_dims, filter_dims,
                                    layer->output_dims);
    if (call.parts.total < 0 || !mn_is_context(ctx, call.parts.total))
    {
        return MN_ARG_ERROR;
    }
    call.layer = layer;
    call.scratch = ctx->buf;
    call.groups = layer->input_dims->c / filter_dims->c;
    call.patch_offset = layer->params->input_offset - layer->kind->patch_bias;
    const int pointwise =
        mn_is_pointwise(layer->params, layer->input_dims, filter_dims, layer->output_dims);
    call.direct = mn_is_direct(layer->kind, pointwise, filter_dims);
    call.adjacent = call.direct && pointwise && layer->input_dims->h == layer->output_dims->h &&
                    layer->input_dims->w == layer->output_dims->w;
    mn_set_window(&call);
    mn_set_rows(&call);
    mn_run_positions(&call);
    return MN_SUCCESS;
}
