#include "mn_fully_connected.h"

#include "mn_arguments.h"

/* Where the parts of the scratch buffer start, in bytes; all multiples of 4. */
typedef struct
{
    int32_t patch;
    int32_t weights;
    int32_t outputs;
    int32_t depth; /* inputs per batch */
    int direct;    /* there are the sums of rows instead */
} mn_layout;

/* Elements of one batch, or 0 unless the dimensions belong together. */
static int32_t mn_depth_of(const mn_dims *input_dims, const mn_dims *filter_dims,
                           const mn_dims *output_dims)
{
    if (mn_product_of(input_dims) == 0 || mn_product_of(filter_dims) == 0 ||
        output_dims == NULL || input_dims->n != output_dims->n || output_dims->h != 1 ||
        output_dims->w != 1 || filter_dims->n != output_dims->c)
    {
        return 0;
    }
    const int32_t depth = input_dims->h * input_dims->w * input_dims->c;
    int32_t outputs;
    if (__builtin_mul_overflow(output_dims->n, output_dims->c, &outputs) ||
        filter_dims->h * filter_dims->w * filter_dims->c != depth)
    {
        return 0;
    }
    return depth;
}

/* The bytes of all parts, or MN_ARG_ERROR when the dimensions are wrong or too large. */
MN_INLINE int32_t mn_lay_out(mn_layout *layout, const mn_conv_kind *kind, mn_dot *dot,
                             const mn_dims *input_dims, const mn_dims *filter_dims,
                             const mn_dims *output_dims)
{
    const int32_t depth = mn_depth_of(input_dims, filter_dims, output_dims);
    const int32_t rows = depth ? output_dims->c : 0;
    if (depth == 0 || (depth | rows) > MN_MAX_BUFFER / 16)
    {
        return MN_ARG_ERROR;
    }
    const int32_t group = mn_group_of(kind);
    int32_t bytes = mn_column_words(depth, group) * 4;
    layout->depth = depth;
    layout->direct = dot != NULL && depth > MN_MOST_COLUMN && depth > 2 * rows;
    layout->patch = bytes;
    bytes += kind->column != NULL ? 0 : (depth + 3) & ~3;
    layout->weights = bytes;
    bytes += depth < group ? rows * 4 : 0;
    layout->outputs = bytes;
    bytes += kind->input_bits == 4 ? (rows + 3) & ~3 : 0;
    return layout->direct ? 4 * rows : bytes;
}

int32_t mn_fully_connected_buffer_size(const mn_conv_kind *kind, mn_dot *dot,
                                       const mn_dims *input_dims, const mn_dims *filter_dims,
                                       const mn_dims *output_dims)
{
    mn_layout layout;
    return mn_lay_out(&layout, kind, dot, input_dims, filter_dims, output_dims);
}

/* All but the dimensions. */
static int mn_is_layer(const mn_fully_connected *layer)
{
    const int32_t bits = layer->kind->input_bits;
    return layer->params != NULL && layer->quant_params != NULL &&
           layer->quant_params->multiplier != NULL && layer->quant_params->shift != NULL &&
           layer->input != NULL && layer->filter != NULL && layer->output != NULL &&
           mn_is_input_offset(layer->params->input_offset, bits) &&
           mn_is_value(layer->params->output_offset, bits) &&
           mn_is_activation(&layer->params->activation, bits);
}

/* The column of one batch. */
static void mn_make_column(const mn_fully_connected *layer, const mn_layout *layout,
                           uint8_t *scratch, int32_t first)
{
    const mn_conv_kind *const kind = layer->kind;
    const int32_t offset = layer->params->input_offset;
    uint32_t *const column = (uint32_t *)(void *)scratch;
    if (kind->column != NULL)
    {
        kind->column(column, 1, layer->input, first, layout->depth, offset);
        return;
    }
    kind->gather(scratch + layout->patch, 0, layer->input, first, layout->depth);
    kind->patch_column(column, 1, scratch + layout->patch, 0, layout->depth,
                       offset - kind->patch_bias);
}

/* One batch without a column. */
static void mn_run_direct(const mn_fully_connected *layer, const mn_rows *rows, int32_t *sums,
                          int32_t first, int8_t *output)
{
    layer->dot((const int8_t *)layer->input + first, layer->params->input_offset, layer->filter,
               rows, sums);
    for (int32_t row = 0; row < rows->rows; ++row)
    {
        output[row] = mn_row_output(rows, row, sums[row]);
    }
}

static void mn_run_batches(const mn_fully_connected *layer, const mn_layout *layout,
                           uint8_t *scratch, const void *filter, const mn_rows *rows)
{
    const mn_conv_kind *const kind = layer->kind;
    const uint32_t *const column = (const uint32_t *)(const void *)scratch;
    for (int32_t batch = 0; batch < layer->output_dims->n; ++batch)
    {
        const int32_t to = batch * rows->rows;
        int8_t *const values = kind->input_bits == 4 ? (int8_t *)scratch + layout->outputs
                                                     : (int8_t *)layer->output + to;
        const int32_t first = batch * layout->depth;
        if (layout->direct)
        {
            mn_run_direct(layer, rows, (int32_t *)(void *)scratch, first, values);
        }
        else
        {
            mn_make_column(layer, layout, scratch, first);
            kind->matmul_x1(column, filter, 0, rows, values);
        }
        kind->finish(layer->output, to, values, rows->rows, &layer->params->activation);
    }
}

mn_status mn_fully_connected_run(const mn_context *ctx, const mn_fully_connected *layer)
{
    static const int32_t no_bias = 0;
    if (!mn_is_layer(layer))
    {
        return MN_ARG_ERROR;
    }
    const mn_conv_kind *const kind = layer->kind;
    mn_layout layout;
    const int32_t bytes = mn_lay_out(&layout, kind, layer->dot, layer->input_dims, layer->filter_dims,
                                     layer->output_dims);
    if (bytes < 0 || !mn_is_context(ctx, bytes))
    {
        return MN_ARG_ERROR;
    }
    uint8_t *const scratch = ctx->buf;
    mn_rows rows;
    rows.rows = layer->output_dims->c;
    rows.depth = layout.depth;
    rows.bias = layer->bias != NULL ? layer->bias : &no_bias;
    rows.bias_step = layer->bias != NULL;
    rows.multiplier = layer->quant_params->multiplier;
    rows.shift = layer->quant_params->shift;
    rows.quant_step = layer->quant_params->is_per_channel != 0;
    rows.output_offset = layer->params->output_offset;
    const void *filter = layer->filter;
    if (layout.depth < mn_group_of(kind))
    {
        mn_pad_rows(kind, scratch + layout.weights, filter, rows.rows, layout.depth);
        filter = scratch + layout.weights;
        rows.depth = mn_group_of(kind);
    }
    mn_run_batches(layer, &layout, scratch, filter, &rows);
    return MN_SUCCESS;
}
