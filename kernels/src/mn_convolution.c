#include "mn_convolution.h"

#include "mn_arguments.h"

#define MN_BLOCK 4

/* Where the parts of the scratch buffer start, in bytes; all multiples of 4. */
typedef struct
{
    int32_t patch;
    int32_t weights;
    int32_t outputs;
    int32_t total; /* MN_ARG_ERROR when it does not fit int32 */
} mn_layout;

/* One output position: its input image and the input coordinates of its first tap. */
typedef struct
{
    int32_t image;
    int32_t y;
    int32_t x;
} mn_position;

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
    return kind->column != NULL &&
           (pointwise || filter_dims->c % mn_group_of(kind) == 0);
}

static mn_layout mn_lay_out(const mn_conv_kind *kind, const mn_conv_params *params,
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
        return (mn_layout){.total = MN_ARG_ERROR};
    }
    mn_layout layout;
    layout.patch = mn_column_words(depth, group) * 4 * MN_BLOCK;
    layout.weights = layout.patch + (direct ? 0 : (depth + 3) & ~3);
    layout.outputs = layout.weights + (depth < group ? output_dims->c * 4 : 0);
    layout.total = layout.outputs + (kind->input_bits == 4 ? output_dims->c * MN_BLOCK : 0);
    return layout;
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
    return mn_lay_out(kind, params, input_dims, filter_dims, output_dims).total;
}

/* What gathering one patch needs, fixed for the whole call. */
typedef struct
{
    const mn_convolution *convolution;
    uint8_t *patch;
    int32_t patch_offset; /* the input offset, for the values in the patch */
    int32_t step;
    int direct;
    int pointwise;
} mn_gatherer;

/* Where a patch grows: the next column word, or the next patch element. */
typedef struct
{
    uint32_t *column;
    int32_t filled;
} mn_cursor;

static void mn_append_inputs(const mn_gatherer *gatherer, mn_cursor *cursor, int32_t from,
                             int32_t count)
{
    const mn_convolution *const conv = gatherer->convolution;
    if (gatherer->direct)
    {
        cursor->column = conv->kind->column(cursor->column, gatherer->step, conv->input, from,
                                            count, conv->params->input_offset);
        return;
    }
    conv->kind->gather(gatherer->patch, cursor->filled, conv->input, from, count);
    cursor->filled += count;
}

static void mn_append_padding(const mn_gatherer *gatherer, mn_cursor *cursor, int32_t count)
{
    if (gatherer->direct)
    {
        cursor->column = mn_column_zero(cursor->column, gatherer->step, count / 2);
        return;
    }
    mn_fill_s8(gatherer->patch, cursor->filled, -gatherer->patch_offset, count);
    cursor->filled += count;
}

/* One row of the patch; neighbouring taps are one piece when their channels are. */
static void mn_append_row(const mn_gatherer *gatherer, mn_cursor *cursor,
                          const mn_position *position, int32_t y, int32_t channel)
{
    const mn_convolution *const conv = gatherer->convolution;
    const mn_dims *const input = conv->input_dims;
    const mn_dims *const filter = conv->filter_dims;
    const int32_t row = ((position->image * input->h + y) * input->w) * input->c + channel;
    if (conv->params->dilation.w == 1 && filter->c == input->c)
    {
        const int32_t left = position->x >= 0 ? 0 : -position->x;
        const int32_t begin = left < filter->w ? left : filter->w;
        const int32_t inside = input->w - position->x;
        int32_t end = inside < filter->w ? inside : filter->w;
        end = end > begin ? end : begin;
        if (begin > 0)
        {
            mn_append_padding(gatherer, cursor, begin * input->c);
        }
        if (end > begin)
        {
            mn_append_inputs(gatherer, cursor, row + (position->x + begin) * input->c,
                             (end - begin) * input->c);
        }
        if (end < filter->w)
        {
            mn_append_padding(gatherer, cursor, (filter->w - end) * input->c);
        }
        return;
    }
    for (int32_t tap = 0; tap < filter->w; ++tap)
    {
        const int32_t x = position->x + tap * conv->params->dilation.w;
        if (x < 0 || x >= input->w)
        {
            mn_append_padding(gatherer, cursor, filter->c);
        }
        else
        {
            mn_append_inputs(gatherer, cursor, row + x * input->c, filter->c);
        }
    }
}

/* The column of one position for the input channels from `channel` on. */
static void mn_gather(const mn_gatherer *gatherer, uint32_t *column, const mn_position *position,
                      int32_t channel)
{
    const mn_convolution *const conv = gatherer->convolution;
    const mn_dims *const input = conv->input_dims;
    const mn_dims *const filter = conv->filter_dims;
    mn_cursor cursor = {column, 0};
    if (gatherer->pointwise)
    {
        const int32_t pixel =
            (position->image * input->h + position->y) * input->w + position->x;
        mn_append_inputs(gatherer, &cursor, pixel * input->c, input->c);
    }
    else
    {
        for (int32_t tap = 0; tap < filter->h; ++tap)
        {
            const int32_t y = position->y + tap * conv->params->dilation.h;
            if (y < 0 || y >= input->h)
            {
                mn_append_padding(gatherer, &cursor, filter->w * filter->c);
            }
            else
            {
                mn_append_row(gatherer, &cursor, position, y, channel);
            }
        }
    }
    if (!gatherer->direct)
    {
        conv->kind->patch_column(column, gatherer->step, gatherer->patch, 0, cursor.filled,
                                 gatherer->patch_offset);
    }
}

