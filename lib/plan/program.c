/* Counting and writing a program, in one walk's order. */
#include "plan/program.h"

#include "core/size.h"

void *grad_builder_take(grad_builder *b, size_t count, size_t size)
{
    size_t begin = b->used;

    if (!grad_size_add_product(count, size, &b->used) ||
        !grad_size_align(GRAD_RUN_ALIGNMENT, &b->used))
        b->overflow = true;
    return b->base == NULL ? NULL : b->base + begin;
}

void *grad_builder_numbers(grad_builder *b, size_t rows, size_t cols)
{
    size_t count = 0;

    if (!grad_size_mul(rows, cols, &count))
        b->overflow = true;
    return grad_builder_take(b, count, grad_datatype_size(b->type));
}

void grad_builder_answer(grad_builder *b, grad_tensor *tensor, const grad_sample_axes *axes,
                         size_t rows, size_t cols)
{
    grad_tensor made = {.rank = axes->count};
    size_t all_rows, count = 0;

    for (size_t axis = 0; axis < axes->count; axis++)
        made.shape[axis] = axes->lengths[axis];
    if (rows != GRAD_NO_AXIS)
        made.shape[made.rank++] = rows;
    made.shape[made.rank++] = cols;
    all_rows = grad_tensor_rows(&made);
    if (!grad_size_mul(all_rows, cols, &count) ||
        !grad_size_add(b->result_numbers, count, &b->result_numbers))
        b->overflow = true;
    made.data = grad_builder_numbers(b, all_rows, cols);
    if (tensor != NULL)
        *tensor = made;
}

void grad_builder_begin_stage(grad_builder *b)
{
    b->open = (grad_stage){.first_part = b->program.part_count};
}

void grad_builder_end_stage(grad_builder *b)
{
    if (b->open.tile_count == 0)
        return;
    if (b->program.stages != NULL)
        b->program.stages[b->program.stage_count] = b->open;
    b->program.stage_count++;
}

size_t grad_builder_part(grad_builder *b, grad_part_kind kind, size_t layer,
                         grad_output_kind output, grad_grid grid, bool with_notes)
{
    size_t tiles = grad_grid_tile_count(&grid);
    grad_part part = {kind, output, layer, grid, b->open.tile_count, GRAD_NO_NOTES};

    if (with_notes) {
        part.first_note = b->program.note_count;
        if (!grad_size_add(b->program.note_count, tiles, &b->program.note_count))
            b->overflow = true;
    }
    if (!grad_size_add(b->open.tile_count, tiles, &b->open.tile_count))
        b->overflow = true;
    if (b->program.parts != NULL)
        b->program.parts[b->program.part_count] = part;
    b->open.part_count++;
    return b->program.part_count++;
}
