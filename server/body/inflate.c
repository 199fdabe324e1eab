/* The codings gzip (RFC 1952) and deflate (RFC 1950), taken off by zlib. A body of gzip may be
 * several members, which are read as one text; nothing else may stand behind them. */
#define ZLIB_CONST /* next_in points to what is not changed */
#include "body/body.h"
#include "body/coding.h"

#include <limits.h>
#include <stdlib.h>
#include <zlib.h>

/* Bytes that come out at once. */
#define PIECE 4096
/* What inflateInit2 is told besides the size of the window. */
#define GZIP_ONLY 16

typedef enum inflate_place {
    BEFORE_FIRST, /* no byte has come */
    INSIDE,
    BEHIND_MEMBER /* one is complete, and nothing has come since */
} inflate_place;

typedef struct inflater {
    z_stream stream;
    bool is_gzip;
    inflate_place place;
    bool is_full;     /* more may come out without another byte */
    size_t taken;     /* encoded bytes */
    size_t allocated; /* by zlib */
    unsigned char piece[PIECE];
} inflater;

/* zlib's memory is counted, and asked for where tests can refuse it. */
static void *allocate(void *opaque, unsigned items, unsigned size)
{
    inflater *f = opaque;
    void *block = calloc(items, size);

    if (block != NULL)
        f->allocated += (size_t)items * size;
    return block;
}

static void release(void *opaque, void *block)
{
    (void)opaque;
    free(block);
}

static grad_status create(bool is_gzip, void **state, grad_error *error)
{
    inflater *f = calloc(1, sizeof *f);

    if (f == NULL)
        return coding_fail_memory(error);
    f->is_gzip = is_gzip;
    f->stream = (z_stream){.zalloc = allocate, .zfree = release, .opaque = f};
    if (inflateInit2(&f->stream, MAX_WBITS + (is_gzip ? GZIP_ONLY : 0)) != Z_OK) {
        free(f);
        return coding_fail_memory(error);
    }
    *state = f;
    return GRAD_OK;
}

static grad_status create_gzip(void **state, grad_error *error)
{
    return create(true, state, error);
}

static grad_status create_deflate(void **state, grad_error *error)
{
    return create(false, state, error);
}

static const char *name_of(const inflater *f)
{
    return f->is_gzip ? "gzip (RFC 1952)" : "deflate as zlib writes it (RFC 1950)";
}

/* The next byte begins the first member, or another one. */
static grad_status begin_member(inflater *f, grad_error *error)
{
    enum { FIRST_BYTE = 0x1f };

    if (f->place == BEHIND_MEMBER &&
        (!f->is_gzip || *(const unsigned char *)f->stream.next_in != FIRST_BYTE))
        return coding_fail(error, name_of(f), "bytes behind its end");
    if (f->place == BEHIND_MEMBER)
        inflateReset(&f->stream);
    f->place = INSIDE;
    return GRAD_OK;
}

/* What inflate has said, after what it made was passed on. */
static grad_status judge(inflater *f, int result, grad_error *error)
{
    switch (result) {
    case Z_STREAM_END:
        f->place = BEHIND_MEMBER;
        f->is_full = false;
        return GRAD_OK;
    case Z_OK:
    case Z_BUF_ERROR: /* nothing to do without more bytes */
        return GRAD_OK;
    case Z_MEM_ERROR:
        return coding_fail_memory(error);
    case Z_NEED_DICT:
        return coding_fail(error, name_of(f), "a need of a dictionary");
    }
    return coding_fail(error, name_of(f), f->stream.msg != NULL ? f->stream.msg : "an error");
}

/* Makes one piece of output. */
static grad_status make_piece(inflater *f, const body_sink *next, grad_error *error)
{
    unsigned before = f->stream.avail_in;
    grad_status status = GRAD_OK;
    size_t made;
    int result;

    f->stream.next_out = f->piece;
    f->stream.avail_out = PIECE;
    result = inflate(&f->stream, Z_NO_FLUSH);
    f->taken += before - f->stream.avail_in;
    made = PIECE - f->stream.avail_out;
    f->is_full = made == PIECE;
    if (made > 0)
        status = next->push(next->context, (const char *)f->piece, made, error);
    return status == GRAD_OK ? judge(f, result, error) : status;
}

static grad_status push_some(inflater *f, const body_sink *next, grad_error *error)
{
    grad_status status = GRAD_OK;

    while (status == GRAD_OK && (f->stream.avail_in > 0 || f->is_full)) {
        if (f->place != INSIDE)
            status = begin_member(f, error);
        if (status == GRAD_OK)
            status = make_piece(f, next, error);
    }
    return status;
}

static grad_status push(void *state, const char *bytes, size_t length, const body_sink *next,
                        grad_error *error)
{
    inflater *f = state;
    grad_status status = GRAD_OK;

    while (status == GRAD_OK && length > 0) {
        unsigned some = length < UINT_MAX ? (unsigned)length : UINT_MAX;
        f->stream.next_in = (const unsigned char *)bytes;
        f->stream.avail_in = some;
        status = push_some(f, next, error);
        bytes += some;
        length -= some;
    }
    return status;
}

static grad_status end(void *state, const body_sink *next, grad_error *error)
{
    const inflater *f = state;

    (void)next;
    return f->place == BEHIND_MEMBER ? GRAD_OK : coding_fail(error, name_of(f), CODING_CUT_OFF);
}

static size_t taken(const void *state)
{
    return ((const inflater *)state)->taken;
}

static size_t memory(const void *state)
{
    return sizeof(inflater) + ((const inflater *)state)->allocated;
}

static void destroy(void *state)
{
    inflater *f = state;

    inflateEnd(&f->stream);
    free(f);
}

const body_filter body_filter_gzip = {.coding = "gzip",
                                      .alias = "x-gzip",
                                      .create = create_gzip,
                                      .push = push,
                                      .end = end,
                                      .taken = taken,
                                      .memory = memory,
                                      .destroy = destroy};

const body_filter body_filter_deflate = {.coding = "deflate",
                                         .create = create_deflate,
                                         .push = push,
                                         .end = end,
                                         .taken = taken,
                                         .memory = memory,
                                         .destroy = destroy};
