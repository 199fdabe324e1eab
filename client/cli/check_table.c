/* The report of a check as a table for people: a line for each tensor, one below it for the user's
 * own, and the verdict. */
#include "cli/cli.h"

#include <stdio.h>
#include <string.h>
#include <unistd.h>

enum { COLUMNS = 8, VERDICT_COLUMN = COLUMNS - 1, CELL_SIZE = 64 };

typedef struct row {
    char cells[COLUMNS][CELL_SIZE];
    grad_check_verdict verdict;
    bool is_heading;
} row;

typedef struct table {
    grad_text text;
    int widths[COLUMNS]; /* found by the first walk over the rows */
    bool print;          /* the second walk */
    bool color;
    size_t rows, wrong, kinks;
} table;

/* ---- Cells ----------------------------------------------------------------------------------- */

/* A name as far as a cell holds it, cut between characters. */
static void write_name(char cell[CELL_SIZE], const char *name)
{
    size_t length = strnlen(name, CELL_SIZE - 1);

    if (name[length] != '\0')
        while (length > 0 && ((unsigned char)name[length] & 0xc0) == 0x80)
            length--;
    memcpy(cell, name, length);
    cell[length] = '\0';
    report_defuse(cell, length);
}

static void write_layer(char cell[CELL_SIZE], const grad_check_tensor *tensor)
{
    if (tensor->layer == SIZE_MAX)
        snprintf(cell, CELL_SIZE, "network");
    else if (tensor->layer_name != NULL && tensor->layer_name[0] != '\0')
        write_name(cell, tensor->layer_name);
    else
        snprintf(cell, CELL_SIZE, "layers/%zu", tensor->layer);
}

/* "[3,17]", or "direction". */
static void write_place(char cell[CELL_SIZE], const grad_check_tensor *tensor, size_t index)
{
    size_t below = 1, length = 0;

    if (index == SIZE_MAX) {
        snprintf(cell, CELL_SIZE, "direction");
        return;
    }
    for (size_t d = 1; d < tensor->rank; d++)
        below *= tensor->shape[d];
    for (size_t d = 0; d < tensor->rank && d < GRAD_MAX_RANK; d++) {
        length += (size_t)snprintf(cell + length, CELL_SIZE - length, "%c%zu", d == 0 ? '[' : ',',
                                   below > 0 ? index / below : 0);
        index %= below > 0 ? below : 1;
        below /= d + 1 < tensor->rank && tensor->shape[d + 1] > 0 ? tensor->shape[d + 1] : 1;
    }
    snprintf(cell + length, CELL_SIZE - length, "]");
}

static void write_verdict(char cell[CELL_SIZE], const grad_check_finding *finding)
{
    static const char *const words[] = {
        [GRAD_CHECK_PASS] = "pass", [GRAD_CHECK_KINK] = "kink", [GRAD_CHECK_FAIL] = "FAIL"};
    int length = snprintf(cell, CELL_SIZE, "%s", words[finding->verdict]);

    if (finding->low < finding->high)
        length += snprintf(cell + length, CELL_SIZE - (size_t)length, " [%.5g, %.5g]", finding->low,
                           finding->high);
    if (finding->kinks > 0)
        snprintf(cell + length, CELL_SIZE - (size_t)length, " (%zu of %zu at kinks)",
                 finding->kinks, finding->checked);
}

/* The order of convergence, or why there is none. */
static void write_order(char cell[CELL_SIZE], const grad_taylor *taylor)
{
    static const char *const words[] = {[GRAD_ORDER_ABSENT] = "-",
                                        [GRAD_ORDER_FOUND] = "",
                                        [GRAD_ORDER_LINEAR] = "linear",
                                        [GRAD_ORDER_KINK] = "kink",
                                        [GRAD_ORDER_ROUNDING] = "rounding"};

    snprintf(cell, CELL_SIZE, "%s", words[taylor->state]);
    if (taylor->state == GRAD_ORDER_FOUND)
        snprintf(cell, CELL_SIZE, "%.2f", taylor->order);
}

/* All but the names, which differ between a tensor's line and the client's. */
static void write_finding(row *r, const grad_check_tensor *tensor,
                          const grad_check_finding *finding)
{
    snprintf(r->cells[2], CELL_SIZE, "%.1e", finding->largest_error);
    write_place(r->cells[3], tensor, finding->index);
    snprintf(r->cells[4], CELL_SIZE, "%.8g", finding->gradient);
    snprintf(r->cells[5], CELL_SIZE, "%.8g", finding->difference);
    write_order(r->cells[6], &finding->taylor);
    write_verdict(r->cells[VERDICT_COLUMN], finding);
    r->verdict = finding->verdict;
}

