/* The work of a run as a program: stages, each a list of parts, each an array cut into tiles. Built
 * twice from the same walk over the batch: once counting, once writing into memory of the size
 * counted. Which parts there are is layout.c's; what is done in them forward.c's, backward.c's and
 * finish.c's. */
#ifndef GRAD_PLAN_PROGRAM_H
#define GRAD_PLAN_PROGRAM_H

#include "gradient.h"
#include "model/tiles.h"
#include "plan/flow.h"

typedef enum grad_part_kind {
    GRAD_PART_PREPARE,    /* what its kind works out before all else */
    GRAD_PART_FORWARD,    /* z */
    GRAD_PART_OUTPUT,     /* y */
    GRAD_PART_LOSS,       /* value, and ∂L/∂y or δ of the last layer */
    GRAD_PART_ZEROS,      /* of f' where no δ is worked out */
    GRAD_PART_JOIN,       /* ∂L/∂y += those of residual connections */
    GRAD_PART_DELTA,      /* δ */
    GRAD_PART_ANSWER,     /* the output of a layer that part.output names */
    GRAD_PART_JOIN_INPUT, /* ∂L/∂x of the network += those of residual connections */
    GRAD_PART_CLIP,       /* a delta by value, and its norm */
    GRAD_PART_FACTORS,    /* of clipping by norms, all layers */
    GRAD_PART_FINISH,     /* a delta's factor, decay and scale; an output's statistics */
    GRAD_PART_KIND_COUNT
} grad_part_kind;

#define GRAD_NO_NOTES SIZE_MAX
#define GRAD_NO_AXIS SIZE_MAX

typedef struct grad_part {
    grad_part_kind kind;
    grad_output_kind output;
    size_t layer;
    grad_grid grid;
    size_t first_tile; /* its number within the stage */
    size_t first_note; /* its tiles' first note, or GRAD_NO_NOTES */
} grad_part;

typedef struct grad_stage {
    size_t first_part, part_count;
    size_t tile_count;
} grad_stage;

#define GRAD_FINITE SIZE_MAX

/* What a tile found out, for those who add it up: each is written by its tile alone. */
typedef struct grad_note {
    size_t bad; /* the first element of the whole array that is not finite, or GRAD_FINITE */
    size_t clipped;
    size_t zeros;
    grad_statistics statistics;
} grad_note;

typedef struct grad_program {
    grad_stage *stages;
    grad_part *parts;
    grad_note *notes;
    size_t stage_count, part_count, note_count;
} grad_program;

#define GRAD_RUN_ALIGNMENT ((size_t)64)

/* Counts, or (base not NULL) writes. */
typedef struct grad_builder {
    grad_datatype type;
    char *base;  /* of the block, aligned to GRAD_RUN_ALIGNMENT */
    size_t used; /* its bytes so far */
    bool overflow;
    size_t result_numbers; /* elements of the answer */
    double flops, elements;
    grad_program program; /* its counts grow; its arrays are written to where they are not NULL */
    grad_stage open;
} grad_builder;

/* The next count elements of that size in the block, zero or more; NULL while counting. */
void *grad_builder_take(grad_builder *b, size_t count, size_t size);

/* The same for rows * cols numbers of the batch's datatype. */
void *grad_builder_numbers(grad_builder *b, size_t rows, size_t cols);

/* Makes *tensor (NULL while counting) a tensor of the answer, of shape [axes…,rows,cols]; rows may
 * be GRAD_NO_AXIS: then it has no such axis. */
void grad_builder_answer(grad_builder *b, grad_tensor *tensor, const grad_sample_axes *axes,
                         size_t rows, size_t cols);

/* Parts are added between the two; a stage without parts is none. */
void grad_builder_begin_stage(grad_builder *b);
void grad_builder_end_stage(grad_builder *b);

/* Adds a part; with_notes: its tiles have notes. Returns its number. */
size_t grad_builder_part(grad_builder *b, grad_part_kind kind, size_t layer,
                         grad_output_kind output, grad_grid grid, bool with_notes);

#endif
