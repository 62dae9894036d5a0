#include "mn_fully_connected.h"

#include "mn_arguments.h"

#define MN_BLOCK 4

/* Where the parts of the scratch buffer start, in bytes; all multiples of 4. */
typedef struct
{
    int32_t depth;
    int32_t patch;
    int32_t weights;
    int32_t outputs;
    int32_t total; /* MN_ARG_ERROR when it does not fit int32 */
} mn_layout;

static mn_layout mn_lay_out(const mn_conv_kind *kind, const mn_dims *input_dims,
                            const mn_dims *output_dims)
{
    const int32_t group = mn_group_of(kind);
    const int32_t positions = input_dims->n < MN_BLOCK ? 1 : MN_BLOCK;
    const int32_t depth = input_dims->h * input_dims->w * input_dims->c;
    const int64_t columns = (int64_t)mn_column_words(depth, group) * 4 * positions;
    const int64_t patch = kind->column != NULL ? 0 : ((int64_t)depth + 3) & ~(int64_t)3;
    const int64_t weights = depth < group ? (int64_t)output_dims->c * 4 : 0;
    const int64_t outputs =
        kind->input_bits == 4 ? ((int64_t)output_dims->c * positions + 3) & ~(int64_t)3 : 0;
    const int64_t total = columns + patch + weights + outputs;
    if (total > MN_MAX_BUFFER)
    {
        return (mn_layout){.total = MN_ARG_ERROR};
    }
    return (mn_layout){depth, (int32_t)columns, (int32_t)(columns + patch),
                       (int32_t)(columns + patch + weights), (int32_t)total};
}

static int mn_is_geometry(const mn_dims *input_dims, const mn_dims *filter_dims,
                          const mn_dims *output_dims)
{
    return mn_is_dims(input_dims) && mn_is_dims(filter_dims) && mn_is_dims(output_dims) &&
           input_dims->n == output_dims->n && output_dims->h == 1 && output_dims->w == 1 &&
           filter_dims->n == output_dims->c &&
           filter_dims->h * filter_dims->w * filter_dims->c ==
               input_dims->h * input_dims->w * input_dims->c;
}

int32_t mn_fully_connected_buffer_size(const mn_conv_kind *kind, const mn_dims *input_dims,
                                       const mn_dims *filter_dims, const mn_dims *output_dims)
{
    if (!mn_is_geometry(input_dims, filter_dims, output_dims))
    {
        return MN_ARG_ERROR;
    }
    return mn_lay_out(kind, input_dims, output_dims).total;
}

static int mn_is_layer(const mn_fully_connected *layer)
{
    const int32_t bits = layer->kind->input_bits;
    return layer->params != NULL && layer->quant_params != NULL &&
           layer->quant_params->multiplier != NULL && layer->quant_params->shift != NULL &&
           layer->input != NULL && layer->filter != NULL && layer->output != NULL &&
           mn_is_geometry(layer->input_dims, layer->filter_dims, layer->output_dims) &&
           mn_is_input_offset(layer->params->input_offset, bits) &&
           mn_is_value(layer->params->output_offset, bits) &&
           mn_is_activation(&layer->params->activation, bits);
}

/* The column of one batch. */
static void mn_make_column(const mn_fully_connected *layer, const mn_layout *layout,
                           uint8_t *scratch, uint32_t *column, int32_t step, int32_t batch)
{
    const mn_conv_kind *const kind = layer->kind;
    const int32_t offset = layer->params->input_offset;
    const int32_t first = batch * layout->depth;
    if (kind->column != NULL)
    {
        kind->column(column, step, layer->input, first, layout->depth, offset);
        return;
    }
    kind->gather(scratch + layout->patch, 0, layer->input, first, layout->depth);
    kind->patch_column(column, step, scratch + layout->patch, 0, layout->depth, offset);
}

static void mn_run_batches(const mn_fully_connected *layer, const mn_layout *layout,
                           uint8_t *scratch, const void *filter, const mn_rows *rows)
{
    const mn_conv_kind *const kind = layer->kind;
    uint32_t *const columns = (uint32_t *)(void *)scratch;
    const int32_t batches = layer->output_dims->n;
    for (int32_t batch = 0; batch < batches;)
    {
        const int32_t count = batches - batch >= MN_BLOCK ? MN_BLOCK : 1;
        const int32_t to = batch * rows->rows;
        int8_t *const values = kind->input_bits == 4 ? (int8_t *)scratch + layout->outputs
                                                     : (int8_t *)layer->output + to;
        for (int32_t i = 0; i < count; ++i)
        {
            mn_make_column(layer, layout, scratch, columns + i, count, batch + i);
        }
        if (count == MN_BLOCK)
        {
            kind->matmul_x4(columns, filter, 0, rows, values, rows->rows);
        }
        else
        {
            kind->matmul_x1(columns, filter, 0, rows, values);
        }
        kind->finish(layer->output, to, values, count * rows->rows, &layer->params->activation);
        batch += count;
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
    const mn_layout layout = mn_lay_out(kind, layer->input_dims, layer->output_dims);
    if (layout.total < 0 || !mn_is_context(ctx, layout.total))
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
    rows.is_plain = layer->output_dims->n >= MN_BLOCK && mn_are_plain_rows(&rows);
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
