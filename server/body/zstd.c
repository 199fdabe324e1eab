/* The coding zstd (RFC 8878), taken off by libzstd. A body may be several frames, which are read as
 * one text, with skippable ones among them; nothing else may stand behind them. */
#include "body/body.h"
#include "body/coding.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <zstd.h>
#include <zstd_errors.h>

/* Bytes that come out at once. */
#define PIECE 4096
/* 8 MiB: what RFC 9659, section 3, lets a sender use at most. */
#define WINDOW_LOG 23
/* A block of a frame, which is kept whole. */
#define BLOCK ((size_t)128 << 10)
#define MAGIC_LENGTH 4

#define NAME "zstd (RFC 8878)"

typedef struct unzstd {
    ZSTD_DCtx *context;
    size_t bare_memory; /* of the context, without its buffers */
    bool is_inside;     /* a frame */
    bool has_frame;     /* one is complete */
    size_t magic;       /* bytes of the frame's magic number that have come */
    bool is_skippable;  /* by the first of them */
    size_t taken, made; /* encoded and decoded bytes */
    char piece[PIECE];
} unzstd;

static grad_status create(void **state, grad_error *error)
{
    unzstd *f = calloc(1, sizeof *f);

    if (f == NULL)
        return coding_fail_memory(error);
    f->context = ZSTD_createDCtx();
    if (f->context == NULL ||
        ZSTD_isError(ZSTD_DCtx_setParameter(f->context, ZSTD_d_windowLogMax, WINDOW_LOG))) {
        ZSTD_freeDCtx(f->context);
        free(f);
        return coding_fail_memory(error);
    }
    f->bare_memory = ZSTD_sizeof_DCtx(f->context);
    *state = f;
    return GRAD_OK;
}

static grad_status fail(grad_error *error, size_t result)
{
    ZSTD_ErrorCode code = ZSTD_getErrorCode(result);

    if (code == ZSTD_error_memory_allocation)
        return coding_fail_memory(error);
    if (code == ZSTD_error_frameParameter_windowTooLarge)
        return coding_fail(error, NAME " with a window of at most 8 MiB", "a larger one");
    return coding_fail(error, NAME, ZSTD_getErrorName(result));
}

/* Whether bytes go on with a magic number that libzstd may see: it reads formats older than the
 * RFC too, which know no bounds of the window. */
static bool go_on_with_magic(unzstd *f, const char *bytes, size_t length)
{
    static const unsigned char frame[MAGIC_LENGTH] = {0x28, 0xb5, 0x2f, 0xfd};
    static const unsigned char skippable[MAGIC_LENGTH] = {0x50, 0x2a, 0x4d, 0x18};

    for (size_t i = 0; i < length && f->magic < MAGIC_LENGTH; i++, f->magic++) {
        unsigned char byte = (unsigned char)bytes[i];
        if (f->magic == 0) {
            f->is_skippable = (byte & 0xf0) == skippable[0];
            byte = f->is_skippable ? skippable[0] : byte;
        }
        if (byte != (f->is_skippable ? skippable : frame)[f->magic])
            return false;
    }
    return true;
}

static grad_status begin_frame(unzstd *f, const ZSTD_inBuffer *in, grad_error *error)
{
    if (go_on_with_magic(f, (const char *)in->src + in->pos, in->size - in->pos))
        return GRAD_OK;
    return coding_fail(error, NAME, f->has_frame ? "bytes behind its end" : "another format");
}

/* Makes one piece of output. */
static grad_status make_piece(unzstd *f, ZSTD_inBuffer *in, bool *is_full, const body_sink *next,
                              grad_error *error)
{
    ZSTD_outBuffer out = {.dst = f->piece, .size = PIECE};
    size_t before = in->pos;
    size_t result = ZSTD_decompressStream(f->context, &out, in);
    grad_status status = GRAD_OK;

    f->taken += in->pos - before;
    f->made += out.pos;
    *is_full = out.pos == PIECE;
    if (out.pos > 0)
        status = next->push(next->context, f->piece, out.pos, error);
    if (status == GRAD_OK && ZSTD_isError(result))
        return fail(error, result);
    f->is_inside = result != 0;
    if (!f->is_inside) {
        f->has_frame = true;
        f->magic = 0;
        *is_full = false;
    }
    return status;
}

static grad_status push(void *state, const char *bytes, size_t length, const body_sink *next,
                        grad_error *error)
{
    unzstd *f = state;
    ZSTD_inBuffer in = {.src = bytes, .size = length};
    grad_status status = GRAD_OK;
    bool is_full = false;

    while (status == GRAD_OK && (in.pos < in.size || is_full)) {
        if (f->magic < MAGIC_LENGTH)
            status = begin_frame(f, &in, error);
        if (status == GRAD_OK)
            status = make_piece(f, &in, &is_full, next, error);
    }
    return status;
}

static grad_status end(void *state, const body_sink *next, grad_error *error)
{
    const unzstd *f = state;

    (void)next;
    if (f->has_frame && !f->is_inside)
        return GRAD_OK;
    return coding_fail(error, NAME, CODING_CUT_OFF);
}

static size_t taken(const void *state)
{
    return ((const unzstd *)state)->taken;
}

/* Of the window only what was written takes memory. */
static size_t memory(const void *state)
{
    const unzstd *f = state;
    size_t buffers = ZSTD_sizeof_DCtx(f->context) - f->bare_memory;
    size_t used = f->made + BLOCK;

    return sizeof *f + f->bare_memory + (used < buffers ? used : buffers);
}

static void destroy(void *state)
{
    unzstd *f = state;

    ZSTD_freeDCtx(f->context);
    free(f);
}

const body_filter body_filter_zstd = {.coding = "zstd",
                                      .create = create,
                                      .push = push,
                                      .end = end,
                                      .taken = taken,
                                      .memory = memory,
                                      .destroy = destroy};
