/* The coding zstd (RFC 8878), put on by libzstd: one frame, with its length and a checksum. */
#include "body/body.h"
#include "body/coding.h"

#include <stdlib.h>
#include <zstd.h>

#define PIECE 16384
#define LEVEL 1
/* What its first level takes at most, as ZSTD_sizeof_CCtx says of libzstd 1.5.4. */
#define CONTEXT_MEMORY ((size_t)1400 << 10)

typedef struct zstd_writer {
    ZSTD_CCtx *context;
    char piece[PIECE];
} zstd_writer;

static void destroy(void *state)
{
    zstd_writer *f = state;

    ZSTD_freeCCtx(f->context);
    free(f);
}

static bool is_set(zstd_writer *f, size_t size)
{
    return !ZSTD_isError(ZSTD_CCtx_setParameter(f->context, ZSTD_c_compressionLevel, LEVEL)) &&
           !ZSTD_isError(ZSTD_CCtx_setParameter(f->context, ZSTD_c_checksumFlag, 1)) &&
           !ZSTD_isError(ZSTD_CCtx_setPledgedSrcSize(f->context, size));
}

static grad_status create(size_t size, void **state, grad_error *error)
{
    zstd_writer *f = calloc(1, sizeof *f);

    if (f == NULL)
        return coding_fail_memory(error);
    f->context = ZSTD_createCCtx();
    if (f->context == NULL || !is_set(f, size)) {
        destroy(f);
        return coding_fail_memory(error);
    }
    *state = f;
    return GRAD_OK;
}

/* It fails for want of memory, at its first call. */
static void push(void *state, const char *bytes, size_t length, bool is_last, grad_text *out)
{
    zstd_writer *f = state;
    ZSTD_inBuffer in = {.src = bytes, .size = length};
    size_t rest;

    do {
        ZSTD_outBuffer made = {.dst = f->piece, .size = PIECE};
        rest = ZSTD_compressStream2(f->context, &made, &in, is_last ? ZSTD_e_end : ZSTD_e_continue);
        if (ZSTD_isError(rest)) {
            out->status = GRAD_OUT_OF_MEMORY;
            return;
        }
        grad_text_add(out, f->piece, made.pos);
    } while (is_last ? rest > 0 : in.pos < in.size);
}

const body_compressor body_compressor_zstd = {.coding = "zstd",
                                              .is_named_only = true,
                                              .memory = sizeof(zstd_writer) + CONTEXT_MEMORY,
                                              .seconds_per_byte = 4e-9,
                                              .create = create,
                                              .push = push,
                                              .destroy = destroy};