static void mn_advance(mn_position *position, const mn_convolution *conv)
{
    const mn_conv_params *const params = conv->params;
    const int32_t last_x = (conv->output_dims->w - 1) * params->stride.w - params->padding.w;
    const int32_t last_y = (conv->output_dims->h - 1) * params->stride.h - params->padding.h;
    if (position->x != last_x)
    {
        position->x += params->stride.w;
        return;
    }
    position->x = -params->padding.w;
    if (position->y != last_y)
    {
        position->y += params->stride.h;
        return;
    }
    position->y = -params->padding.h;
    ++position->image;
}

/* Groups of channels one after the other for `count` positions (a block, or one). */
static void mn_run_block(const mn_gatherer *gatherer, uint32_t *columns,
                         const mn_position *positions, int32_t count, int8_t *output)
{
    const mn_convolution *const conv = gatherer->convolution;
    const mn_conv_kind *const kind = conv->kind;
    const int32_t groups = conv->input_dims->c / conv->filter_dims->c;
    mn_rows rows = conv->rows;
    rows.rows = conv->rows.rows / groups;
    for (int32_t group = 0; group < groups; ++group)
    {
        for (int32_t i = 0; i < count; ++i)
        {
            mn_gather(gatherer, columns + i, &positions[i], group * conv->filter_dims->c);
        }
        const int32_t first = group * rows.rows * rows.depth;
        if (count == MN_BLOCK)
        {
            kind->matmul_x4(columns, conv->filter, first, &rows, output, conv->rows.rows);
        }
        else
        {
            kind->matmul_x1(columns, conv->filter, first, &rows, output);
        }
        output += rows.rows;
        rows.bias += rows.rows * rows.bias_step;
        rows.multiplier += rows.rows * rows.quant_step;
        rows.shift += rows.rows * rows.quant_step;
    }
}

static void mn_run_positions(mn_convolution *conv, uint8_t *scratch, const mn_layout *layout,
                             int pointwise)
{
    const mn_conv_kind *const kind = conv->kind;
    const mn_dims *const dims = conv->output_dims;
    const int32_t total = dims->n * dims->h * dims->w;
    mn_gatherer gatherer = {conv, scratch + layout->patch,
                            conv->params->input_offset - kind->patch_bias, MN_BLOCK,
                            mn_is_direct(kind, pointwise, conv->filter_dims), pointwise};
    mn_position next = {0, -conv->params->padding.h, -conv->params->padding.w};
    mn_position positions[MN_BLOCK];
    for (int32_t done = 0; done < total;)
    {
        const int32_t count = total - done >= MN_BLOCK ? MN_BLOCK : 1;
        for (int32_t i = 0; i < count; ++i)
        {
            positions[i] = next;
            mn_advance(&next, conv);
        }
        gatherer.step = count;
        const int32_t to = done * dims->c;
        int8_t *const values = kind->input_bits == 4 ? (int8_t *)scratch + layout->outputs
                                                     : (int8_t *)conv->output + to;
        mn_run_block(&gatherer, (uint32_t *)(void *)scratch, positions, count, values);
        kind->finish(conv->output, to, values, count * dims->c, &conv->params->activation);
        done += count;
    }
}

mn_status mn_convolution_run(const mn_context *ctx, mn_convolution *conv, const int32_t *bias)
{
    static const int32_t no_bias = 0;
    const mn_conv_params *const params = conv->params;
    const int32_t bits = conv->kind->input_bits;
    if (!mn_is_geometry(params, conv->input_dims, conv->filter_dims, conv->output_dims) ||
        conv->input == NULL || conv->filter == NULL || conv->output == NULL ||
        conv->rows.multiplier == NULL || conv->rows.shift == NULL ||
        !mn_is_input_offset(params->input_offset, bits) ||
        !mn_is_value(params->output_offset, bits) || !mn_is_activation(&params->activation, bits))
    {
        return MN_ARG_ERROR;
    }
    const mn_layout layout = mn_lay_out(conv->kind, params, conv->input_dims, conv->filter_dims,
                                        conv->output_dims);
    if (layout.total < 0 || !mn_is_context(ctx, layout.total))
    {
        return MN_ARG_ERROR;
    }
    uint8_t *const scratch = ctx->buf;
    conv->rows.rows = conv->output_dims->c;
    conv->rows.depth = conv->filter_dims->h * conv->filter_dims->w * conv->filter_dims->c;
    conv->rows.bias = bias != NULL ? bias : &no_bias;
    conv->rows.bias_step = bias != NULL;
    conv->rows.output_offset = params->output_offset;
    const int pointwise =
        mn_is_pointwise(params, conv->input_dims, conv->filter_dims, conv->output_dims);
    conv->rows.is_plain = mn_are_plain_rows(&conv->rows);
    if (conv->rows.depth < mn_group_of(conv->kind))
    {
        mn_pad_rows(conv->kind, scratch + layout.weights, conv->filter, conv->rows.rows,
                    conv->rows.depth);
        conv->filter = scratch + layout.weights;
        conv->rows.depth = mn_group_of(conv->kind);
    }
    mn_run_positions(conv, scratch, &layout, pointwise);
    return MN_SUCCESS;
}
