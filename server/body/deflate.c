/* The codings gzip (RFC 1952) and deflate (RFC 1950), put on by zlib. Numbers as text have no runs
 * that are worth a search: codes for their characters alone, and for a byte that repeats, make them
 * as small as zlib's searches do, in half of the time. */
#define ZLIB_CONST /* next_in points to what is not changed */
#include "body/body.h"
#include "body/coding.h"

#include <limits.h>
#include <stdlib.h>
#include <zlib.h>

#define PIECE 16384
#define GZIP_ONLY 16
#define LEVEL 1
#define MEMORY_LEVEL 8

typedef struct deflater {
    z_stream stream;
    unsigned char piece[PIECE];
} deflater;

static void *allocate(void *opaque, unsigned items, unsigned size)
{
    (void)opaque;
    return calloc(items, size);
}

static void release(void *opaque, void *block)
{
    (void)opaque;
    free(block);
}

static grad_status create(bool is_gzip, void **state, grad_error *error)
{
    deflater *f = calloc(1, sizeof *f);

    if (f == NULL)
        return coding_fail_memory(error);
    f->stream = (z_stream){.zalloc = allocate, .zfree = release};
    if (deflateInit2(&f->stream, LEVEL, Z_DEFLATED, MAX_WBITS + (is_gzip ? GZIP_ONLY : 0),
                     MEMORY_LEVEL, Z_RLE) != Z_OK) {
        free(f);
        return coding_fail_memory(error);
    }
    *state = f;
    return GRAD_OK;
}

static grad_status create_gzip(size_t size, void **state, grad_error *error)
{
    (void)size;
    return create(true, state, error);
}

static grad_status create_deflate(size_t size, void **state, grad_error *error)
{
    (void)size;
    return create(false, state, error);
}

/* Until nothing comes out any more. */
static void drain(deflater *f, int flush, grad_text *out)
{
    do {
        f->stream.next_out = f->piece;
        f->stream.avail_out = PIECE;
        deflate(&f->stream, flush);
        grad_text_add(out, (const char *)f->piece, PIECE - f->stream.avail_out);
    } while (f->stream.avail_out == 0);
}

static void push(void *state, const char *bytes, size_t length, bool is_last, grad_text *out)
{
    deflater *f = state;

    while (length > 0) {
        unsigned some = length < UINT_MAX ? (unsigned)length : UINT_MAX;
        f->stream.next_in = (const unsigned char *)bytes;
        f->stream.avail_in = some;
        drain(f, Z_NO_FLUSH, out);
        bytes += some;
        length -= some;
    }
    if (is_last)
        drain(f, Z_FINISH, out);
}

static void destroy(void *state)
{
    deflater *f = state;

    deflateEnd(&f->stream);
    free(f);
}

/* As zlib's zconf.h says, and its state. */
#define MEMORY                                                                                     \
    (sizeof(deflater) + ((size_t)1 << (MAX_WBITS + 2)) + ((size_t)1 << (MEMORY_LEVEL + 9)) + 8192)

const body_compressor body_compressor_gzip = {.coding = "gzip",
                                              .alias = "x-gzip",
                                              .memory = MEMORY,
                                              .seconds_per_byte = 11e-9,
                                              .create = create_gzip,
                                              .push = push,
                                              .destroy = destroy};

const body_compressor body_compressor_deflate = {.coding = "deflate",
                                                 .memory = MEMORY,
                                                 .seconds_per_byte = 11e-9,
                                                 .create = create_deflate,
                                                 .push = push,
                                                 .destroy = destroy};
