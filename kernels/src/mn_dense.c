/* SPDX-License-Identifier: Apache-2.0 */
#include "mn_dense.h"

#include "mn_arguments.h"

/* Where the parts of the scratch buffer start, in bytes; all multiples of 4. */
typedef struct
{
    int32_t patch;
    int32_t weights;
    int32_t outputs;
    int32_t depth; /* inputs per batch */
    int direct;    /* there are the sums of rows instead, if any */
} mn_dense_scratch;

/* Elements of one batch, or 0 unless the dimensions are positive and belong together. */
static int32_t mn_depth_of(const mn_dims *input_dims, const mn_dims *filter_dims,
                           const mn_dims *output_dims)
{
    int32_t depth;
    int32_t elements;
    if (input_dims == NULL || filter_dims == NULL || output_dims == NULL ||
        (input_dims->n | filter_dims->n | filter_dims->h | filter_dims->w | filter_dims->c) < 0 ||
        input_dims->n != output_dims->n || filter_dims->n != output_dims->c ||
        output_dims->h != 1 || output_dims->w != 1 ||
        __builtin_mul_overflow(filter_dims->h, filter_dims->w, &depth) ||
        __builtin_mul_overflow(depth, filter_dims->c, &depth) ||
        __builtin_mul_overflow(depth, filter_dims->n, &elements) ||
        __builtin_mul_overflow(depth, input_dims->n, &elements) ||
        __builtin_mul_overflow(filter_dims->n, input_dims->n, &elements) || elements == 0)
    {
        return 0;
    }
    const int is_same = input_dims->h == filter_dims->h && input_dims->w == filter_dims->w &&
                        input_dims->c == filter_dims->c;
    return is_same || mn_product_of(input_dims) == depth * input_dims->n ? depth : 0;
}

/* The bytes of all parts, or MN_ARG_ERROR when the dimensions are wrong or too large. */
MN_INLINE int32_t mn_dense_scratch_of(mn_dense_scratch *parts, const mn_conv_kind *kind,
                                      mn_dot *dot, const mn_dims *input_dims,
                                      const mn_dims *filter_dims, const mn_dims *output_dims)
{
    const int32_t depth = mn_depth_of(input_dims, filter_dims, output_dims);
    const int32_t rows = depth ? output_dims->c : 0;
    if (depth == 0 || (depth | rows) > MN_MAX_BUFFER / 16)
    {
        return MN_ARG_ERROR;
    }
    parts->depth = depth;
    parts->outputs = 0;
    parts->direct = dot != NULL && (rows <= MN_FEW_ROWS ||
                                    (depth > MN_MOST_COLUMN && depth > 2 * rows));
    if (parts->direct)
    {
        return rows <= MN_FEW_ROWS ? 0 : 4 * rows;
    }
    const int32_t group = mn_group_of(kind);
    int32_t bytes = mn_column_words(depth, group) * 4;
    parts->patch = bytes;
    bytes += kind->column_x1 != NULL ? 0 : (depth + 3) & ~3;
    parts->weights = bytes;
    bytes += depth < group ? rows * 4 : 0;
    parts->outputs = bytes;
    return bytes + (kind->input_bits == 4 ? (rows + 3) & ~3 : 0);
}

int32_t mn_dense_buffer_size(const mn_conv_kind *kind, mn_dot *dot, const mn_dims *input_dims,
                             const mn_dims *filter_dims, const mn_dims *output_dims)
{
    mn_dense_scratch parts;
    return mn_dense_scratch_of(&parts, kind, dot, input_dims, filter_dims, output_dims);
}

/* All but the dimensions. */
static int mn_is_layer(const mn_dense *layer)
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
static void mn_make_column(const mn_dense *layer, const mn_dense_scratch *parts,
                           uint8_t *scratch, int32_t first)
{
    const mn_conv_kind *const kind = layer->kind;
    const int32_t offset = layer->params->input_offset;
    uint32_t *const column = (uint32_t *)(void *)scratch;
    const mn_piece batch = {first, parts->depth, 1, 0, 0};
    if (kind->column_x1 != NULL)
    {
        kind->column_x1(column, layer->input, &batch, offset);
        return;
    }
    const mn_piece patch = {0, parts->depth, 1, 0, 0};
    kind->gather((int8_t *)scratch + parts->patch, layer->input, &batch);
    kind->patch_x1(column, scratch + parts->patch, &patch, offset - kind->patch_bias);
}

/* One batch without a column: all sums before the first output, which may lie where the inputs do. */
static void mn_run_direct(const mn_dense *layer, const mn_rows *rows, int32_t *scratch,
                          int32_t first, int8_t *output)
{
    int32_t few[MN_FEW_ROWS];
    int32_t *const sums = rows->rows <= MN_FEW_ROWS ? few : scratch;
    layer->dot((const int8_t *)layer->input + first, layer->params->input_offset, layer->filter,
               rows, sums);
    for (int32_t row = 0; row < rows->rows; ++row)
    {
        output[row] = mn_row_output(rows, row, sums[row]);
    }
}

static void mn_run_batches(const mn_dense *layer, const mn_dense_scratch *parts, uint8_t *scratch,
                           const void *filter, const mn_rows *rows)
{
    const mn_conv_kind *const kind = layer->kind;
    const uint32_t *const column = (const uint32_t *)(const void *)scratch;
    const int packed = kind->input_bits == 4;
    int32_t first = 0;
    int32_t to = 0;
    for (int32_t left = layer->output_dims->n; left > 0; --left)
    {
        int8_t *const values =
            packed ? (int8_t *)scratch + parts->outputs : (int8_t *)layer->output + to;
        if (parts->direct)
        {
            mn_run_direct(layer, rows, (int32_t *)(void *)scratch, first, values);
        }
        else
        {
            mn_make_column(layer, parts, scratch, first);
            mn_multiply(kind->matmul_x1, column, filter, 0, rows, values, 0);
        }
        kind->finish(layer->output, to, values, rows->rows, &layer->params->activation);
        first += parts->depth;
        to += rows->rows;
    }
}

mn_status mn_dense_run(const mn_context *ctx, const mn_dense *layer)
{
    if (!mn_is_layer(layer))
    {
        return MN_ARG_ERROR;
    }
    const mn_conv_kind *const kind = layer->kind;
    mn_dense_scratch parts;
    const int32_t bytes = mn_dense_scratch_of(&parts, kind, layer->dot, layer->input_dims,
                                              layer->filter_dims, layer->output_dims);
    if (bytes < 0 || !mn_is_context(ctx, bytes))
    {
        return MN_ARG_ERROR;
    }
    uint8_t *const scratch = bytes > 0 ? ctx->buf : NULL;
    mn_rows rows;
    rows.rows = layer->output_dims->c;
    rows.depth = parts.depth;
    rows.bias = layer->bias;
    rows.multiplier = layer->quant_params->multiplier;
    rows.shift = layer->quant_params->shift;
    rows.quant_step = layer->quant_params->is_per_channel != 0;
    rows.output_offset = layer->params->output_offset;
    const void *filter = layer->filter;
    if (!parts.direct && parts.depth < mn_group_of(kind))
    {
        mn_pad_rows(kind, scratch + parts.weights, filter, rows.rows, parts.depth);
        filter = scratch + parts.weights;
        rows.depth = mn_group_of(kind);
    }
    mn_run_batches(layer, &parts, scratch, filter, &rows);
    return MN_SUCCESS;
}