/* ---- Rows ------------------------------------------------------------------------------------ */

/* Characters, not bytes. */
static int width_of(const char *cell)
{
    int width = 0;

    for (; *cell != '\0'; cell++)
        width += ((unsigned char)*cell & 0xc0) != 0x80;
    return width;
}

static const char *color_of(const row *r)
{
    static const char *const colors[] = {[GRAD_CHECK_PASS] = "\033[32m",
                                         [GRAD_CHECK_KINK] = "\033[33m",
                                         [GRAD_CHECK_FAIL] = "\033[1;31m"};

    return r->is_heading ? "\033[1m" : colors[r->verdict];
}

static void print_row(table *t, const row *r)
{
    for (int c = 0; c < COLUMNS; c++) {
        bool colored = t->color && (r->is_heading || c == VERDICT_COLUMN);
        int padding = c < VERDICT_COLUMN ? t->widths[c] - width_of(r->cells[c]) + 2 : 0;
        grad_text_printf(&t->text, "%s%s%s%*s", colored ? color_of(r) : "", r->cells[c],
                         colored ? "\033[0m" : "", padding, "");
    }
    grad_text_printf(&t->text, "\n");
}

static void take_row(table *t, const row *r)
{
    if (t->print) {
        print_row(t, r);
        return;
    }
    for (int c = 0; c < COLUMNS; c++) {
        int width = width_of(r->cells[c]);
        t->widths[c] = width > t->widths[c] ? width : t->widths[c];
    }
    t->rows += !r->is_heading;
    t->wrong += !r->is_heading && r->verdict == GRAD_CHECK_FAIL;
    t->kinks += !r->is_heading && r->verdict == GRAD_CHECK_KINK;
}

static void walk(table *t, const grad_check_report *report)
{
    const row heading = {
        {"layer", "tensor", "error", "where", "gradient", "difference", "order", "verdict"},
        GRAD_CHECK_PASS,
        true};

    take_row(t, &heading);
    for (size_t i = 0; i < report->tensor_count; i++) {
        const grad_check_tensor *tensor = &report->tensors[i];
        row r = {.is_heading = false};
        write_layer(r.cells[0], tensor);
        snprintf(r.cells[1], CELL_SIZE, "%s", grad_output_name(tensor->output));
        write_finding(&r, tensor, &tensor->analytic);
        take_row(t, &r);
        if (tensor->has_claim) {
            r.cells[0][0] = '\0';
            snprintf(r.cells[1], CELL_SIZE, "  yours");
            write_finding(&r, tensor, &tensor->claim);
            take_row(t, &r);
        }
    }
}

/* ---- The whole ------------------------------------------------------------------------------- */

static void print_verdict(table *t, const grad_check_report *report)
{
    bool failed = report->verdict == GRAD_CHECK_FAIL;

    grad_text_printf(&t->text, "%s%s%s: ", t->color ? (failed ? "\033[1;31m" : "\033[32m") : "",
                     failed ? "fail" : "pass", t->color ? "\033[0m" : "");
    if (failed)
        grad_text_printf(&t->text, "%zu of %zu gradients are off by more than %g", t->wrong,
                         t->rows, report->tolerance);
    else
        grad_text_printf(&t->text, "%zu gradients, none off by more than %g", t->rows,
                         report->tolerance);
    if (t->kinks > 0)
        grad_text_printf(&t->text,
                         "; %zu of them with places at kinks, where all of an interval is right",
                         t->kinks);
    grad_text_printf(&t->text, "\n");
}

static int print_table(const options *o, const grad_check_report *report)
{
    table t = {.color = report_in_color(STDOUT_FILENO)};
    grad_error error = GRAD_ERROR_INIT;
    int exit_code = EXIT_OK;

    grad_text_init(&t.text, SIZE_MAX);
    walk(&t, report);
    t.print = true;
    walk(&t, report);
    print_verdict(&t, report);
    if (grad_text_status(&t.text, &error) == GRAD_OK)
        report_write(t.text.data, t.text.length);
    else
        exit_code = report_library_error(o, &error);
    grad_text_free(&t.text);
    return exit_code;
}

int command_print_check(const options *o, const grad_text *document,
                        const grad_check_report *report)
{
    int exit_code = EXIT_OK;

    if (o->json)
        report_write(document->data, document->length);
    else
        exit_code = print_table(o, report);
    report_notes(o, report->notes, report->note_count);
    if (exit_code == EXIT_OK && report->verdict == GRAD_CHECK_FAIL)
        exit_code = EXIT_CHECK_FAILED;
    return exit_code;
}
