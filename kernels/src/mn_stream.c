/* SPDX-License-Identifier: Apache-2.0 */
#include "mn_arguments.h"
#include "mn_move.h"
#include "mn_stream_part.h"

static int32_t mn_least(int32_t first, int32_t second)
{
    return first < second ? first : second;
}

/* The stages of the table, and which of them are guests in whose line buffer. */
static int mn_find_stages(mn_stream_call *call, const mn_stream_group *group)
{
    const int32_t *words = group->table;
    call->head = (const mn_stream_head *)(const void *)words;
    words += MN_STREAM_HEAD_WORDS;
    for (int32_t i = 0; i < call->head->stages; ++i)
    {
        const mn_stream_stage *const stage = (const mn_stream_stage *)(const void *)words;
        call->states[i] = (mn_stream_state){stage, 0, 0, 0, MN_STREAM_NONE};
        words += stage->words;
        if (stage->front != 0)
        {
            if (stage->front < 0 || stage->front > MN_MAX_BUFFER || stage->source[0] < 0 ||
                stage->source[0] >= i)
            {
                return 0;
            }
            mn_stream_state *const host = &call->states[stage->source[0]];
            if (host->guest >= 0 || stage->padding < 0 || stage->padding > host->stage->slots)
            {
                return 0;
            }
            host->guest = i;
            host->base = -stage->padding;
        }
    }
    return 1;
}

int32_t mn_stream_begin(mn_stream_call *call, const mn_stream_group *group)
{
    if (!mn_find_stages(call, group))
    {
        return MN_ARG_ERROR;
    }
    int64_t bytes = 0;
    for (int32_t i = 0; i < call->head->stages && mn_has_line(call, i); ++i)
    {
        mn_stream_state *const state = &call->states[i];
        const mn_stream_stage *const stage = state->stage;
        if (stage->slots < 1 || stage->row_bytes < 1 ||
            (int64_t)stage->slots * stage->row_bytes > MN_MAX_BUFFER)
        {
            return MN_ARG_ERROR;
        }
        if (stage->front != 0)
        {
            state->offset = call->states[stage->source[0]].offset - stage->front;
            continue;
        }
        for (int32_t guest = state->guest; guest >= 0; guest = call->states[guest].guest)
        {
            bytes += call->states[guest].stage->front;
        }
        if (bytes > MN_MAX_BUFFER)
        {
            return MN_ARG_ERROR;
        }
        state->offset = (int32_t)bytes;
        bytes += ((int64_t)stage->slots * stage->row_bytes + 3) & ~3LL;
        if (bytes > MN_MAX_BUFFER)
        {
            return MN_ARG_ERROR;
        }
    }
    return (int32_t)bytes;
}

/* The first row that the next window of a stage reads; it may lie above the input. */
static int32_t mn_first_row(const mn_stream_state *state)
{
    return state->end * state->stage->stride - state->stage->padding;
}

static int32_t mn_rows_of(const mn_stream_call *call, int32_t source)
{
    return source < 0 ? call->head->rows : call->states[source].stage->rows;
}

/* The row behind the last one that the next `count` windows read. */
static int32_t mn_last_row(const mn_stream_call *call, const mn_stream_state *state,
                           int32_t source, int32_t count)
{
    const mn_stream_stage *const stage = state->stage;
    return mn_least(mn_first_row(state) + (count - 1) * stage->stride + stage->reach,
                    mn_rows_of(call, source));
}

static int mn_has_inputs(const mn_stream_call *call, const mn_stream_state *state, int32_t count)
{
    for (int32_t input = 0; input < 2; ++input)
    {
        const int32_t source = state->stage->source[input];
        if (source >= 0 &&
            call->states[source].end < mn_last_row(call, state, source, count))
        {
            return 0;
        }
    }
    return 1;
}

/* The first row of a stage's output that a stage behind it still reads. */
static int32_t mn_first_kept(const mn_stream_call *call, int32_t index)
{
    int32_t kept = call->states[index].end;
    for (int32_t i = index + 1; i < call->head->stages; ++i)
    {
        const mn_stream_state *const reader = &call->states[i];
        const int32_t *const source = reader->stage->source;
        if ((source[0] == index || source[1] == index) && reader->end < reader->stage->rows)
        {
            kept = mn_least(kept, mn_first_row(reader));
        }
    }
    return kept;
}

/* Whether no rows of the guests in a line buffer lie where its own rows do. */
static int mn_is_clear(const mn_stream_call *call, const mn_stream_state *state)
{
    const int32_t offset = state->offset;
    while (state->guest >= 0)
    {
        state = &call->states[state->guest];
        if (state->offset + (state->end - state->base) * state->stage->row_bytes > offset)
        {
            return 0;
        }
    }
    return 1;
}

/* Rows that nobody reads any more leave the line buffer of a stage, where it is clear. */
static int mn_settle(mn_stream_call *call, int32_t index)
{
    mn_stream_state *const state = &call->states[index];
    if (!mn_is_clear(call, state))
    {
        return 0;
    }
    const int32_t kept = mn_first_kept(call, index);
    if (kept > state->base)
    {
        if (call->kernels != NULL)
        {
            const int32_t row_bytes = state->stage->row_bytes;
            uint8_t *const line = call->lines + state->offset;
            mn_move_down(line, line + (kept - state->base) * row_bytes,
                         (state->end - kept) * row_bytes);
        }
        state->base = kept;
    }
    return 1;
}

