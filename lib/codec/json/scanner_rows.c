/* From row to row in an array of numbers, without a step of the scanner for each bracket. */
#include "codec/json/scanner_rows.h"

#include "codec/number/text.h"

static int64_t offset_of(const grad_scanner *s, const char *p)
{
    return s->offset + (p - s->piece);
}

const char *grad_scanner_next_row(grad_scanner *s, const char *p, const char *end)
{
    grad_scan_row *row = &s->rows[s->level - 1];
    const char *bracket;

    if (s->level == 1 || row->count != s->array.shape[s->level - 1])
        return NULL;
    if ((p = grad_skip_between_rows(p, end, &bracket)) == NULL)
        return NULL;
    row[-1].count++;
    *row = (grad_scan_row){.offset = offset_of(s, bracket)};
    return p;
}

const char *grad_scanner_read_rows(grad_scanner *s, const char *p, const char *end)
{
    grad_scan_row *row = &s->rows[s->level - 1];
    grad_number_rows rows = {.columns = s->array.shape[s->level - 1], .filled = row->count};

    if (s->level == 1 || rows.columns <= rows.filled)
        return p;
    p = grad_number_block_read_rows(&s->block, s->piece, p, end, &rows);
    row->count = rows.filled;
    if (rows.closed > 0) {
        row->offset = offset_of(s, rows.bracket);
        row[-1].count += rows.closed;
    }
    return p;
}