/* Whether the output of a 1x1 convolution that lies in the line buffer of its input would begin
 * behind what it reads. */
static int mn_is_behind(const mn_stream_call *call, const mn_stream_state *state)
{
    const mn_stream_stage *const stage = state->stage;
    if (stage->front == 0 || stage->kind != MN_STREAM_CONV)
    {
        return 0;
    }
    const mn_stream_state *const source = &call->states[stage->source[0]];
    return (state->end - state->base) * stage->row_bytes >
           stage->front + (state->end - source->base) * source->stage->row_bytes;
}

/* Whether the line buffer of a stage has room for `count` rows, those that nobody reads left out. */
static int mn_has_room(mn_stream_call *call, int32_t index, int32_t count)
{
    const mn_stream_state *const state = &call->states[index];
    const int32_t end = state->end + count;
    const int32_t slots = state->stage->slots;
    const int is_full = end - state->base > slots;
    return (is_full ? mn_settle(call, index) : mn_is_clear(call, state)) &&
           !mn_is_behind(call, state) && end - state->base <= slots;
}

static const void *mn_row_of(const mn_stream_call *call, int32_t source, int32_t row)
{
    if (source < 0)
    {
        return (const uint8_t *)call->inputs[0] + row * call->head->row_bytes;
    }
    const mn_stream_state *const state = &call->states[source];
    return call->lines + state->offset + (row - state->base) * state->stage->row_bytes;
}

/* Computes the next `count` rows of a stage. */
static mn_status mn_run_stage(const mn_stream_call *call, int32_t index, int32_t count)
{
    const mn_stream_state *const state = &call->states[index];
    const mn_stream_stage *const stage = state->stage;
    const int32_t source_rows = mn_rows_of(call, stage->source[0]);
    const int32_t first = mn_first_row(state);
    const int32_t inside = first < 0 ? 0 : mn_least(first, source_rows);
    const int32_t behind = mn_last_row(call, state, stage->source[0], count);
    const int is_sum = stage->kind == MN_STREAM_GLOBAL_AVERAGE_POOL;
    mn_stream_part part;
    part.scratch = call->scratch;
    part.options = mn_options_of(stage);
    part.input_rows = behind > inside ? behind - inside : 0; /* PAD may read none */
    part.output_rows = count;
    part.padding = inside - first;
    part.first = state->end;
    part.elements = count * stage->row_bytes * (8 / call->kernels->input_bits);
    part.input[0] = mn_row_of(call, stage->source[0], inside);
    part.input[1] =
        stage->kind == MN_STREAM_ADD ? mn_row_of(call, stage->source[1], inside) : NULL;
    part.filter = call->inputs[stage->filter];
    part.bias = stage->bias > 0 ? call->inputs[stage->bias] : NULL;
    part.sums = is_sum ? (int32_t *)(void *)(call->lines + state->offset) : NULL;
    part.output = index + 1 < call->head->stages
                      ? call->lines + state->offset + (state->end - state->base) * stage->row_bytes
                      : call->output + (is_sum ? 0 : state->end * stage->row_bytes);
    return call->kernels->run[stage->kind](&part);
}

mn_status mn_stream_rows(mn_stream_call *call)
{
    const int32_t last = call->head->stages - 1;
    const mn_stream_state *const output = &call->states[last];
    int32_t index = last;
    int32_t waiting = 0; /* stages in a row that could not run */
    while (output->end < output->stage->rows)
    {
        if (waiting > last)
        {
            return MN_ARG_ERROR;
        }
        mn_stream_state *const state = &call->states[index];
        const mn_stream_stage *const stage = state->stage;
        const int32_t count =
            mn_least(state->end > 0 ? stage->step : stage->start, stage->rows - state->end);
        if (count <= 0 || !mn_has_inputs(call, state, count) || !mn_has_room(call, index, count))
        {
            if (stage->front != 0)
            {
                mn_settle(call, index);
            }
            index = index > 0 ? index - 1 : last;
            ++waiting;
            continue;
        }
        if (call->kernels != NULL && mn_run_stage(call, index, count) != MN_SUCCESS)
        {
            return MN_ARG_ERROR;
        }
        state->end += count;
        index = index < last ? index + 1 : last;
        waiting = 0;
    }
    return MN_SUCCESS;
}

mn_status mn_stream_run(const mn_stream_kernels *kernels, const mn_context *ctx,
                        const mn_stream_group *group, const void *const *inputs, void *output)
{
    mn_stream_call call;
    const int32_t bytes = mn_stream_begin(&call, group);
    if (inputs == NULL || output == NULL || bytes < 0 || !mn_is_context(ctx, bytes))
    {
        return MN_ARG_ERROR;
    }
    call.kernels = kernels;
    call.inputs = inputs;
    call.output = output;
    call.lines = ctx == NULL ? NULL : ctx->buf;
    call.scratch = (mn_context){call.lines == NULL ? NULL : call.lines + bytes,
                                ctx == NULL ? 0 : ctx->size - bytes};
    return mn_stream_rows(&call);
}
